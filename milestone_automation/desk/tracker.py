"""The form of a tracker: its recorded milestones, and the backfill from versions."""

import frappe
from frappe import _
from frappe.utils import cint, format_datetime, get_fullname
from frappe.utils.formatters import format_value
from pypika.functions import Count

from milestone_automation.engine.base import jobs
from milestone_automation.engine.base.field_types import TIME_TYPES
from milestone_automation.engine.history import backfill
from milestone_automation.engine.people import readable, rights


def recorded(tracker: str, limit: int = 10) -> dict:
	"""Return the number of milestones that a tracker has recorded, and the last ones.

	Args:
		tracker: name of the Milestone Tracker.
		limit: number of milestones to return, at most 50.

	Returns:
		dict: `count`, `document_type`, and `last`, the latest first; only milestones that the user may read.

	Raises:
		frappe.PermissionError: the user may not read the tracker.
	"""
	doctype = rights.readable_document("Milestone Tracker", tracker).document_type
	filters = {"milestone_tracker": tracker}
	# Who may see a tracker does not see by it every document and field it records.
	last = frappe.get_list(
		"Milestone",
		filters=filters,
		fields=[
			"name",
			"reference_name",
			"track_field",
			"from_value",
			"value",
			"reached_on",
			"reached_by",
			"creation",
		],
		order_by="reached_on desc",
		limit=min(limit, 50),
	)
	meta = frappe.get_meta(doctype)
	for row in last:
		row.field_label = _(meta.get_label(row.track_field) or row.track_field)
		for value in ("from_value", "value"):
			row[value] = _shown(meta, row.track_field, row[value])
		row.reached_on = format_datetime(row.reached_on or row.creation)
		row.reached_by = get_fullname(row.reached_by) if row.reached_by else ""
	milestone = frappe.qb.DocType("Milestone")
	query = readable.rows("Milestone").where(milestone.milestone_tracker == tracker)
	((count,),) = query.select(Count("*")).run()
	return {"count": count, "document_type": doctype, "last": last}


def _shown(meta, fieldname: str, value: str | None) -> str:
	"""Return a recorded value, which is kept as text, as the form of its document would show it."""
	if not value:
		return ""
	if fieldname == "docstatus":
		return [_("Draft"), _("Submitted"), _("Cancelled")][cint(value)]
	field = meta.get_field(fieldname)
	if field and field.fieldtype == "Check":
		return _("Yes") if cint(value) else _("No")
	return (
		format_value(value, {"fieldtype": field.fieldtype})
		if field and field.fieldtype in TIME_TYPES
		else value
	)


def start_backfill(tracker: str) -> None:
	"""Queue a backfill of a tracker.

	Progress is published as realtime event `milestone_backfill`: {tracker, done, total}, at the end {tracker, summary}.

	Args:
		tracker: name of the Milestone Tracker.

	Raises:
		frappe.PermissionError: the user is not a System Manager, or may not write the tracker.
		QueueUnreachableError: the queue cannot be reached.
	"""
	frappe.only_for("System Manager")
	rights.readable_document("Milestone Tracker", tracker).check_permission("write")
	jobs.queue_once(
		f"{__name__}.run_backfill",
		f"milestone_backfill::{tracker}",
		queue="long",
		tracker=tracker,
		user=frappe.session.user,
	)


def run_backfill(tracker: str, user: str) -> None:
	"""Background job: backfill, and publish the progress to the user who started it.

	Args:
		tracker: name of the Milestone Tracker.
		user: who started it.

	Raises:
		Exception: what stopped it, once the user is told.
	"""

	def publish(**values):
		frappe.publish_realtime("milestone_backfill", {"tracker": tracker, **values}, user=user)

	try:
		summary = backfill.run(
			tracker,
			progress=lambda done, total: publish(done=done, total=total),
			commit=frappe.db.commit,
		)
	except Exception:
		frappe.db.rollback()
		publish(failed=True)
		raise
	publish(summary={"documents": summary.documents, "added": summary.added})
