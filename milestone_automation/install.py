"""What install and migrate leave behind: adopted milestones, the role, defaults. Each step may run any number of times."""

import json
import os

import frappe
from frappe import _
from frappe.modules.import_file import calculate_hash
from frappe.utils import cast, cint
from frappe.utils.password import get_encryption_key

from milestone_automation.engine.messages.sending_day import DEFAULT_SWEEP_TIME
from milestone_automation.engine.people import rights
from milestone_automation.engine.tracking import milestones, registry

CORE_MODULE = "Automation"
CORE_DOCTYPES = ("Milestone", "Milestone Tracker")


def after_install():
	"""Make what the app needs in a site, and adopt the milestones that exist."""
	make_link_secret()
	make_role()
	make_settings()
	milestones.adopt()
	registry.clear()


def make_link_secret():
	"""Have the site's key made before the first link in a mail is signed.

	Frappe makes it when it is first asked for, and Frappe 16 keeps a site's configuration for a while: a server that
	does not know the key yet would make another one, and links signed with the first would stop working.
	"""
	get_encryption_key()


def before_migrate():
	"""Keep core's own definitions from being synced over ours first: Frappe leaves out a file whose hash it knows."""
	for doctype in CORE_DOCTYPES:
		path = definition_in_core(doctype)
		if os.path.exists(path):
			values = {"migration_hash": calculate_hash(path)}
			frappe.db.set_value("DocType", doctype, values, update_modified=False)


def after_migrate():
	"""Do again what a migrate undoes; changes nothing where all is as it should be."""
	restore_time_stamps()
	make_settings()
	milestones.adopt()
	registry.clear()


def restore_time_stamps():
	"""Undo what `before_migrate` costs: our definitions are synced every time, and stamped as if they had changed."""
	for doctype in CORE_DOCTYPES:
		with open(frappe.get_module_path("Milestone Automation", *definition_path(doctype))) as file:
			modified = json.load(file)["modified"]
		frappe.db.set_value("DocType", doctype, "modified", modified, update_modified=False)
		frappe.clear_cache(doctype=doctype)


def definition_in_core(doctype: str) -> str:
	"""Return where core keeps its definition of a DocType, whether there is one or not."""
	return frappe.get_app_path("frappe", frappe.scrub(CORE_MODULE), *definition_path(doctype))


def definition_path(doctype: str) -> tuple[str, ...]:
	"""Return the path of a DocType's definition inside a module, in parts."""
	folder = frappe.scrub(doctype)
	return ("doctype", folder, f"{folder}.json")


def make_role():
	"""Create the role Milestone Manager; an existing one stays as it is."""
	if not frappe.db.exists("Role", rights.MANAGER_ROLE):
		role = frappe.new_doc("Role")
		role.update({"role_name": rights.MANAGER_ROLE, "desk_access": 1})
		role.insert(ignore_permissions=True)  # made by the app, not by a user


def make_settings():
	"""Store the settings' defaults and the reasons for a new date, once; what somebody has set stays.

	Frappe saves a Single with nothing in it before this runs, so only a field of our own tells whether it did.
	"""
	stored = frappe.db.get_singles_dict("Milestone Settings")
	if cint(stored.get("defaults_stored")):
		return
	settings = frappe.get_doc("Milestone Settings")
	for field in settings.meta.fields:
		if field.default and stored.get(field.fieldname) is None:
			settings.set(field.fieldname, cast(field.fieldtype, field.default))
	if not stored.get("sweep_time") or "." in str(stored.get("sweep_time")):
		# Frappe fills a new document's Time fields with the present time, to the microsecond.
		settings.sweep_time = DEFAULT_SWEEP_TIME
	for reason in _reasons() if not settings.date_reasons else ():
		settings.append("date_reasons", {"reason": reason})
	settings.defaults_stored = 1
	settings.save(ignore_permissions=True)  # made by the app, not by a user


def _reasons() -> tuple[str, ...]:
	return (
		_("Supplier is late"),
		_("Material is late"),
		_("Quality is not good enough"),
		_("Waiting for an approval"),
		_("Customer asked for another date"),
	)
