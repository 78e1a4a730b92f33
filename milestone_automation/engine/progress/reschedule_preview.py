"""What moving a key date would change, shown before it is done; and writing the date to the document."""

import frappe
from frappe import _
from frappe.utils import cint, getdate

from milestone_automation.engine.base import clock, compat
from milestone_automation.engine.progress import moving_along, stage_dates
from milestone_automation.engine.rules.vocabulary import DateChangeSource
from milestone_automation.engine.store import plan_rows


def preview(
	plan: str,
	stage: str,
	new_date,
	answer: str | None = None,
	keep_anchored: bool = False,
	by_hand: bool = True,
	moves_all: bool = False,
	update_document: bool = False,
) -> dict:
	"""Return what moving the key date of a stage would change; writes nothing.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: the new key date, as date or ISO text; None removes the date.
		answer: "Shift Too" or "Keep Order", for a plan that asks.
		keep_anchored: whether stages that are dated by a field of the document stay on that date.
		by_hand: whether a user sets the date, which then no longer waits for the document's.
		moves_all: as in `rescheduling.move`.
		update_document: whether the date is written to the document too, where the user may: what else goes by that field
			moves then as well.

	Returns:
		dict: `stages` that move (`stage`, `stage_name`, `old`, `new`; `field` and `document_date` where the document gives
		another date), the moved one first; `stays`, stages that the document keeps; `tasks` that move (`task`, `title`,
		`old`, `new`); `date_field`, label of the document's field that dates the stage, where the user may write it.

	Raises:
		frappe.ValidationError: the plan is cancelled, or as `rescheduling.move`.
		frappe.DoesNotExistError: there is no such plan or stage.
	"""
	loaded = plan_rows.load_by_name(plan)
	loaded.check_is_active()
	row = loaded.stage(stage)
	day = clock.parse_day(new_date) if new_date else None
	old_dates = stage_dates.key_dates(loaded)
	new_dates = moving_along.planned_dates(
		loaded, row, day, DateChangeSource.FORM, answer, keep_anchored, moves_all
	)
	new_dates = moving_along.foreseen_dates(loaded, [row], new_dates, keep_anchored, by_hand)
	may_write = may_write_date(loaded, row)
	if update_document and may_write:
		new_dates = _after_writing(loaded, row, new_dates)
	changes = consequences(loaded, [row], old_dates, new_dates)
	return changes | {"date_field": stage_dates.date_label(loaded, row) if may_write else None}


def _after_writing(plan, row, new_dates: list) -> list:
	"""Return the key dates after that of a stage is written to the plan's document, which is changed in memory only."""
	key_date, doc = new_dates[plan.stages.index(row)], plan.reference_doc()
	day = key_date and _day_to_write(plan, row, key_date)
	if not day or day == (doc.get(row.date_field) and getdate(doc.get(row.date_field))):
		return new_dates
	doc.set(row.date_field, day)
	return moving_along.dates_after_document(plan, row.date_field, new_dates)


def consequences(plan, moving: list, old_dates: list, new_dates: list) -> dict:
	"""Return what a move changes, as `preview` does, without `date_field`.

	Args:
		plan: the plan.
		moving: the stages that are moved on purpose, in order; they come first.
		old_dates, new_dates: key dates of all stages before and after.
	"""
	names = {row.name for row in moving}
	pairs = list(zip(plan.stages, old_dates, new_dates, strict=True))
	moved_pairs = [pair for pair in pairs if pair[1] != pair[2]]
	anchored_names = _kept_by_document(plan, moving)
	titles = {task.name: task.title for task in plan.open_tasks()}
	return {
		"stages": sorted(
			(_stage(plan, *pair) for pair in moved_pairs),
			key=lambda one: (one["stage"] not in names, one["idx"]),
		),
		"stays": [
			_stage(plan, *pair) for pair in pairs if pair[1] == pair[2] and pair[0].name in anchored_names
		],
		"tasks": [
			{"task": move.key, "title": titles[move.key], "old": move.old, "new": move.new}
			for move in moving_along.task_moves(plan, moved_pairs)
		],
	}


def _kept_by_document(plan, moving: list) -> set[str]:
	"""Return the row names of the stages after some that are dated by a field of the document."""
	network = plan.network()
	later = {i for row in moving for i in network.all_after(plan.stages.index(row))}
	return {plan.stages[i].name for i in later if stage_dates.is_anchored(plan.stages[i])}


def _stage(plan, row, old, new) -> dict:
	values = {"stage": row.name, "stage_name": row.stage_name, "idx": row.idx, "old": old, "new": new}
	if stage_dates.is_anchored(row):
		document_date = stage_dates.document_date(plan, row)
		if document_date and document_date != new:
			values |= {"field": stage_dates.date_label(plan, row), "document_date": document_date}
	return values


def may_write_date(plan, row) -> bool:
	"""Tell whether the session user may write the date field of the document that dates a stage.

	Args:
		plan: the plan, whose document is asked as it is loaded.
		row: row of the stage; False for one that no date field dates.
	"""
	doc = plan.reference_doc()
	field = stage_dates.is_anchored(row) and doc.meta.get_field(row.date_field)
	if not field or field.read_only or cint(doc.docstatus) == 2 or not compat.may(doc.doctype, "write", doc):
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
		frappe.PermissionError: the user may not write the field, the stage is not dated by one, or it has no key date.
		frappe.DoesNotExistError: there is no such plan or stage.
		frappe.ValidationError: the save was refused.
	"""
	loaded = plan_rows.load_by_name(plan)
	row = loaded.stage(stage)
	if not row.key_date or not may_write_date(loaded, row):
		frappe.throw(
			_("You may not write the date of {0} to the document.").format(row.stage_name),
			frappe.PermissionError,
		)
	doc = frappe.get_doc(loaded.reference_type, loaded.reference_name)
	doc.set(row.date_field, _day_to_write(loaded, row, getdate(row.key_date)))
	doc.save()


def _day_to_write(plan, row, key_date):
	"""Return the day that the document's date field has to have for a stage to be on its key date."""
	return plan_rows.calendar_of(plan).add_days(key_date, -cint(row.offset_days), bool(row.working_days))
