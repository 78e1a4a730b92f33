from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.typed_document import TypedDocument


class MilestonePlanLog(TypedDocument):
	"""An event of a plan, besides date changes and milestones. Written by the engine and never changed."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		details: DF.SmallText | None
		done_by: DF.Data | None
		done_on: DF.Datetime | None
		event: DF.Literal[
			"Plan Started",
			"Plan Cancelled",
			"Cancellation Undone",
			"Plan Completed",
			"Plan Put on Hold",
			"Plan Resumed",
			"Plan Moved to New Version",
			"Date Not Followed",
			"Date Proposed",
			"Date Accepted",
			"Date Declined",
			"Confirmed on Track",
			"Milestone Reached",
			"Milestone Undone",
			"Reached with Warning",
			"Reached Without Required Tasks",
			"Reached Without Exit Criteria",
			"Reached Out of Order",
			"Accepted as Reached",
			"Gate Check Failed",
			"Task Completed",
			"Task Reopened",
			"Task Waived",
			"Task Cancelled",
			"Task Added",
			"Task Made Required",
			"Task Made Optional",
			"Task Deleted",
			"Task Handed Over",
			"Milestone Handed Over",
			"Exit Criterion Waived",
			"Exit Criterion Waiver Undone",
			"Next Step",
			"Next Step Stopped",
		]
		plan: DF.Link
		plan_stage: DF.Data | None
		reason: DF.SmallText | None
		reference_name: DF.DynamicLink | None
		reference_type: DF.Link | None
		stage_name: DF.Data | None
		task: DF.Link | None
		told_on: DF.Datetime | None
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Plan Log")
