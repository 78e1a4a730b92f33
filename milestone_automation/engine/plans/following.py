"""What a changed document means for its plan: stages reached and gone back from, moved dates, other people."""

import json

from frappe import _
from frappe.utils import cint, getdate, nowdate

from milestone_automation.engine.people import assignees
from milestone_automation.engine.plans import ending
from milestone_automation.engine.progress import gate, rescheduling, stages, task_people
from milestone_automation.engine.rules.vocabulary import (
	KeyDateRule,
	OwnerKind,
	ReachRule,
	StageStatus,
)
from milestone_automation.engine.store import plan_rows, watched
from milestone_automation.engine.store.changing import changing


def follow(plan: plan_rows.Plan, doc, changed: dict[str, tuple[str, str]]) -> None:
	"""Bring a plan in step with its document.

	Args:
		plan: locked, as the document was last acted on.
		doc: the document with its new values.
		changed: (old, new) text of each watched field that changed.

	Raises:
		GateError: a value was set on the way that the gate refuses.
	"""
	with changing(plan, count_tasks=False) as plan:
		plan._reference_doc = doc
		if "docstatus" in changed and cint(doc.docstatus) == 2:
			_note_values(plan, {"docstatus": ending.CANCELLED_DOCUMENT})
			ending.cancel(plan, _("The document was cancelled."))
			return
		_follow_stages(plan, doc, changed)
		_follow_people(plan, doc, changed)
		_note_dates_not_followed(plan, changed)
		_note_values(plan, {name: new for name, (_old, new) in changed.items()})
		_follow_dates(plan, changed)


def _follow_stages(plan, doc, changed) -> None:
	to_reach = gate.stages_to_reach(plan, doc, changed)
	gone_back = _gone_back_from(plan, changed, to_reach)
	for stage in to_reach:
		gate.check_stage(plan, stage, doc)
		_reach(plan, stage, doc, changed)
	for stage in gone_back:
		_undo(plan, stage, doc)


def _note_values(plan, values: dict[str, str]) -> None:
	plan.set_plan(snapshot=json.dumps({**json.loads(plan.snapshot or "{}"), **values}))


def _reach(plan, stage, doc, changed) -> None:
	recorded = doc.flags.get("milestones_recorded") or {}
	# By row name of the stage: who answers a prompt says which day it was.
	answered = doc.flags.get("milestone_reached_on") or {}
	stages.mark_reached(
		plan,
		stage,
		reached_on=answered.get(stage.name) or getdate(nowdate()),
		milestone=recorded.get(stage.track_field),
		value_before=changed[stage.track_field][0],
	)


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
	for stage in plan.stages:
		names_owner = stage.owner_kind == OwnerKind.USER_FIELD and stage.owner_field in changed
		if names_owner or (stage.owner_kind == OwnerKind.DOCUMENT_CREATOR and "owner" in changed):
			plan.set_stage(stage, stage_owner=assignees.resolve_stage_owner(stage, doc))
	supplier = plan.supplier_field or "supplier"
	moved = {"owner", supplier, *_assignee_fields(plan)} & set(changed) - {"owner"}
	if moved:
		task_people.reassign(plan, doc, moved, supplier)


def _assignee_fields(plan) -> set[str]:
	"""Return watched fields that are neither of a stage nor standard: those that name a task's assignee."""
	fieldnames = set(json.loads(plan.snapshot or "{}"))
	of_stages = {f for stage in plan.stages for f in (stage.track_field, stage.date_field)}
	return fieldnames - of_stages - set(watched.STANDARD_COLUMNS)


def _follow_dates(plan, changed) -> None:
	"""Move the key dates that follow a date field of the document, in order of stages."""
	stages = [row for row in plan.stages if _follows(row, changed) and row.status != StageStatus.REACHED]
	if stages:
		rescheduling.follow_document(plan, stages)


def _note_dates_not_followed(plan, changed) -> None:
	for stage in plan.stages:
		if _follows(stage, changed) and stage.status == StageStatus.REACHED:
			plan.set_stage(stage, document_date_moved=1)


def _follows(stage, changed) -> bool:
	return stage.key_date_rule == KeyDateRule.DOCUMENT_DATE_FIELD and stage.date_field in changed
