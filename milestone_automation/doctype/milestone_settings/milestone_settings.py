import frappe
from frappe import _
from frappe.utils import flt, nowdate

from milestone_automation.engine.base import follow_ups
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.messages.sending_day import DEFAULT_SWEEP_TIME
from milestone_automation.engine.rules import upload_types
from milestone_automation.engine.rules.working_days import DAYS_OF_WEEK

# Fields that decide when messages are due.
SWEEP_FIELDS = (
	"messages_enabled",
	"warn_owner",
	"quiet_on_days_off",
	"warning_lead_days",
	"at_risk_below",
	"task_lead_days",
	"escalate_after_days",
	"holiday_list",
	*(f"off_{day}" for day in DAYS_OF_WEEK),
)


class MilestoneSettings(TypedDocument):
	"""The site's settings: calendar, messages, and reasons for a new date."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF
		from milestone_automation.milestone_automation.doctype.milestone_date_reason.milestone_date_reason import (
			MilestoneDateReason,
		)

		at_risk_below: DF.Percent
		date_reasons: DF.Table[MilestoneDateReason]
		defaults_stored: DF.Check
		escalate_after_days: DF.Int
		holiday_list: DF.Data | None
		link_valid_days: DF.Int
		login_to_answer: DF.Check
		mail_pause_days: DF.Int
		messages_enabled: DF.Check
		next_steps_user: DF.Link | None
		off_friday: DF.Check
		off_monday: DF.Check
		off_saturday: DF.Check
		off_sunday: DF.Check
		off_thursday: DF.Check
		off_tuesday: DF.Check
		off_wednesday: DF.Check
		quiet_on_days_off: DF.Check
		sweep_time: DF.Time | None
		task_lead_days: DF.Int
		upload_megabytes: DF.Int
		upload_types: DF.SmallText | None
		warn_owner: DF.Check
		warning_lead_days: DF.Int
	# end: auto-generated types

	def load_from_db(self):
		"""Load the settings, with the default time of day if Frappe has filled in the present time."""
		super().load_from_db()
		if "." in str(self.sweep_time or ""):
			# Frappe fills Time fields of a new document with the present time, with microseconds.
			self.sweep_time = DEFAULT_SWEEP_TIME
		return self

	def validate(self):
		"""Check the days off and clean the reasons."""
		self.check_days_off()
		self.check_at_risk_below()
		self.clean_reasons()
		self.check_next_steps_user()
		self.check_upload_types()

	def on_update(self):
		"""Have plans checked if their messages may be due on other days now."""
		self.recheck_plans()

	def check_days_off(self):
		"""Refuse seven days off, with which no date could be counted.

		Raises:
			frappe.ValidationError: all seven are off.
		"""
		if all(self.get(f"off_{day}") for day in DAYS_OF_WEEK):
			frappe.throw(_("All seven days of the week are off. Leave at least one working day."))

	def check_at_risk_below(self):
		"""Refuse a chance that is no percentage.

		Raises:
			frappe.ValidationError: it is below 0 or above 100.
		"""
		if not 0 <= flt(self.at_risk_below) <= 100:
			frappe.throw(_("At Risk Below is a percentage: choose a number from 0 to 100."))

	def check_next_steps_user(self):
		"""Refuse accounts in whose name no step may run: they have no limits, or no rights at all.

		Raises:
			frappe.ValidationError: it is Administrator, Guest, or no enabled user.
		"""
		user = self.next_steps_user
		if user and (user in ("Administrator", "Guest") or not frappe.db.get_value("User", user, "enabled")):
			frappe.throw(
				_(
					"Next steps cannot run as {0}. Choose an enabled user that has just the rights they need."
				).format(user)
			)

	def check_upload_types(self):
		"""Refuse types of files that a browser would run in the name of whoever opens them.

		Raises:
			frappe.ValidationError: names the first of them.
		"""
		never = [one for one in upload_types.listed(self.upload_types) if one in upload_types.NEVER]
		if never:
			frappe.throw(
				_("Files of the type {0} can contain scripts. Take it off the types of files.").format(
					never[0]
				)
			)

	def clean_reasons(self):
		"""Remove empty and repeated reasons, and white space around them."""
		seen = set()
		for row in list(self.date_reasons):
			row.reason = (row.reason or "").strip()
			if not row.reason or row.reason in seen:
				self.remove(row)
			seen.add(row.reason)

	def recheck_plans(self):
		"""Have the next sweep check all active plans if a setting changed that decides when messages are due."""
		before = self.get_doc_before_save()
		if before and any(before.get(name) != self.get(name) for name in SWEEP_FIELDS):
			follow_ups.add("recheck all plans")
		if before and flt(before.at_risk_below) != flt(self.at_risk_below):
			self.renew_forecasts()

	def renew_forecasts(self):
		"""Have the forecasts worked out again: on which day a chance falls below the limit depends on it."""
		workflow = frappe.qb.DocType("Milestone Workflow")
		frappe.qb.update(workflow).set(workflow.forecast_again_on, nowdate()).run()
