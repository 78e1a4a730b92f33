"""What a fresh or upgraded site finds in Milestone Settings."""

import frappe

from milestone_automation import install
from milestone_automation.engine.progress import answers

REASONS = [
	"Supplier is late",
	"Material is late",
	"Quality is not good enough",
	"Waiting for an approval",
	"Customer asked for another date",
]


def settings():
	return frappe.get_doc("Milestone Settings")


def forget_defaults():
	"""As a site of an older version: Frappe had saved the Single before its defaults were stored."""
	frappe.db.delete("Singles", {"doctype": "Milestone Settings"})
	frappe.db.delete("Milestone Date Reason", {"parent": "Milestone Settings"})
	frappe.db.set_single_value("Milestone Settings", "messages_enabled", 1)
	frappe.clear_document_cache("Milestone Settings", "Milestone Settings")


def test_a_fresh_site_has_reasons_lead_days_and_a_time_of_day(scratch_site):
	with scratch_site("app").connect():
		assert [row.reason for row in settings().date_reasons] == REASONS
		assert answers.reasons() == REASONS
		stored = frappe.db.get_singles_dict("Milestone Settings")
	assert str(stored.sweep_time) in ("07:00:00", "7:00:00")
	assert (int(stored.warning_lead_days), int(stored.task_lead_days), int(stored.link_valid_days)) == (
		3,
		1,
		14,
	)


def test_an_upgrade_stores_what_is_missing_and_keeps_what_was_set(site):
	forget_defaults()
	frappe.db.set_single_value("Milestone Settings", "warning_lead_days", 9)
	install.make_settings()

	assert [row.reason for row in settings().date_reasons] == REASONS
	assert settings().warning_lead_days == 9
	assert settings().task_lead_days == 1


def test_reasons_that_somebody_removed_do_not_come_back_with_a_migration(site):
	install.make_settings()
	own = settings()
	own.set("date_reasons", [{"reason": "Strike"}])
	own.save()
	install.make_settings()
	assert [row.reason for row in settings().date_reasons] == ["Strike"]

	own = settings()
	own.set("date_reasons", [])
	own.save()
	install.make_settings()
	assert settings().date_reasons == []
