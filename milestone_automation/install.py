"""Install and migrate: adopt milestones, create the role and store defaults. Each step can be repeated."""

import json
import os

import frappe
from frappe import _
from frappe.modules.import_file import calculate_hash
from frappe.utils import cast, cint
from frappe.utils.password import get_encryption_key

from milestone_automation.desk import kanban, weekly_mail
from milestone_automation.engine.base import indexes
from milestone_automation.engine.messages.sending_day import DEFAULT_SWEEP_TIME
from milestone_automation.engine.people import rights
from milestone_automation.engine.tracking import milestones, registry

CORE_MODULE = "Automation"
CORE_DOCTYPES = ("Milestone", "Milestone Tracker")


def after_install():
	"""Hook: adopt what core has recorded, and create the role and the settings."""
	make_link_secret()
	make_role()
	make_settings()
	weekly_mail.make()
	kanban.make()
	milestones.adopt()
	indexes.ensure_all()
	registry.clear()


def make_link_secret():
	"""Create the site's encryption key before the first link is signed.

	Frappe creates it on first use, and Frappe 16 caches the configuration of a site: another process might create a
	second key, and links signed with the first would stop working.
	"""
	get_encryption_key()


def before_migrate():
	"""Hook: prepare the tables, and keep core's definitions from being synced over ours.

	Frappe skips files whose hash it knows.
	"""
	indexes.add_unique_columns()
	for doctype in CORE_DOCTYPES:
		path = definition_in_core(doctype)
		if os.path.exists(path):
			values = {"migration_hash": calculate_hash(path)}
			frappe.db.set_value("DocType", doctype, values, update_modified=False)


def after_migrate():
	"""Hook: restore what the migration changed, and complete settings and milestones."""
	restore_time_stamps()
	make_settings()
	milestones.adopt()
	indexes.ensure_all()
	registry.clear()


def restore_time_stamps():
	"""Restore the time stamps of our definitions, which `before_migrate` has synced every time."""
	for doctype in CORE_DOCTYPES:
		with open(frappe.get_module_path("Milestone Automation", *definition_path(doctype))) as file:
			modified = json.load(file)["modified"]
		frappe.db.set_value("DocType", doctype, "modified", modified, update_modified=False)
		frappe.clear_cache(doctype=doctype)


def definition_in_core(doctype: str) -> str:
	"""Return the path of core's definition of a DocType, which may not exist.

	Args:
		doctype: one of `CORE_DOCTYPES`.
	"""
	return frappe.get_app_path("frappe", frappe.scrub(CORE_MODULE), *definition_path(doctype))


def definition_path(doctype: str) -> tuple[str, ...]:
	"""Return the path of a DocType's definition inside its module.

	Args:
		doctype: name of the DocType.

	Returns:
		tuple: folders and file, to be joined.
	"""
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
	stored_values = frappe.db.get_singles_dict("Milestone Settings")
	if cint(stored_values.get("defaults_stored")):
		_store_new_defaults(stored_values)
		return
	settings = frappe.get_doc("Milestone Settings")
	for field in settings.meta.fields:
		if field.default and stored_values.get(field.fieldname) is None:
			settings.set(field.fieldname, cast(field.fieldtype, field.default))
	if not stored_values.get("sweep_time") or "." in str(stored_values.get("sweep_time")):
		# Frappe fills a new document's Time fields with the present time, to the microsecond.
		settings.sweep_time = DEFAULT_SWEEP_TIME
	for reason in _reasons() if not settings.date_reasons else ():
		settings.append("date_reasons", {"reason": reason})
	settings.defaults_stored = 1
	settings.save(ignore_permissions=True)  # made by the app, not by a user


def _store_new_defaults(stored_values: dict) -> None:
	"""Store the defaults of fields that came with an upgrade; a field that somebody emptied is stored as empty."""
	for field in frappe.get_meta("Milestone Settings").fields:
		if field.default and field.fieldname not in stored_values:
			frappe.db.set_single_value("Milestone Settings", field.fieldname, field.default)


def _reasons() -> tuple[str, ...]:
	return (
		_("Supplier is late"),
		_("Material is late"),
		_("Quality is not good enough"),
		_("Waiting for an approval"),
		_("Customer asked for another date"),
	)
