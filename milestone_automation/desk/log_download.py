"""The event log of a tracked field as a download: small ones at once, large ones by a background job."""

import io
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import frappe
from frappe import _
from frappe.permissions import can_export
from frappe.utils import escape_html

from milestone_automation.desk.report_filters import ReportFilters
from milestone_automation.engine.base import jobs
from milestone_automation.engine.people import rights
from milestone_automation.engine.review import log_export
from milestone_automation.engine.review.log_export import ExportOptions

# More events than these are exported by a background job; they are about 5 MB of XES.
DIRECT_EVENTS = 10_000


def export_log(
	doctype: str, track_field: str, log_format: str, from_date: date | None, to_date: date | None
) -> dict:
	"""Export the milestones of a field, of the documents that the user may read.

	Args:
		doctype: DocType of the documents; the user needs the right to export it.
		track_field: the tracked field.
		log_format: "xes" or "csv".
		from_date, to_date: first and last date of the milestones; None for no limit.

	Returns:
		dict: events (how many); either `content` and `file_name`, or `in_background`: a job writes a private file and
		notifies the user.

	Raises:
		frappe.PermissionError: the user is not a manager, or may not read or export the documents.
		frappe.ValidationError: there is nothing to export.
	"""
	request = {
		"document_type": doctype,
		"track_field": track_field,
		"log_format": log_format,
		"from_date": from_date,
		"to_date": to_date,
	}
	options = _permitted(request)
	events = log_export.count(options)
	if events > DIRECT_EVENTS:
		_enqueue(request)
		return {"events": events, "in_background": True}
	file = io.StringIO()
	summary = log_export.write(file, options)
	return {"events": summary.events, "content": file.getvalue(), "file_name": _file_name(options)}


def _permitted(request: dict) -> ExportOptions:
	"""Return the options of a request that the session user may make."""
	rights.check_manager()
	rights.check_reads_doctype(request["document_type"])
	report_filters = ReportFilters(request)
	scope = report_filters.scope()
	can_export(scope.reference_type, raise_exception=True)
	log_format = report_filters.choice("log_format", log_export.WRITERS, "xes")
	return ExportOptions(scope.reference_type, scope.track_field, log_format, scope.start, scope.end)


def _file_name(options: ExportOptions) -> str:
	return f"{frappe.scrub(options.doctype)}-{options.track_field}.{options.log_format}"


# ---------------------------------------------------------------------------------------------------- job


def _enqueue(request: dict) -> None:
	parts = ("milestone_export_log", frappe.session.user, *(str(value) for value in request.values()))
	jobs.queue_once(f"{__name__}.export_in_background", "::".join(parts), queue="long", request=request)


def export_in_background(request: dict) -> None:
	"""Background job: write a log into a private file of the session user, who is notified.

	Args:
		request: as `export_log` has checked it; checked again, as rights may have changed.
	"""
	frappe.db.savepoint("milestone_export")
	try:
		options = _permitted(request)
		file = _private_file(options)
	except Exception as error:
		frappe.db.rollback(save_point="milestone_export")
		if not isinstance(error, frappe.ValidationError):
			frappe.log_error("Milestone event log could not be exported")
		_notify(_("The event log could not be exported: {0}").format(escape_html(str(error))))
		return
	_notify(_("The event log {0} is ready.").format(escape_html(file.file_name)), file)


def _private_file(options: ExportOptions):
	with tempfile.TemporaryDirectory(prefix="milestone-export-") as folder:
		path = Path(folder) / f"{_file_name(options)}.gz"
		# On a site with a replica the milestones are read there, the file is stored in the primary database.
		frappe.read_only()(log_export.to_file)(path, options, _progress())
		file = frappe.new_doc("File")
		file.update({"file_name": path.name, "is_private": 1, "content": path.read_bytes()})
	return file.insert(ignore_permissions=True)  # the user's own export, of what the user may read


def _progress() -> Callable[[int, int], None]:
	shown_percent = -1

	def show(done: int, total: int) -> None:
		nonlocal shown_percent
		percent = 100 * done // max(total, 1)
		if percent != shown_percent:
			shown_percent = percent
			frappe.publish_progress(percent, title=_("Exporting the event log"))

	return show


def _notify(subject: str, file=None) -> None:
	log = frappe.new_doc("Notification Log")
	log.update({"type": "Alert", "for_user": frappe.session.user, "subject": subject})
	if file:
		log.update({"document_type": "File", "document_name": file.name, "link": file.file_url})
	log.insert(ignore_permissions=True)  # Frappe writes notifications so for every user
