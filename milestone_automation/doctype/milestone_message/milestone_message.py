from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.store import old_rows


class MilestoneMessage(TypedDocument):
	"""A message of a plan: who got it, why, and what became of it. Written by the sweep."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		channel: DF.Literal["Mail", "Notification", "Mail and Notification", "Digest"]
		email_queue: DF.Data | None
		for_date: DF.Date | None
		kind: DF.Literal[
			"Prompt",
			"Reminder",
			"Blocked",
			"Blocked (Owner)",
			"Task Due",
			"Task Overdue",
			"Escalation",
			"No Next Date",
			"Warning",
			"Check-In",
			"Notice",
			"Digest",
		]
		mail_key: DF.Data | None
		message: DF.TextEditor | None
		message_key: DF.Data | None
		plan: DF.Link | None
		plan_stage: DF.Data | None
		recipient: DF.Data | None
		reference_name: DF.DynamicLink | None
		reference_type: DF.Link | None
		sent_on: DF.Datetime | None
		stage_name: DF.Data | None
		status: DF.Literal["Queued", "Waiting for Digest", "Sent", "Skipped", "Failed"]
		subject: DF.Data | None
		task: DF.Link | None
		why: DF.SmallText | None
	# end: auto-generated types

	@staticmethod
	def clear_old_logs(days: int = 365) -> None:
		"""Log Settings: delete messages of plans that are over, but for those that still have to be sent.

		Args:
			days: age in days from which a row is deleted.
		"""
		old_rows.clear("Milestone Message", days)


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Message")
