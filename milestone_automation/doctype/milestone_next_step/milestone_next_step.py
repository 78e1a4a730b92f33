from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.store import old_rows


class MilestoneNextStep(TypedDocument):
	"""A next step of a reached milestone: outbox and run log. Written by the engine only."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		action: DF.Data | None
		arguments: DF.Code | None
		attempts: DF.Int
		author: DF.Data | None
		depth: DF.Int
		error: DF.SmallText | None
		event: DF.Literal["Reached", "Reached Late", "Blocked", "Overdue", "Plan Completed", "Undone"]
		finished_on: DF.Datetime | None
		next_attempt: DF.Datetime | None
		occasion: DF.Data | None
		occasion_key: DF.Data | None
		plan: DF.Link
		plan_stage: DF.Data | None
		reference_name: DF.DynamicLink | None
		reference_type: DF.Link | None
		stage_name: DF.Data | None
		started_on: DF.Datetime | None
		status: DF.Literal["Pending", "Running", "Done", "Failed", "Skipped"]
		step: DF.Int
		step_key: DF.Data | None
	# end: auto-generated types

	@staticmethod
	def clear_old_logs(days: int = 180) -> None:
		"""Log Settings: delete next steps of plans that are over, but for those that still have to run.

		Args:
			days: age in days from which a row is deleted.
		"""
		old_rows.clear("Milestone Next Step", days)


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Next Step")
