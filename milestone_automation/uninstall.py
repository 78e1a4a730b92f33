"""Uninstalling gives Milestone and Milestone Tracker back to core, with every row.

Frappe deletes what belongs to the app's module and drops its tables; so both DocTypes leave the module first, and get
core's own definition back once the app is gone. A dry run runs these hooks too: nothing here commits before the app
is really removed.
"""

import frappe

from milestone_automation.engine import compat, rules
from milestone_automation.install import MANAGER_ROLE

UNINSTALLING = "milestone_uninstalling"
CORE_MODULE = "Automation"
CORE_DOCTYPES = ("Milestone", "Milestone Tracker")


def before_uninstall():
	# From now on tables go while documents are still deleted: our events have nothing to ask.
	frappe.flags[UNINSTALLING] = True
	for doctype in CORE_DOCTYPES:
		if core_ships(doctype):
			frappe.db.set_value("DocType", doctype, "module", CORE_MODULE, update_modified=False)


def after_uninstall():
	if "milestone_automation" in frappe.get_installed_apps():
		frappe.flags[UNINSTALLING] = False
		return
	for doctype in CORE_DOCTYPES:
		if core_ships(doctype):
			frappe.reload_doc("automation", "doctype", frappe.scrub(doctype), force=True)
	remove_unused_role()
	compat.forget(rules.CACHE_KEY)
	frappe.clear_cache()
	frappe.db.commit()  # bench commits before this hook, and not again


def core_ships(doctype: str) -> bool:
	"""Tell whether the Frappe at hand has this DocType of its own to go back to."""
	import os

	folder = frappe.scrub(doctype)
	return os.path.exists(frappe.get_app_path("frappe", "automation", "doctype", folder, f"{folder}.json"))


def remove_unused_role():
	"""Delete the role Milestone Manager unless somebody has it or a site's own rule names it."""
	used = frappe.db.exists("Has Role", {"role": MANAGER_ROLE}) or frappe.db.exists(
		"Custom DocPerm", {"role": MANAGER_ROLE}
	)
	if not used and frappe.db.exists("Role", MANAGER_ROLE):
		frappe.delete_doc("Role", MANAGER_ROLE, force=True, ignore_permissions=True)  # the app made it
