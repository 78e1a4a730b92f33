"""Handlers for the events of every document. Each returns after one cached lookup if the DocType is not tracked."""

import frappe

from milestone_automation.engine.base import compat, guard, plain_text
from milestone_automation.engine.plans import document_saved, ending, renaming
from milestone_automation.engine.progress import gate
from milestone_automation.engine.store import watched
from milestone_automation.engine.tracking import milestones, recorder, registry
from milestone_automation.uninstall import UNINSTALLING

# What people from outside comment on.
COMMENTED = ("Milestone Task", "Milestone Plan")


def before_change(doc, method=None):
	"""Before a `db_set` writes: record what it changes from, and ask the gate."""
	rules = _rules_for(doc)
	if not rules:
		return
	if rules.tracker:
		recorder.before_change(doc, rules.tracker)
	if rules.has_workflow:
		watched.forget_loaded(doc, is_same_save=compat.is_saving(doc.doctype, doc.name))
		_ask_gate(doc)


def begin_save(doc, method=None):
	"""At the start of a save, submit, cancel or update after submit: remember the stored values."""
	rules = _rules_for(doc)
	if rules and rules.tracker:
		recorder.begin_save(doc, rules.tracker)


def before_write(doc, method=None):
	"""Before a save, submit, cancel or update after submit writes: ask the gate."""
	rules = _rules_for(doc)
	if rules and rules.has_workflow and not doc.is_new():
		watched.forget_loaded(doc)
		_ask_gate(doc)


def on_change(doc, method=None):
	"""After a change was written: record milestones, and start or update the plan."""
	rules = _rules_for(doc)
	if not rules or doc.flags.in_delete:
		return
	if rules.tracker and not recorder.core_records():
		recorder.record(doc, rules.tracker)
	if rules.has_workflow:
		# This asks the gate again, for values that hooks have set meanwhile.
		guard.run_guarded(
			f"Milestone plan of {doc.doctype} {doc.name}", document_saved.on_document_change, doc
		)


def _ask_gate(doc):
	guard.run_guarded(f"Milestone gate of {doc.doctype} {doc.name}", gate.check, doc)


def on_trash(doc, method=None):
	"""Before a document is deleted and its links are checked: delete its plan."""
	rules = _rules_for(doc)
	if rules and rules.has_workflow:
		ending.delete_for(doc.doctype, doc.name)


def after_rename(doc, method=None, old=None, new=None, merge=False):
	"""After a rename: update milestones, plan, and stages that are reached by the name of this document."""
	if _are_tables_missing():
		return
	if renaming.is_tracked_value(doc.doctype):
		what = f"Milestone stages that wait for {doc.doctype} {old}: rename"
		guard.run_guarded(what, renaming.rename_value, doc.doctype, old, new)
	rules = registry.for_doctype(doc.doctype)
	if not rules:
		return
	guard.run_guarded(
		f"Milestones of {doc.doctype} {old}: rename", milestones.rename_reference, doc.doctype, old, new
	)
	if rules.has_workflow:
		guard.run_guarded(
			f"Milestone plan of {doc.doctype} {old}: rename",
			renaming.rename_document,
			doc.doctype,
			old,
			new,
			bool(merge),
		)


def after_doctype_rename(doc, method=None, old=None, new=None, merge=False):
	"""After a DocType was renamed: update its plans."""
	clear_rules(doc)
	if not _are_tables_missing():
		guard.run_guarded(f"Milestone plans of {old}: rename", renaming.rename_doctype, new)


def after_delete(doc, method=None):
	"""After a document was deleted: mark its milestones."""
	if not _are_tables_missing() and registry.for_doctype(doc.doctype):
		what = f"Milestones of {doc.doctype} {doc.name}: delete"
		guard.run_guarded(what, milestones.mark_deleted, doc.doctype, doc.name)


def clean_comment(doc, method=None):
	"""Before a comment on one of our documents is stored: suppliers write some, and everybody else reads them."""
	if doc.reference_doctype in COMMENTED and doc.content:
		doc.content = plain_text.clean_comment(doc.content)


def clear_rules(doc, method=None, *args, **kwargs):
	"""Clear the cached registry, which contains the types of tracked fields."""
	if not _are_tables_missing():
		registry.clear()


def _rules_for(doc) -> registry.Rules | None:
	"""Return tracker and workflows of a document's DocType; None also during setup and migration, as in core."""
	flags = frappe.flags
	if flags.in_migrate or flags.in_setup_wizard or _are_tables_missing():
		return None
	return registry.for_doctype(doc.doctype)


def _are_tables_missing() -> bool:
	"""Tell whether an app is being installed or this one uninstalled, so that tables may be missing."""
	return bool(frappe.flags.in_install or frappe.flags.get(UNINSTALLING))
