"""Uninstalling gives Milestone and Milestone Tracker back to core, with every row.

Frappe deletes what belongs to the app's module and drops its tables; so both DocTypes leave the module first, and get
core's own definition back once the app is gone. A dry run runs these hooks too: nothing here commits before the app
is really removed.
"""

import os

import frappe

from milestone_automation.desk import kanban, weekly_mail
from milestone_automation.engine.base import compat, indexes
from milestone_automation.engine.people import directory
from milestone_automation.engine.people.rights import MANAGER_ROLE
from milestone_automation.engine.tracking import listeners, registry
from milestone_automation.install import CORE_DOCTYPES, CORE_MODULE, definition_in_core

UNINSTALLING = "milestone_uninstalling"


def before_uninstall():
	"""Hook: move both core DocTypes back to core's module, so that their tables stay."""
	# From now on tables are dropped while documents are still deleted, so events must not query them.
	frappe.flags[UNINSTALLING] = True
	weekly_mail.remove()
	kanban.remove()
	for doctype in CORE_DOCTYPES:
		if core_ships(doctype):
			frappe.db.set_value("DocType", doctype, "module", CORE_MODULE, update_modified=False)


def after_uninstall():
	"""Hook: restore core's definitions and remove what is left of the app."""
	if "milestone_automation" in frappe.get_installed_apps():
		frappe.flags[UNINSTALLING] = False
		return
	for doctype in CORE_DOCTYPES:
		if core_ships(doctype):
			frappe.reload_doc(frappe.scrub(CORE_MODULE), "doctype", frappe.scrub(doctype), force=True)
			indexes.ensure_names(doctype)
	remove_unused_role()
	frappe.db.delete("DefaultValue", {"defkey": directory.MAIL_DEFAULT})
	compat.remove_desktop("milestone_automation")
	# Frappe deletes them at the next migrate only; until then the scheduler would fail to import our code.
	frappe.db.delete("Scheduled Job Type", {"method": ("like", "milestone_automation.%")})
	for key in (registry.CACHE_KEY, listeners.CACHE_KEY):
		compat.forget(key)
	frappe.clear_cache()
	# bench commits before this hook, and not again.
	frappe.db.commit()  # nosemgrep: frappe-manual-commit


def core_ships(doctype: str) -> bool:
	"""Tell whether this Frappe has the DocType itself.

	Args:
		doctype: one of `CORE_DOCTYPES`.
	"""
	return os.path.exists(definition_in_core(doctype))


def remove_unused_role():
	"""Delete the role Milestone Manager unless a user has it or a permission rule names it."""
	used = frappe.db.exists("Has Role", {"role": MANAGER_ROLE}) or frappe.db.exists(
		"Custom DocPerm", {"role": MANAGER_ROLE}
	)
	if not used and frappe.db.exists("Role", MANAGER_ROLE):
		frappe.delete_doc("Role", MANAGER_ROLE, force=True, ignore_permissions=True)  # the app made it
