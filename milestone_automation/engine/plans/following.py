"""What a changed document means for its plan: stages reached and gone back from, moved dates, other people."""

import json
from collections.abc import Iterable

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime, nowdate

from milestone_automation.engine.base import guard, save_state, stored_rows
from milestone_automation.engine.history import reconcile
from milestone_automation.engine.people import assignees
from milestone_automation.engine.plans import ending
from milestone_automation.engine.progress import automatic_dates, gate, refusals, stages, task_people
from milestone_automation.engine.rules.vocabulary import (
	KeyDateRule,
	OwnerKind,
	PlanEvent,
	PlanStatus,
	ReachRule,
	StageStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, sweep_requests, watched
from milestone_automation.engine.store.changing import changing
from milestone_automation.engine.tracking import milestones
from milestone_automation.engine.tracking.registry import STANDARD_WATCHED, TrackedField, field_type


def follow(
	plan: plan_rows.Plan,
	doc,
	changed: dict[str, tuple[str, str]],
	written: Iterable[str] = (),
	is_end: bool = False,
) -> None:
	"""Bring a plan in step with its document.

	A stage is reached at once. What a value goes back from is judged when the transaction ends: it may only be passing,
	as where a document is reopened by way of *Draft*. Until then the plan does not take note of that field.

	Args:
		plan: locked, as the document was last acted on.
		doc: the document as it is stored.
		changed: (old, new) text of each watched field that changed.
		written: those of the fields that the write under way has changed: only for them the gate is asked. What got
			past it otherwise is reached, and the plan's log says how.
		is_end: the transaction ends; what has changed stays.

	Raises:
		GateError: a value was set on the way that the gate refuses.
	"""
	with changing(plan, count_tasks=False) as plan:
		plan._reference_doc = doc
		if "docstatus" in changed and cint(doc.docstatus) == 2:
			_note_values(plan, {"docstatus": ending.CANCELLED_DOCUMENT})
			ending.cancel(plan, _("The document was cancelled."))
			return
		waiting = _follow_stages(plan, doc, changed, written, is_end)
		_follow_people(plan, doc, changed)
		_note_dates_not_followed(plan, changed)
		_note_values(plan, {name: new for name, (_old, new) in changed.items() if name not in waiting})
		_follow_dates(plan, changed)
		plan.set_plan(gate_failed_on=None)


def settle(doctype: str, name: str) -> None:
	"""Bring a plan in step with its document as it is stored when the transaction ends, or whenever somebody looks.

	Args:
		doctype, name: of the document; where it is gone its plan ends, where it has none nothing happens.

	Raises:
		ConflictError: somebody else is changing the document or the plan.
		GateError: a value was set on the way that the gate refuses.
	"""
	# The document comes first, as where it is saved: two who lock in one order do not wait for each other.
	doc = stored_rows.locked_document(doctype, name)
	plan = plan_rows.load(doctype, name, lock=True)
	if not plan or plan.status == PlanStatus.CANCELLED:
		return
	if not doc or not watched.is_of(plan, doc.creation):
		milestones.mark_deleted(doctype, name, before=_taken_again_on(doctype, name))
		ending.end_without_document(plan)
		return
	changed = watched.changed_values(plan, doc)
	if changed:
		follow(plan, doc, changed, is_end=True)


def _taken_again_on(doctype: str, name: str):
	"""Return when another document got the name of a deleted one; None if none did."""
	if not frappe.db.exists("DocType", doctype, cache=True):
		return None
	return frappe.db.get_value(doctype, name, "creation")


def _follow_stages(plan, doc, changed, written, is_end: bool) -> set[str]:
	"""Follow the values; return the fields that wait for the end of the transaction."""
	to_reach = gate.stages_to_reach(plan, changed)
	gone_back = _gone_back_from(plan, changed, to_reach)
	got_past = {}
	for stage in to_reach:
		obstacles = _got_past_gate(plan, stage, to_reach, stage.track_field in written)
		if obstacles:
			got_past[stage.name] = stage, obstacles
	for stage in to_reach:
		_reach(plan, stage, changed)
	for stage, obstacles in got_past.values():
		_note_got_past(plan, stage, obstacles)
	if is_end:
		for stage in gone_back:
			_undo(plan, stage, doc)
		return set()
	if gone_back:
		_settle_at_end(plan.reference_type, plan.reference_name)
	return {stage.track_field for stage in gone_back}


def _settle_at_end(doctype: str, name: str) -> None:
	what = f"Milestone plan of {doctype} {name}"
	save_state.before_commit(("settle", doctype, name), guard.run_guarded, what, settle, doctype, name)


def settle_renamed(doctype: str, old, new) -> None:
	"""Judge a document that was renamed in the same transaction by its new name when that ends.

	Args:
		doctype: of the document; nothing happens where nothing of it was to be judged.
		old, new: its names.
	"""
	if save_state.withdraw(("settle", doctype, str(old))):
		_settle_at_end(doctype, str(new))


def _got_past_gate(plan, stage, to_reach, is_written: bool) -> gate.Obstacles | None:
	"""Ask the gate; return what a stage that is reached got past, None if it passed.

	Raises:
		GateError: the write under way would reach a stage that the gate blocks.
	"""
	obstacles = gate.in_the_way(plan, stage, to_reach)
	if not obstacles:
		return None
	if gate.only_warns(stage):
		gate.warn(plan, stage, obstacles)
		return None
	if is_written:
		refusals.refuse(plan, stage, obstacles)
	return obstacles


def _note_got_past(plan, stage, obstacles: gate.Obstacles) -> None:
	"""Note on a stage, and tell the managers of the workflow, that its value got past the gate."""
	if obstacles.tasks:
		plan.set_stage(stage, reached_without_tasks_on=now_datetime())
		titles = gate.task_titles(obstacles.tasks)
		_alert(plan, PlanEvent.REACHED_WITHOUT_TASKS, stage, titles)
	if obstacles.criteria:
		texts = gate.criteria_texts(plan.reference_type, obstacles.criteria)
		_alert(plan, PlanEvent.REACHED_WITHOUT_CRITERIA, stage, texts)
	if obstacles.earlier:
		_alert(plan, PlanEvent.REACHED_OUT_OF_ORDER, stage, gate.stage_names(obstacles.earlier))


def _alert(plan, event: PlanEvent, stage, details: str) -> None:
	sweep_requests.alert(plan_log.write(plan, event, stage=stage, details=details))


def _note_values(plan, values: dict[str, str]) -> None:
	plan.set_plan(snapshot=json.dumps({**json.loads(plan.snapshot or "{}"), **values}))


def _reach(plan, stage, changed) -> None:
	# Who answers a prompt says which day it was.
	day = save_state.transaction().days_given.pop(stage.name, None)
	stages.mark_reached(
		plan,
		stage,
		reached_on=day or getdate(nowdate()),
		milestone=_milestone_of(plan, stage.track_field, changed[stage.track_field][1]),
		value_before=changed[stage.track_field][0],
	)


def _milestone_of(plan, fieldname: str, value: str) -> str | None:
	reference = (plan.reference_type, plan.reference_name)
	field = TrackedField(fieldname, field_type(plan.reference_type, fieldname))
	recorded = milestones.of_present_value(*reference, field, value)
	if recorded is None:
		# Written without events since somebody looked: what reaches a stage is on record first.
		reconcile.run_for(plan.reference_type, [plan.reference_name])
		recorded = milestones.of_present_value(*reference, field, value, lock=True)
	return recorded


def _gone_back_from(plan, changed, to_reach) -> list:
	"""Return the reached stages a value went back from: to an earlier stage's value, or to the one before it."""
	reaching = {stage.track_field: stage for stage in to_reach}
	return [
		stage
		for stage in plan.stages
		if stage.status == StageStatus.REACHED
		and stage.reach_rule == ReachRule.FIELD_VALUE
		and stage.track_field in changed
		and _went_back(plan, stage, changed[stage.track_field][1], reaching.get(stage.track_field))
	]


def _went_back(plan, stage, new: str, reaching) -> bool:
	if new == (stage.track_value or "").strip() or (reaching and reaching.idx > stage.idx):
		return False
	earlier = {
		(row.track_value or "").strip()
		for row in plan.stages
		if row.idx < stage.idx
		and row.track_field == stage.track_field
		and row.reach_rule == ReachRule.FIELD_VALUE
	}
	return new in earlier | _values_before(plan, stage)


def _values_before(plan, stage) -> set[str]:
	"""Return what the document had before this stage, or a reached one before it, was reached."""
	return {
		row.value_before
		for row in plan.stages
		if row.idx <= stage.idx and row.track_field == stage.track_field and row.value_before is not None
	}


def _undo(plan, stage, doc) -> None:
	label = doc.meta.get_label(stage.track_field) or stage.track_field
	reason = _("{0} changed back to {1}.").format(_(label), doc.get(stage.track_field) or "''")
	stages.mark_open(plan, stage, reason)


def _follow_people(plan, doc, changed) -> None:
	supplier = plan.supplier_field or "supplier"
	concerned = [stage for stage in plan.stages if _owner_is_named_in(stage, supplier) in changed]
	people = assignees.prefetch([], doc, plan, stages=concerned) if concerned else None
	for stage in concerned:
		plan.set_stage(stage, **assignees.resolve_stage_owner(stage, doc, plan, cache=people))
	moved_fields = {"owner", supplier, *_assignee_fields(plan)} & set(changed) - {"owner"}
	if moved_fields:
		task_people.reassign(plan, doc, moved_fields, supplier)


def _owner_is_named_in(stage, supplier_field: str) -> str | None:
	"""Return the field of the document that names the owner of a stage; None where none does."""
	return {
		OwnerKind.USER_FIELD: stage.owner_field,
		OwnerKind.DOCUMENT_CREATOR: "owner",
		OwnerKind.SUPPLIER_CONTACT: supplier_field,
	}.get(stage.owner_kind)


def _assignee_fields(plan) -> set[str]:
	"""Return watched fields that are neither of a stage nor standard: those that name a task's assignee."""
	fieldnames = set(json.loads(plan.snapshot or "{}"))
	of_stages = {f for stage in plan.stages for f in (stage.track_field, stage.date_field)}
	return fieldnames - of_stages - set(STANDARD_WATCHED)


def _follow_dates(plan, changed) -> None:
	"""Move the key dates that follow a date field of the document, in order of stages."""
	stages = [row for row in plan.stages if _follows(row, changed) and row.status != StageStatus.REACHED]
	if stages:
		automatic_dates.follow_document(plan, stages)


def _note_dates_not_followed(plan, changed) -> None:
	for stage in plan.stages:
		if _follows(stage, changed) and stage.status == StageStatus.REACHED:
			plan.set_stage(stage, document_date_moved=1)


def _follows(stage, changed) -> bool:
	return stage.key_date_rule == KeyDateRule.DOCUMENT_DATE_FIELD and stage.date_field in changed
