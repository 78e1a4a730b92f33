"""The gate: a stage with open required tasks or unmet exit criteria, or one whose turn has not come, can be neither reached
nor prompted for.

It asks only when a write changes the stored value, and it is asked twice: before a save writes, so that a refusal
leaves nothing behind, and once more after, for values that hooks set on the way and for what Frappe writes without
asking anybody. A refusal after the write takes the write back. Both see the plan's rows locked, so nobody can open a
task in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import frappe
from frappe import _
from frappe.utils import cint, escape_html, now_datetime

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import criterion_texts, rights
from milestone_automation.engine.progress import new_documents, refusals
from milestone_automation.engine.rules import criteria, order
from milestone_automation.engine.rules.vocabulary import (
	GateMode,
	PlanEvent,
	PlanStatus,
	ReachRule,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import exit_criteria, plan_log, plan_rows, sweep_requests, watched


@dataclass(frozen=True)
class Obstacles:
	"""What keeps a stage from being reached.

	Attributes:
		tasks: open required tasks, with their assignees.
		earlier: open stages that come first, where milestones are reached in order.
		criteria: verdicts of required exit criteria that are not met.
	"""

	tasks: list = field(default_factory=list)
	earlier: list = field(default_factory=list)
	criteria: list = field(default_factory=list)

	def __bool__(self) -> bool:
		"""Whether there is anything."""
		return bool(self.tasks or self.earlier or self.criteria)


def check(doc) -> bool:
	"""Refuse a save, before it writes, whose values would reach a stage that the gate blocks.

	Args:
		doc: the document as it is about to be saved.

	Returns:
		bool: whether the document has a plan.

	Raises:
		GateError: names the stage, its open tasks, who has them, its unmet exit criteria, and what to do.
	"""
	plan = watched.loaded(doc, anew=True)
	if is_running(plan):
		_check_values(plan, doc, to_write=doc)
	return bool(plan)


def check_written(doc, anew: bool = False) -> None:
	"""Refuse a save that has just written its row, before its document's own events go on, as `check` does.

	Args:
		doc: the document, with its state before the save; without one, as for a new document, nothing is checked.
		anew: read its plan again; nothing was checked before the save wrote.

	Raises:
		GateError: as `check`; whoever called takes the write back.
	"""
	plan = watched.loaded(doc, anew)
	if is_running(plan) and doc.get_doc_before_save():
		_check_values(plan, doc)


def is_running(plan: plan_rows.Plan | None) -> bool:
	"""Tell whether there is a plan whose gate is to be asked.

	Args:
		plan: None for a document without one.
	"""
	return bool(plan) and plan.status == PlanStatus.ACTIVE


def _check_values(plan: plan_rows.Plan, doc, to_write=None) -> None:
	if new_documents.is_being_brought_in(plan):
		return
	before = doc.get_doc_before_save()
	fields = {stage.track_field for stage in _waiting_stages(plan)}
	to_reach = stages_to_reach(plan, watched.value_changes(fields, doc.doctype, before, doc))
	for stage in to_reach:
		obstacles = in_the_way(plan, stage, to_reach, to_write)
		if obstacles and not only_warns(stage):
			refusals.refuse(plan, stage, obstacles)


def _waiting_stages(plan: plan_rows.Plan) -> list:
	return [
		stage
		for stage in plan.stages
		if stage.status != StageStatus.REACHED and stage.reach_rule == ReachRule.FIELD_VALUE
	]


def stages_to_reach(plan: plan_rows.Plan, changed: dict[str, tuple[str, str]]) -> list:
	"""Return the open stages that a document's changed values reach: of several with one value the first.

	Args:
		plan: the plan.
		changed: (old, new) value by field name, as plans keep them.
	"""
	stage_by_field = {}
	for stage in _waiting_stages(plan):
		if stage.track_field in changed and watched.is_reached_by(stage, changed[stage.track_field][1]):
			stage_by_field.setdefault(stage.track_field, stage)
	return list(stage_by_field.values())


def blocks_any(plan: plan_rows.Plan, changed: dict[str, tuple[str, str]]) -> bool:
	"""Tell whether something is in the way of a stage that a document's changed values reach.

	Args:
		plan: locked.
		changed: as for `stages_to_reach`.
	"""
	to_reach = stages_to_reach(plan, changed)
	return any(in_the_way(plan, stage, to_reach) for stage in to_reach)


def in_the_way(plan: plan_rows.Plan, stage, together: Sequence = (), to_write=None) -> Obstacles:
	"""Return what blocks a stage, or what its gate only warns of; nothing where the gate is off.

	Args:
		plan: locked.
		stage: row of the stage.
		together: all stages that the same write reaches.
		to_write: the document with values that are not stored yet; as it is stored by default.

	Raises:
		ConflictError: somebody else is changing one of the tasks in the way.
	"""
	return Obstacles(
		tasks_in_the_way(plan, stage),
		stages_in_the_way(plan, stage, together),
		criteria_in_the_way(plan, stage, to_write),
	)


def still_refuses(plan: plan_rows.Plan, stage) -> bool:
	"""Tell whether a stage could not be reached now; read without locks, for who changes nothing of the plan by it.

	Args:
		plan: the plan, with or without its lock.
		stage: row of the stage.
	"""
	if stage.gate_mode == GateMode.OFF or only_warns(stage):
		return False
	if stages_in_the_way(plan, stage) or _has_open_tasks(blocking_stages(plan, stage)):
		return True
	return bool(criteria_in_the_way(plan, stage))


def _has_open_tasks(stages: Sequence) -> bool:
	filters = {"plan_stage": ("in", [stage.name for stage in stages])}
	return bool(
		frappe.db.exists("Milestone Task", filters | {"status": TaskStatus.OPEN.value, "required": 1})
	)


def criteria_in_the_way(plan: plan_rows.Plan, stage, to_write=None) -> list[criteria.Verdict]:
	"""Return the verdicts of the required exit criteria that are not met; none where the gate is off.

	They are judged afresh each time.

	Args:
		plan, stage, to_write: as in `in_the_way`.
	"""
	if stage.gate_mode == GateMode.OFF:
		return []
	verdict_lists = exit_criteria.of_open_stages(plan, blocking_stages(plan, stage), to_write)
	return [verdict for verdicts in verdict_lists for verdict in criteria.blocking(verdicts)]


def stages_in_the_way(plan: plan_rows.Plan, stage, together: Sequence = ()) -> list:
	"""Return the open stages that come before one, where milestones are reached in order; none where the gate is off.

	Args:
		plan, stage, together: as in `in_the_way`.
	"""
	if stage.gate_mode == GateMode.OFF or not cint(plan.reached_in_order):
		return []
	return order.earlier_open(plan.stages, stage, together)


def tasks_in_the_way(plan: plan_rows.Plan, stage) -> list:
	"""Return the open required tasks that hold a stage, or of which its gate only warns; none where it is off.

	Where the sums say that there are none, nothing is asked. Where they are out of step - a task was changed by SQL -
	the tasks decide.

	Args:
		plan: locked; the sums on its stages count.
		stage: row of the stage.

	Returns:
		list: as `blocking_tasks` returns them.

	Raises:
		ConflictError: somebody else is changing one of them.
	"""
	blocking = blocking_stages(plan, stage)
	if stage.gate_mode == GateMode.OFF or not sum(cint(row.open_required) for row in blocking):
		return []
	return blocking_tasks(plan, blocking)


def only_warns(stage) -> bool:
	"""Tell whether what is in the way of a stage is a warning and no refusal.

	Args:
		stage: row with `gate_mode`.
	"""
	return stage.gate_mode == GateMode.WARN


def check_stage(plan: plan_rows.Plan, stage) -> None:
	"""Refuse, or in Warn mode remark, that a stage is reached while the gate blocks it.

	Args:
		plan: locked, being changed.
		stage: row of the stage that is confirmed.

	Raises:
		GateError: names the stage and what is in its way.
	"""
	obstacles = in_the_way(plan, stage)
	if obstacles and only_warns(stage):
		warn(plan, stage, obstacles)
	elif obstacles:
		refusals.refuse(plan, stage, obstacles, is_save=False)


def blocking_stages(plan: plan_rows.Plan, stage) -> list:
	"""Return the stages whose open required tasks and exit criteria block a stage: itself, last, and maybe earlier ones.

	Where the plan says that earlier tasks block, all open stages before it count, too.

	Args:
		plan: the plan.
		stage: row of the stage.
	"""
	if not cint(plan.earlier_tasks_block):
		return [stage]
	return [*order.earlier_open(plan.stages, stage), stage]


def blocking_tasks(plan: plan_rows.Plan, stages) -> list:
	"""Return the open required tasks of some stages of a locked plan, with their assignees. Two queries.

	They are read as they are now: what this transaction saw before it got the lock may be old.

	Args:
		plan: locked.
		stages: rows of the stages.

	Returns:
		list: rows with `assignees`, those who are done too, and with the document, in the order of the plan.

	Raises:
		ConflictError: somebody else is changing one of the tasks.
	"""
	task = frappe.qb.DocType("Milestone Task")
	query = (
		frappe.qb.from_(task)
		.select(task.name, task.title, task.stage_name, task.due_date, task.plan_stage, task.after_tasks)
		.where(task.plan == plan.name)
		.where(task.plan_stage.isin([stage.name for stage in stages]))
		.where(task.status == TaskStatus.OPEN.value)
		.where(task.required == 1)
		.orderby(task.task_order)
	)
	tasks = plan_rows.run_locked(query)
	people = _assignees([task.name for task in tasks])
	for task in tasks:
		task.reference_type, task.reference_name = plan.reference_type, plan.reference_name
		task.assignees = [p for p in people if p.parent == task.name]
	return tasks


def _assignees(tasks: list[str]) -> list:
	if not tasks:
		return []
	person = frappe.qb.DocType("Milestone Task Assignee")
	query = (
		frappe.qb.from_(person)
		.select(person.parent, person.user, person.full_name, person.email, person.done)
		.where(person.parent.isin(tasks))
		.where(person.parenttype == "Milestone Task")
		.orderby(person.idx)
	)
	return plan_rows.run_locked(query)


def warn(plan: plan_rows.Plan, stage, obstacles: Obstacles) -> None:
	"""Let pass, with a warning on the screen and on record.

	Args:
		plan: locked, being changed; its log gets an entry for each kind of obstacle.
		stage: row of the stage.
		obstacles: what is in its way. The screen names only tasks that the user may see, the log any.
	"""
	if obstacles.earlier:
		_warn_of_order(plan, stage, obstacles.earlier)
	if obstacles.tasks:
		_warn_of_tasks(plan, stage, obstacles.tasks)
	if obstacles.criteria:
		_warn_of_criteria(plan, stage, obstacles.criteria)


def _warn_of_order(plan: plan_rows.Plan, stage, earlier: list) -> None:
	names = stage_names(earlier)
	text = _("{0} is reached before {1}.").format(refusals.bold(stage.stage_name), escape_html(names))
	frappe.msgprint(text, title=_("Milestones Out of Order"), indicator="orange")
	plan_log.write(plan, PlanEvent.REACHED_OUT_OF_ORDER, stage=stage, details=names)


def _warn_of_tasks(plan: plan_rows.Plan, stage, open_tasks: list) -> None:
	titles = task_titles(open_tasks)
	visible_titles = task_titles(rights.visible_tasks(open_tasks))
	frappe.msgprint(
		_("{0} is reached although required tasks are open: {1}.").format(
			refusals.bold(stage.stage_name), escape_html(visible_titles) or _("you may not see them")
		),
		title=_("Required Tasks Are Open"),
		indicator="orange",
	)
	plan_log.write(plan, PlanEvent.REACHED_WITH_WARNING, stage=stage, details=titles)


def _warn_of_criteria(plan: plan_rows.Plan, stage, unmet: list[criteria.Verdict]) -> None:
	texts = criterion_texts.describe_all(unmet[: refusals.NAMED], plan.reference_type)
	frappe.msgprint(
		_("{0} is reached although exit criteria are not met: {1}.").format(
			refusals.bold(stage.stage_name), escape_html(", ".join(texts))
		),
		title=_("Exit Criteria Are Not Met"),
		indicator="orange",
	)
	plan_log.write(
		plan, PlanEvent.REACHED_WITH_WARNING, stage=stage, details=criteria_texts(plan.reference_type, unmet)
	)


def note_failure(doc) -> None:
	"""Note on a document's plan, and tell the managers of its workflow, that a save went on unchecked.

	Args:
		doc: the document; nothing happens if it has no plan.
	"""
	filters = {"plan_key": plan_rows.plan_key(doc.doctype, doc.name)}
	columns = ["name", "reference_type", "reference_name"]
	plan = frappe.db.get_value("Milestone Plan", filters, columns, as_dict=True)
	if plan:
		bulk.update_rows("Milestone Plan", {plan.name: {"gate_failed_on": now_datetime()}})
		sweep_requests.alert(plan_log.write(plan, PlanEvent.GATE_FAILED))


def task_titles(open_tasks: list) -> str:
	"""Return the titles of some tasks for the log, not more of them than a refusal names.

	Args:
		open_tasks: rows with `title`.

	Returns:
		str: separated by commas.
	"""
	return ", ".join(task.title for task in open_tasks[: refusals.NAMED])


def criteria_texts(doctype: str, verdicts: list[criteria.Verdict]) -> str:
	"""Return what some criteria ask for, for the log, which all readers of the plan read: no more than a refusal names.

	Args:
		doctype: DocType of the document.
		verdicts: of the criteria.

	Returns:
		str: separated by commas; no field is named that not everybody may read.
	"""
	return ", ".join(
		criterion_texts.describe_all(verdicts[: refusals.NAMED], doctype, criterion_texts.ANYBODY)
	)


def stage_names(stages: list) -> str:
	"""Return the names of some stages for the log, not more of them than a refusal names.

	Args:
		stages: rows with `stage_name`.

	Returns:
		str: separated by commas.
	"""
	return ", ".join(row.stage_name for row in stages[: refusals.NAMED])
