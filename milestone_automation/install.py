"""What install and migrate leave behind: adopted milestones, the role, defaults. Each step may run any number of times."""

import frappe
from frappe import _

from milestone_automation.engine import history, rules

MANAGER_ROLE = "Milestone Manager"


def after_install():
	make_role()
	make_settings()
	history.adopt()
	rules.clear()


def after_migrate():
	make_settings()
	history.adopt()
	rules.clear()


def make_role():
	"""Create the role Milestone Manager; an existing one stays as it is."""
	if not frappe.db.exists("Role", MANAGER_ROLE):
		role = frappe.new_doc("Role")
		role.update({"role_name": MANAGER_ROLE, "desk_access": 1})
		role.insert(ignore_permissions=True)  # made by the app, not by a user


def make_settings():
	"""Store the settings' defaults once: before that, what reads a single value would find none."""
	if frappe.db.get_singles_dict("Milestone Settings"):
		return
	settings = frappe.get_doc("Milestone Settings")
	for reason in (
		_("Supplier is late"),
		_("Material is late"),
		_("Quality is not good enough"),
		_("Waiting for an approval"),
		_("Customer asked for another date"),
	):
		settings.append("date_reasons", {"reason": reason})
	settings.save(ignore_permissions=True)  # made by the app, not by a user
