from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestonePlanStage(RowOfDocument):
	"""A stage of a plan. The engine changes it; users can change its key date in the plan's form."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		asked_round: DF.Int
		awaits_decision: DF.Check
		chance: DF.Percent
		chance_for: DF.Date | None
		check_in_days: DF.Int
		check_in_sent_on: DF.Date | None
		confirmed_by_outside: DF.Data | None
		custom_message: DF.Code | None
		custom_message_by: DF.Link | None
		date_asked_on: DF.Date | None
		date_by_hand: DF.Check
		date_field: DF.Data | None
		dependency: DF.Literal["Previous Milestone", "Chosen Milestones", "Nothing"]
		document_date_moved: DF.Check
		escalated_on: DF.Date | None
		exit_criteria: DF.Code | None
		forecast_date: DF.Date | None
		forecast_p80: DF.Date | None
		gate_mode: DF.Literal["Block", "Warn", "Off"]
		handed_to: DF.Data | None
		health: DF.Literal["On Track", "At Risk", "Blocked", "Late", "Skipped", "On Hold", "Done"]
		held_told_on: DF.Date | None
		key_date: DF.Date | None
		key_date_rule: DF.Literal[
			"Document Date Field", "After Previous Milestone", "After Creation", "Set Manually"
		]
		kind: DF.Literal["Standard", "Acceptance"]
		last_reminder_on: DF.Date | None
		later_moved: DF.Check
		milestone: DF.Link | None
		next_actions: DF.Code | None
		next_actions_by: DF.Link | None
		notify_role: DF.Link | None
		notify_users: DF.SmallText | None
		offset_days: DF.Int
		on_track_on: DF.Date | None
		open_criteria: DF.Int
		open_required: DF.Int
		outside_owner: DF.Data | None
		outside_owner_name: DF.Data | None
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
		planned_date: DF.Date | None
		predecessors: DF.SmallText | None
		prompted_on: DF.Datetime | None
		proposal: DF.Data | None
		proposed_date: DF.Date | None
		reach_rule: DF.Literal["Field Value", "Confirmation"]
		reached_at: DF.Datetime | None
		reached_by_user: DF.Link | None
		reached_on: DF.Date | None
		reached_without_tasks_on: DF.Datetime | None
		recipients_waiting: DF.Check
		remind_after_days: DF.Int
		remind_at_most: DF.Int
		remind_every_days: DF.Int
		reminders_sent: DF.Int
		stage_name: DF.Data
		stage_owner: DF.Link | None
		status: DF.Literal["Open", "Reached"]
		task_lead_days: DF.Int
		track_field: DF.Data | None
		track_value: DF.Data | None
		value_before: DF.Data | None
		waived_criteria: DF.Code | None
		warned_on: DF.Date | None
		warning_lead_days: DF.Int
		workflow_stage: DF.Data | None
		working_days: DF.Check
	# end: auto-generated types


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone Plan Stage")
