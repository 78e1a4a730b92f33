from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneWorkflowTask(RowOfDocument):
	"""A task of a workflow. Saved with it only, so that it is checked and the version counts."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		after_tasks: DF.SmallText | None
		assignee_field: DF.Data | None
		assignee_kind: DF.Literal[
			"",
			"Whole Team",
			"All Supplier Contacts",
			"One Team Member",
			"Third-Party Collaborator",
			"Role",
			"User Field",
		]
		assignee_role: DF.Link | None
		assignee_user: DF.Link | None
		collaborator_email: DF.Data | None
		collaborator_name: DF.Data | None
		completion_rule: DF.Literal["Any Of", "All Of"]
		description: DF.SmallText | None
		due_days_before: DF.Int
		parent: DF.Data
		parentfield: DF.Data
		parenttype: DF.Data
		required: DF.Check
		stage: DF.Data
		title: DF.Data
		working_days: DF.Check
	# end: auto-generated types
