"""What moving a key date would change, shown before it is done; and writing the date to the document."""

import frappe
from frappe import _
from frappe.utils import cint, getdate

from milestone_automation.engine.base import clock
from milestone_automation.engine.progress import rescheduling
from milestone_automation.engine.rules.vocabulary import DateChangeSource
from milestone_automation.engine.store import plan_rows


def preview(
	plan: str,
	stage: str,
	new_date,
	answer: str | None = None,
	keep_anchored: bool = False,
	moves_all: bool = False,
) -> dict:
	"""Return what moving the key date of a stage would change; writes nothing.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: the new key date, as date or ISO text; None removes the date.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		keep_anchored: whether stages that are dated by a field of the document stay on that date.
		moves_all: as in `rescheduling.move`.

	Returns:
		dict: `stages` that move (`stage`, `stage_name`, `old`, `new`; `field` and `document_date` where the document gives
		another date), the moved one first; `stays`, stages that the document keeps; `tasks` that move (`task`, `title`,
		`old`, `new`); `date_field`, label of the document's field that dates the stage, where the user may write it.

	Raises:
		frappe.ValidationError: as `rescheduling.move`.
	"""
	loaded = plan_rows.load_by_name(plan)
	loaded.check_is_active()
	row = loaded.stage(stage)
	day = clock.parse_day(new_date) if new_date else None
	old_dates = rescheduling.key_dates(loaded)
	new_dates = rescheduling.planned_dates(
		loaded, row, day, DateChangeSource.FORM, answer, keep_anchored, moves_all
	)
	pairs = list(zip(loaded.stages, old_dates, new_dates, strict=True))
	moved = [pair for pair in pairs if pair[1] != pair[2]]
	kept = _kept_by_document(loaded, row)
	titles = {task.name: task.title for task in loaded.open_tasks()}
	return {
		"stages": sorted(
			(_stage(loaded, *pair) for pair in moved), key=lambda one: (one["stage"] != row.name, one["idx"])
		),
		"stays": [_stage(loaded, *pair) for pair in pairs if pair[1] == pair[2] and pair[0].name in kept],
		"tasks": [
			{"task": move.key, "title": titles[move.key], "old": move.old, "new": move.new}
			for move in rescheduling.task_moves(loaded, moved)
		],
		"date_field": _date_label(loaded, row) if may_write_date(loaded, row) else None,
	}


def _kept_by_document(plan, row) -> set[str]:
	"""Return the row names of the stages after one that are dated by a field of the document."""
	later = [plan.stages[i] for i in plan.network().all_after(plan.stages.index(row))]
	return {stage.name for stage in later if rescheduling.is_anchored(stage)}


def _stage(plan, row, old, new) -> dict:
	shown = {"stage": row.name, "stage_name": row.stage_name, "idx": row.idx, "old": old, "new": new}
	if rescheduling.is_anchored(row):
		document_date = rescheduling.document_date(plan, row)
		if document_date and document_date != new:
			shown |= {"field": _date_label(plan, row), "document_date": document_date}
	return shown


def _date_label(plan, row) -> str:
	return _(plan.reference_doc().meta.get_label(row.date_field) or row.date_field)


def may_write_date(plan, row) -> bool:
	"""Tell whether the session user may write the date field of the document that dates a stage."""
	doc = plan.reference_doc()
	field = rescheduling.is_anchored(row) and doc.meta.get_field(row.date_field)
	if not field or field.read_only or cint(doc.docstatus) == 2 or not doc.has_permission("write"):
		return False
	if cint(doc.docstatus) == 1 and not field.allow_on_submit:
		return False
	return field.permlevel in doc.get_permlevel_access("write")


def write_date(plan: str, stage: str) -> None:
	"""Write the key date of a stage to the date field of its document, as the session user.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.

	Raises:
		frappe.PermissionError: the user may not write the field, or the stage is not dated by one.
	"""
	loaded = plan_rows.load_by_name(plan)
	row = loaded.stage(stage)
	if not row.key_date or not may_write_date(loaded, row):
		frappe.throw(
			_("You may not write the date of {0} to the document.").format(row.stage_name),
			frappe.PermissionError,
		)
	calendar = plan_rows.calendar_of(loaded)
	day = calendar.add_days(getdate(row.key_date), -cint(row.offset_days), bool(row.working_days))
	doc = frappe.get_doc(loaded.reference_type, loaded.reference_name)
	doc.set(row.date_field, day)
	doc.save()
