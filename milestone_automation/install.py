"""What install and migrate leave behind: adopted milestones, the role, defaults. Each step may run any number of times."""

import frappe

from milestone_automation.engine import history, rules

MANAGER_ROLE = "Milestone Manager"


def after_install():
	make_role()
	history.adopt()
	rules.clear()


def after_migrate():
	history.adopt()
	rules.clear()


def make_role():
	"""Create the role Milestone Manager; an existing one stays as it is."""
	if not frappe.db.exists("Role", MANAGER_ROLE):
		role = frappe.new_doc("Role")
		role.update({"role_name": MANAGER_ROLE, "desk_access": 1})
		role.insert(ignore_permissions=True)  # made by the app, not by a user
