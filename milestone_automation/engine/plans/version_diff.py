"""The difference between a running plan and the newest version of its workflow. Writes nothing.

Rows are paired by the workflow row from which they were made, then by name. Reached stages and closed tasks stay the
same; everything else follows the workflow.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import count

import frappe
from frappe.utils import cint, cstr, getdate

from milestone_automation.engine.plans import plan_builder
from milestone_automation.engine.progress import stage_dates
from milestone_automation.engine.rules import criteria, dates, names
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import (
	AssigneeKind,
	GateMode,
	KeyDateRule,
	StageKind,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import exit_criteria, plan_rows, watched
from milestone_automation.engine.workflows import validation

DATE_RULE_FIELDS = frozenset(
	{"dependency", "predecessors", "key_date_rule", "date_field", "offset_days", "working_days"}
)
# Fields that decide which value reaches a stage.
REACH_FIELDS = frozenset({"reach_rule", "track_field", "track_value"})

# Fields of the plan that decide about the people of an assignee kind.
STAFFING_FIELDS = {
	AssigneeKind.WHOLE_TEAM: frozenset({"team_role", "team_group"}),
	AssigneeKind.ALL_SUPPLIER_CONTACTS: frozenset({"supplier_field"}),
}


@dataclass
class StageMove:
	"""One stage of the plan after the move.

	Attributes:
		row: row of the plan; None for a new stage.
		template: row of the workflow; None for a reached stage that the workflow no longer has.
		new_row: values of a new stage, as `plan_builder` makes them.
		key_date: its key date after the move.
		waits: whether the document gives it another date, to which it moves when it can; None for one that is reached.
		changed: fields that the workflow has changed; for a reached stage only its name.
		new_name: name of a reached stage whose old name another stage has now.
		is_fulfilled: whether it is open and the document has the value that now reaches it.
		blocked_by: number of open required tasks that block a fulfilled stage.
		unmet: number of required exit criteria that a fulfilled stage does not meet.
		comes_after: names of open stages that a fulfilled stage comes after, where stages are reached in order.
	"""

	row: frappe._dict | None
	template: object | None
	new_row: dict | None = None
	key_date: date | None = None
	waits: bool | None = None
	changed: list[str] = field(default_factory=list)
	new_name: str | None = None
	is_fulfilled: bool = False
	blocked_by: int = 0
	unmet: int = 0
	comes_after: list[str] = field(default_factory=list)

	@property
	def is_reached(self) -> bool:
		"""Whether the stage is reached before the move."""
		return (self.row or self.new_row)["status"] == StageStatus.REACHED

	@property
	def becomes_reached(self) -> bool:
		"""Whether the move makes the stage reached."""
		return self.is_fulfilled and not (self.blocked_by or self.unmet or self.comes_after)

	@property
	def keeps_name(self) -> bool:
		"""Whether the stage keeps its old name, whatever the workflow says."""
		return bool(self.row) and (self.is_reached or not self.template) and not self.new_name

	@property
	def name(self) -> str:
		"""Name of the stage after the move."""
		return self.row.stage_name if self.keeps_name else self.new_name or self.template.stage_name

	@property
	def old_date(self) -> date | None:
		"""Key date of the stage before the move."""
		return getdate(self.row.key_date) if self.row and self.row.key_date else None


@dataclass
class TaskMove:
	"""One open task that changes, or a new one.

	Attributes:
		task: row of the task; None for a new task.
		template: row of the workflow.
		stage: its stage after the move.
		changed: fields that change.
	"""

	task: frappe._dict | None
	template: object
	stage: StageMove
	changed: list[str]


@dataclass
class VersionDiff:
	"""Everything that moving a plan to the newest version of its workflow changes."""

	plan: plan_rows.Plan
	workflow: object
	stages: list[StageMove]
	removed_stages: list[frappe._dict]
	tasks: list[TaskMove] = field(default_factory=list)
	removed_tasks: list[frappe._dict] = field(default_factory=list)
	plan_changes: dict = field(default_factory=dict)
	open_tasks: list[frappe._dict] = field(default_factory=list)


def compute(plan: plan_rows.Plan) -> VersionDiff:
	"""Compare a plan with the present version of its workflow.

	Args:
		plan: the plan; locked if it is to be moved.

	Raises:
		frappe.ValidationError: the workflow is a draft with problems.
	"""
	workflow = frappe.get_doc("Milestone Workflow", plan.workflow)
	validation.check_usable(workflow)
	pairs = _pair(plan.stages, workflow.stages, "workflow_stage", lambda row: row.stage_name.casefold())
	kept_names = {row.name for row in pairs.values()}
	lost = [row for row in plan.stages if row.name not in kept_names]
	removed = [row for row in lost if row.status != StageStatus.REACHED]
	diff = VersionDiff(plan, workflow, _stages_in_order(plan, workflow, pairs), removed)
	diff.plan_changes = {
		name: workflow.get(name) for name in _differing(plan, workflow, plan_builder.PLAN_FIELDS)
	}
	_make_names_unique(diff)
	_leave_out_renamed_predecessors(diff)
	_set_dates(diff)
	_compare_tasks(diff)
	_find_fulfilled(diff)
	return diff


def _pair(
	old: Iterable, new: Iterable, link: str, key: Callable, by_key: Callable = lambda row: True
) -> dict:
	"""Return the old row for each new row, by name of the new row: paired by link, otherwise by key.

	Args:
		old: rows of the plan.
		new: rows of the workflow.
		link: field of an old row with the name of the new row from which it was made.
		key: function that returns the same value for rows that belong together.
		by_key: function that tells whether an old row may be paired by key.
	"""
	old = list(old)
	by_link = {row.get(link): row for row in old if row.get(link)}
	pairs = {row.name: by_link[row.name] for row in new if row.name in by_link}
	paired_names = {row.name for row in pairs.values()}
	free = {key(row): row for row in reversed(old) if row.name not in paired_names and by_key(row)}
	for row in new:
		if row.name not in pairs and key(row) in free:
			pairs[row.name] = free.pop(key(row))
	return pairs


def _stages_in_order(plan, workflow, pairs: dict) -> list[StageMove]:
	"""Return the stages in the workflow's order; a reached stage it no longer has stays after its old neighbour."""
	drafts = {row["workflow_stage"]: row for row in plan_builder.build(workflow, plan.reference_doc()).stages}
	moves = [_stage_move(row, pairs.get(row.name), drafts) for row in workflow.stages]
	kept_names = {row.name for row in pairs.values()}
	place = 0
	for row in plan.stages:
		if row.name in kept_names:
			place = next(i for i, move in enumerate(moves) if move.row and move.row.name == row.name) + 1
		elif row.status == StageStatus.REACHED:
			moves.insert(place, StageMove(row, None))
			place += 1
	return moves


def _stage_move(template, row, drafts: dict) -> StageMove:
	if not row:
		return StageMove(None, template, new_row=drafts[template.name])
	is_reached = row.status == StageStatus.REACHED
	return StageMove(
		row, template, changed=[] if is_reached else _differing(row, template, plan_builder.STAGE_FIELDS)
	)


def _differing(old, new, fieldnames: Iterable[str]) -> list[str]:
	"""Return the fields in which two rows differ; no value, 0 and an empty text are the same."""
	return [name for name in fieldnames if cstr(old.get(name) or "") != cstr(new.get(name) or "")]


def _make_names_unique(diff: VersionDiff) -> None:
	"""Rename reached stages whose name another stage has now: to the name in the workflow, or with a number."""
	while True:
		name_counts = Counter(move.name.casefold() for move in diff.stages)
		namesakes = [
			move for move in diff.stages if move.keeps_name and name_counts[move.name.casefold()] > 1
		]
		if not namesakes:
			return
		move = namesakes[0]
		numbered = (f"{move.name} ({number})" for number in count(2))
		free = next(name for name in numbered if name.casefold() not in name_counts)
		move.new_name = move.template.stage_name if move.template else free
		move.changed = ["stage_name"]


def _leave_out_renamed_predecessors(diff: VersionDiff) -> None:
	"""Take it for no change that a stage depends on the same stages under other names."""
	renamed = {
		names.key(move.row.stage_name): names.key(move.template.stage_name)
		for move in diff.stages
		if move.row and move.template
	}
	for move in diff.stages:
		if "predecessors" in move.changed:
			before = [names.key(name) for name in names.lines(move.row.predecessors)]
			now = [names.key(name) for name in names.lines(move.template.predecessors)]
			if [renamed.get(name, name) for name in before] == now:
				move.changed.remove("predecessors")


# Dates


def _set_dates(diff: VersionDiff) -> None:
	"""Set the key date of each stage after the move: dates stay unless the rule changed or the order requires it.

	A reached stage counts by the day on which it was reached, so what was pulled ahead after it stays there.
	"""
	doc, calendar = diff.plan.reference_doc(), plan_rows.calendar_of(diff.plan)
	rules = [stage_dates.stage_rule(move.template or move.row, doc) for move in diff.stages]
	created = getdate(diff.plan.created_from or doc.creation)
	fixed = [_fixed_date(move) for move in diff.stages]
	network = _network(diff)
	days = dates.plan_dates(rules, created, calendar, fixed, failed=[], network=network)
	days = [
		_own_date(move) or day or _date_while_waiting(move)
		for move, day in zip(diff.stages, days, strict=True)
	]
	reached = [move.is_reached for move in diff.stages]
	reached_on = dates.counting_days([_reached_on(move) for move in diff.stages], reached, network)
	days = dates.put_in_order(days, reached, reached_on, network)
	for move, fixed_date, day in zip(diff.stages, fixed, days, strict=True):
		move.key_date = _date_after_move(move, day)
		move.waits = _will_wait(move, fixed_date, doc, calendar)


def _date_after_move(move: StageMove, day: date | None) -> date | None:
	return move.old_date if move.row and move.is_reached else day


def _will_wait(move: StageMove, fixed_date: date | None, doc, calendar) -> bool | None:
	"""Tell whether an open stage waits after the move for the date that its document gives it; None for a reached one.

	Args:
		move: the stage, with its key date after the move.
		fixed_date: the date that it would keep if no earlier stage was in the way.
		doc: the document.
		calendar: working days of the document.
	"""
	if move.is_reached:
		return None
	if move.row and move.row.date_by_hand:
		return False
	return fixed_date != move.key_date and plan_builder.waits_for_document(
		move.template, move.key_date, doc, calendar
	)


def _network(diff: VersionDiff) -> Network:
	"""Return which stages come before which after the move, by the names that the workflow gives them."""
	return Network.of(
		[
			{
				"stage_name": move.template.stage_name if move.template else move.name,
				"dependency": (move.template or move.row).get("dependency"),
				"predecessors": (move.template or move.row).get("predecessors"),
			}
			for move in diff.stages
		]
	)


def _fixed_date(move: StageMove) -> date | None:
	"""Return the date that a stage keeps; None if its rule gives a new one."""
	if not move.row:
		return None
	if move.is_reached:
		return _reached_on(move) or move.old_date
	if _is_waiting(move):
		return None
	has_new_rule = DATE_RULE_FIELDS.intersection(move.changed) and not move.row.date_by_hand
	if has_new_rule and move.template.key_date_rule != KeyDateRule.SET_MANUALLY:
		return None
	return move.old_date


def _is_waiting(move: StageMove) -> bool:
	"""Tell whether an open stage waits for the date that its document gives it."""
	waits = bool(move.row) and not move.is_reached and bool(cint(move.row.document_date_moved))
	return waits and stage_dates.is_anchored(move.template)


def _date_while_waiting(move: StageMove) -> date | None:
	"""Return the date of a stage that waits although its document no longer gives a date."""
	return move.old_date if _is_waiting(move) else None


def _own_date(move: StageMove) -> date | None:
	"""Return the key date that a reached stage keeps; None for an open one, or one without a date."""
	return move.old_date if move.is_reached else None


def _reached_on(move: StageMove) -> date | None:
	"""Return the day on which a stage was reached; None if it is open or the day is not known."""
	day = (move.row or move.new_row).get("reached_on")
	return getdate(day) if day and move.is_reached else None


# Tasks


def _compare_tasks(diff: VersionDiff) -> None:
	stage_names = {row.name for row in diff.plan.stages}
	tasks = [task for task in plan_rows.task_rows(diff.plan.name) if task.plan_stage in stage_names]
	diff.open_tasks = [task for task in tasks if task.status == TaskStatus.OPEN]
	paired = _compare_paired_tasks(diff, tasks)
	diff.removed_tasks = [
		task for task in diff.open_tasks if task.name not in paired and _is_removed(diff, task)
	]


def _compare_paired_tasks(diff: VersionDiff, tasks: list) -> set[str]:
	"""Compare the tasks with those of the workflow; return the names of the tasks that the workflow still has."""
	pairs = _pair_tasks(diff, tasks)
	stages = {move.template.stage_name: move for move in diff.stages if move.template}
	for template in diff.workflow.tasks:
		if stages[template.stage].is_reached:
			# No task moves to a reached stage; its own stage decides whether it is removed.
			pairs.pop(template.name, None)
		else:
			_compare_task(diff, pairs.get(template.name), template, stages[template.stage])
	return {task.name for task in pairs.values()}


def _pair_tasks(diff: VersionDiff, tasks: list) -> dict:
	"""Return the task of the plan for each task of the workflow, by name of the workflow's row."""

	def key(row) -> tuple[str, str]:
		return cstr(row.get("stage_name") or row.get("stage")).casefold(), row.title.casefold()

	from_workflow = [task for task in tasks if task.workflow_task]
	return _pair(
		from_workflow,
		diff.workflow.tasks,
		"workflow_task",
		key,
		lambda task: task.status != TaskStatus.CANCELLED,
	)


def _compare_task(diff: VersionDiff, task, template, stage: StageMove) -> None:
	if not task:
		diff.tasks.append(TaskMove(None, template, stage, []))
		return
	changed_fields = _differing(task, template, plan_builder.TASK_FIELDS)
	if STAFFING_FIELDS.get(template.assignee_kind, frozenset()) & diff.plan_changes.keys():
		changed_fields.append("assignee_kind")
	if task.plan_stage != (stage.row and stage.row.name):
		changed_fields.append("stage")
	if changed_fields and task.status == TaskStatus.OPEN:
		diff.tasks.append(TaskMove(task, template, stage, changed_fields))


def _is_removed(diff: VersionDiff, task) -> bool:
	"""Tell whether an unpaired open task is removed: with its stage, or because the workflow no longer has it."""
	if task.plan_stage in {row.name for row in diff.removed_stages}:
		return True
	stage = next(move for move in diff.stages if move.row and move.row.name == task.plan_stage)
	if stage.is_reached:
		return False
	return bool(task.workflow_task) or stage.template.kind == StageKind.ACCEPTANCE


# Stages whose value the document has now


def _find_fulfilled(diff: VersionDiff) -> None:
	"""Find the stages whose changed rule fits the document as it is, and count the tasks that block them."""
	fulfilled = {}
	for move in diff.stages:
		if not move.row or move.is_reached or not REACH_FIELDS.intersection(move.changed):
			continue
		if watched.holds_value(move.template, diff.plan.reference_doc()):
			# As when a document changes: the first of several stages with the same value.
			fulfilled.setdefault(move.template.track_field, move)
	if not fulfilled:
		return
	required = _count_required(diff)
	for move in fulfilled.values():
		move.is_fulfilled = True
		if (move.template.gate_mode or GateMode.BLOCK) == GateMode.BLOCK:
			_set_obstacles(diff, move, required)


def _set_obstacles(diff: VersionDiff, move: StageMove, required: Counter) -> None:
	"""Set what will keep a fulfilled stage from being reached, by the rules of the gate."""
	blocking_stages = _blocking_stages(diff, move)
	move.blocked_by = sum(required[blocking.name] for blocking in blocking_stages)
	move.unmet = _count_unmet(diff, blocking_stages)
	if diff.workflow.reached_in_order:
		move.comes_after = [row.name for row in _earlier_open(diff, move)]


def _count_unmet(diff: VersionDiff, moves: list[StageMove]) -> int:
	"""Return how many required exit criteria of some stages the document does not meet after the move."""
	rows = [
		frappe._dict(
			stage_name=move.name,
			exit_criteria=(move.template or move.row).get("exit_criteria"),
			waived_criteria=move.row and move.row.waived_criteria,
		)
		for move in moves
	]
	verdict_lists = exit_criteria.judge(diff.plan.reference_type, diff.plan.reference_name, rows)
	return sum(len(criteria.blocking(verdicts)) for verdicts in verdict_lists)


def _blocking_stages(diff: VersionDiff, move: StageMove) -> list[StageMove]:
	"""Return the stages whose open required tasks and exit criteria will block a stage, by the rule of the gate."""
	if not diff.workflow.earlier_tasks_block:
		return [move]
	return [*_earlier_open(diff, move), move]


def _earlier_open(diff: VersionDiff, move: StageMove) -> list[StageMove]:
	earlier = [diff.stages[i] for i in _network(diff).before(diff.stages.index(move))]
	return [row for row in earlier if not row.is_reached and not row.becomes_reached]


def _count_required(diff: VersionDiff) -> Counter:
	"""Return the number of open required tasks of each stage after the move, by name of the stage."""
	required = Counter(move.stage.name for move in diff.tasks if not move.task and move.template.required)
	removed = {task.name for task in diff.removed_tasks}
	moves = {move.task.name: move for move in diff.tasks if move.task}
	stages = {move.row.name: move for move in diff.stages if move.row}
	for task in diff.open_tasks:
		if task.name not in removed:
			stage, is_required = _after_move(task, moves.get(task.name), stages)
			required[stage.name] += is_required
	return required


def _after_move(task, move: TaskMove | None, stages: dict[str, StageMove]) -> tuple[StageMove, bool]:
	"""Return the stage of an open task after the move, and whether it is required then."""
	if move:
		return move.stage, bool(move.template.required)
	return stages[task.plan_stage], bool(task.required)
