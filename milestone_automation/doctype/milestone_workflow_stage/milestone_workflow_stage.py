from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestoneWorkflowStage(RowOfDocument):
	"""A stage of a workflow. Saved with it only, so that it is checked and the version counts."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		check_in_days: DF.Int
		custom_message: DF.Code | None
		custom_message_by: DF.Link | None
		date_field: DF.Data | None
		dependency: DF.Literal["Previous Milestone", "Chosen Milestones", "Nothing"]
		exit_criteria: DF.Code | None
		gate_mode: DF.Literal["Block", "Warn", "Off"]
		key_date_rule: DF.Literal[
			"Document Date Field", "After Previous Milestone", "After Creation", "Set Manually"
		]
		kind: DF.Literal["Standard", "Acceptance"]
		next_actions: DF.Code | None
		next_actions_by: DF.Link | None
		notify_role: DF.Link | None
		notify_users: DF.SmallText | None
		offset_days: DF.Int
		owner_email: DF.Data | None
		owner_field: DF.Data | None
		owner_kind: DF.Literal[
			"Document Creator", "User", "Role", "User Field", "Supplier Contact", "Third-Party Collaborator"
		]
		owner_name: DF.Data | None
		owner_role: DF.Link | None
		owner_user: DF.Link | None
		parent: DF.Data
		parentfield: DF.Data
		parenttype: DF.Data
		predecessors: DF.SmallText | None
		reach_rule: DF.Literal["Field Value", "Confirmation"]
		remind_after_days: DF.Int
		remind_at_most: DF.Int
		remind_every_days: DF.Int
		stage_name: DF.Data
		task_lead_days: DF.Int
		track_field: DF.Data | None
		track_value: DF.Data | None
		warning_lead_days: DF.Int
		working_days: DF.Check
	# end: auto-generated types
