from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.typed_document import TypedDocument


class MilestoneDateChange(TypedDocument):
	"""A slip: one change of a stage's key date. Written by the engine, changed by nobody."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		answer: DF.SmallText | None
		answered_by: DF.Data | None
		answered_on: DF.Datetime | None
		changed_by: DF.Data | None
		changed_on: DF.Datetime | None
		new_date: DF.Date | None
		old_date: DF.Date | None
		plan: DF.Link
		plan_stage: DF.Data | None
		proposed_by: DF.Data | None
		proposed_date: DF.Date | None
		proposed_on: DF.Datetime | None
		reason: DF.SmallText | None
		reference_name: DF.DynamicLink | None
		reference_type: DF.Link | None
		source: DF.Literal[
			"Prompt",
			"Form",
			"Document Field",
			"Import",
			"Previous Milestone",
			"Workflow Version",
			"On Hold",
			"Proposal",
		]
		stage_name: DF.Data | None
		status: DF.Literal["Accepted", "Proposed", "Declined"]
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Date Change")
