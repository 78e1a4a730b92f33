"""The gate: a stage with open required tasks can be neither reached nor prompted for.

It is asked twice in a save: before anything is written (so that a refusal leaves nothing behind), and once more after,
for values that hooks set on the way. Both see the plan's rows locked, so nobody can open a task in between.
"""

import frappe
from frappe import _
from frappe.utils import cint, escape_html, get_link_to_form

from milestone_automation.engine.base import guard
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.people import rights
from milestone_automation.engine.rules.vocabulary import (
	GateMode,
	PlanEvent,
	PlanStatus,
	ReachRule,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, watched

# How many tasks a refusal names; more would be a wall of text.
NAMED_TASKS = 10


def check(doc) -> None:
	"""Refuse a document whose new values would reach a stage that open required tasks hold.

	Args:
		doc: the document, before or after its values are written.

	Raises:
		GateError: names the stage, its open tasks, who has them, and what to do.
	"""
	plan = watched.loaded(doc)
	if not plan or plan.status != PlanStatus.ACTIVE:
		return
	for stage in stages_to_reach(plan, doc, watched.changed_values(plan, doc)):
		check_stage(plan, stage, doc)


def stages_to_reach(plan: plan_rows.Plan, doc, changed: dict) -> list:
	"""Return the open stages that a document's changed values reach: of several with one value the first."""
	found = {}
	for stage in plan.stages:
		if stage.status == StageStatus.REACHED or stage.reach_rule != ReachRule.FIELD_VALUE:
			continue
		if stage.track_field in changed and watched.holds_value(stage, doc):
			found.setdefault(stage.track_field, stage)
	return list(found.values())


def check_stage(plan: plan_rows.Plan, stage, doc=None) -> None:
	"""Refuse, or in Warn mode remark, that a stage is reached while required tasks hold it.

	Raises:
		GateError
	"""
	mode = stage.gate_mode or GateMode.BLOCK
	holding = holding_stages(plan, stage)
	if mode == GateMode.OFF or not sum(cint(row.open_required) for row in holding):
		return
	open_tasks = holding_tasks(plan, holding)
	if not open_tasks:
		# The sums were out of step (a task changed behind Frappe's back); the tasks decide.
		return
	if mode == GateMode.WARN:
		_warn_once(plan, stage, open_tasks, doc)
	else:
		refuse(plan, stage, open_tasks)


def holding_stages(plan: plan_rows.Plan, stage) -> list:
	"""Return the stages whose open required tasks hold this one: itself, in strict order all open ones before."""
	if not cint(plan.strict_order):
		return [stage]
	earlier = [row for row in plan.stages if row.idx < stage.idx and row.status != StageStatus.REACHED]
	return [*earlier, stage]


def holding_tasks(plan: plan_rows.Plan, stages) -> list:
	"""Return the open required tasks of some stages of a locked plan, with their assignees. Two queries.

	They are read as they are now: what this transaction saw before it got the lock may be old.
	"""
	task = frappe.qb.DocType("Milestone Task")
	query = (
		frappe.qb.from_(task)
		.select(task.name, task.title, task.stage_name, task.due_date, task.plan_stage)
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


def refuse(plan: plan_rows.Plan, stage, open_tasks: list) -> None:
	"""Raise the refusal; the desk also gets it as data, in `milestone_gate` of the response.

	Raises:
		GateError
	"""
	seen = visible_to_reader(open_tasks)
	if frappe.local.response is not None:
		frappe.local.response["milestone_gate"] = {
			"plan": plan.name,
			"doctype": plan.reference_type,
			"name": plan.reference_name,
			"stage": stage.stage_name,
			"count": len(open_tasks),
			"tasks": [{"name": task.name, "title": task.title, "assignees": people(task)} for task in seen],
		}
	frappe.throw(refusal(plan, stage, open_tasks, seen), exc=GateError, title=_("Milestone Blocked"))


def refusal(plan: plan_rows.Plan, stage, open_tasks: list, seen: list) -> str:
	"""Return the refusal as HTML: what is held, by which tasks, who has them, what the reader may do."""
	if len(open_tasks) == 1:
		parts = [_("{0} cannot be reached yet: one required task is open.").format(_bold(stage.stage_name))]
	else:
		parts = [
			_("{0} cannot be reached yet: {1} required tasks are open.").format(
				_bold(stage.stage_name), len(open_tasks)
			)
		]
	items = [f"<li>{_describe(task, stage)}</li>" for task in seen[:NAMED_TASKS]]
	if items and len(open_tasks) > len(items):
		items.append(f"<li>{_('and {0} more').format(len(open_tasks) - len(items))}</li>")
	if items:
		parts.append(f"<ul>{''.join(items)}</ul>")
	parts.append(_what_to_do())
	return "".join(f"<p>{part}</p>" if not part.startswith("<ul>") else part for part in parts)


def _describe(task, stage) -> str:
	link = get_link_to_form("Milestone Task", task.name, escape_html(task.title))
	names = people(task)
	text = (
		_("{0}: {1}").format(link, escape_html(", ".join(names)))
		if names
		else _("{0}: nobody assigned").format(link)
	)
	if task.stage_name != stage.stage_name:
		text += " " + _("(task of the earlier milestone {0})").format(escape_html(task.stage_name))
	return text


def _what_to_do() -> str:
	if rights.can_manage():
		return _("Complete the tasks, or waive them with a reason. Then save again.")
	return _("Complete the tasks, or ask a Milestone Manager to waive them. Then save again.")


def _bold(text: str) -> str:
	return f"<b>{escape_html(text)}</b>"


def people(task) -> list[str]:
	"""Return the names of a task's assignees who are not done yet."""
	return [p.full_name or p.user or p.email for p in task.assignees if not p.done]


def visible_to_reader(tasks: list) -> list:
	"""Return the tasks whose text the session user may see."""
	return rights.visible_tasks(tasks)


def _warn_once(plan: plan_rows.Plan, stage, open_tasks: list, doc) -> None:
	"""Let pass with a warning on record. A save comes here twice; the record is made by the second."""
	warned = doc.flags.setdefault("milestone_warned", set()) if doc is not None else set()
	if stage.name in warned:
		return
	warned.add(stage.name)
	titles = ", ".join(task.title for task in open_tasks[:NAMED_TASKS])
	seen = ", ".join(task.title for task in visible_to_reader(open_tasks)[:NAMED_TASKS])
	frappe.msgprint(
		_("{0} is reached although required tasks are open: {1}.").format(
			_bold(stage.stage_name), escape_html(seen) or _("you may not see them")
		),
		title=_("Required Tasks Are Open"),
		indicator="orange",
	)
	guard.run_guarded(
		f"Milestone plan {plan.name}: log",
		lambda: plan_log.write(plan, PlanEvent.REACHED_WITH_WARNING, stage=stage, details=titles),
	)
