"""What a tracker's form shows and starts: recorded milestones, history from versions."""

import frappe
from frappe import _
from frappe.utils import (
	cint,
	format_datetime,
	get_fullname,
)

from milestone_automation.engine.history import backfill


def recorded(tracker: str, limit: int = 10) -> dict:
	"""Return how many milestones a tracker has recorded, and the last ones.

	Args:
		tracker: name of the Milestone Tracker.
		limit: how many of the last ones, at most 50.

	Raises:
		frappe.PermissionError: the user may not read the tracker.
	"""
	found = frappe.get_doc("Milestone Tracker", tracker)
	found.check_permission("read")
	doctype = found.document_type
	filters = {"milestone_tracker": tracker}
	last = frappe.get_all(
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
		limit=min(cint(limit), 50),
	)
	meta = frappe.get_meta(doctype)
	for row in last:
		row.field_label = _(meta.get_label(row.track_field) or row.track_field)
		row.reached_on = format_datetime(row.reached_on or row.creation)
		row.reached_by = get_fullname(row.reached_by) if row.reached_by else ""
	return {"count": frappe.db.count("Milestone", filters), "document_type": doctype, "last": last}


def start_backfill(tracker: str) -> None:
	"""Make milestones from the history of a tracker's documents, in the background.

	Progress comes as the realtime event `milestone_backfill`: {tracker, done, total}, at the end {tracker, summary}.

	Raises:
		frappe.PermissionError: for anybody but a System Manager.
	"""
	frappe.only_for("System Manager")
	frappe.get_doc("Milestone Tracker", tracker).check_permission("write")
	frappe.enqueue(
		run_backfill,
		queue="long",
		job_id=f"milestone_backfill::{tracker}",
		deduplicate=True,
		tracker=tracker,
		user=frappe.session.user,
	)


def run_backfill(tracker: str, user: str) -> None:
	"""Background job: backfill, and tell the user who asked how far it is."""

	def tell(**values):
		frappe.publish_realtime("milestone_backfill", {"tracker": tracker, **values}, user=user)

	try:
		summary = backfill.run(
			tracker,
			progress=lambda done, total: tell(done=done, total=total),
			commit=frappe.db.commit,
		)
	except Exception:
		frappe.db.rollback()
		tell(failed=True)
		raise
	tell(summary={"documents": summary.documents, "added": summary.added})
