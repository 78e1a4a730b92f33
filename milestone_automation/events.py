"""What happens on every document of the site. Each handler returns after one cached lookup when nobody tracks it."""

import frappe

from milestone_automation.engine.base import compat, guard
from milestone_automation.engine.plans import document_saved, ending, renaming
from milestone_automation.engine.progress import gate
from milestone_automation.engine.store import watched
from milestone_automation.engine.tracking import milestones, recorder, registry
from milestone_automation.uninstall import UNINSTALLING


def before_change(doc, method=None):
	"""Before a `db_set` writes."""
	own = _rules_for(doc)
	if not own:
		return
	if own.tracker:
		recorder.before_change(doc, own.tracker)
	if own.has_workflow:
		watched.forget_loaded(doc, is_same_save=compat.is_saving(doc.doctype, doc.name))
		_ask_gate(doc)


def begin_save(doc, method=None):
	"""At the very start of a save, submit, cancel or update after submit."""
	own = _rules_for(doc)
	if own and own.tracker:
		recorder.begin_save(doc, own.tracker)


def before_write(doc, method=None):
	"""Before a save, submit, cancel or update after submit writes."""
	own = _rules_for(doc)
	if own and own.has_workflow and not doc.is_new():
		watched.forget_loaded(doc)
		_ask_gate(doc)


def on_change(doc, method=None):
	own = _rules_for(doc)
	if not own or doc.flags.in_delete:
		return
	if own.tracker and not recorder.core_records():
		recorder.record(doc, own.tracker)
	if own.has_workflow:
		# Asks the gate once more, for values that hooks have set on the way.
		guard.run_guarded(
			f"Milestone plan of {doc.doctype} {doc.name}", document_saved.on_document_change, doc
		)


def _ask_gate(doc):
	guard.run_guarded(f"Milestone gate of {doc.doctype} {doc.name}", gate.check, doc)


def on_trash(doc, method=None):
	"""Before the links to a document are checked: its plan goes with it."""
	own = _rules_for(doc)
	if own and own.has_workflow:
		ending.delete_for(doc.doctype, doc.name)


def after_rename(doc, method=None, old=None, new=None, merge=False):
	if _are_tables_missing():
		return
	if renaming.is_tracked_value(doc.doctype):
		what = f"Milestone stages that wait for {doc.doctype} {old}: rename"
		guard.run_guarded(what, renaming.rename_value, doc.doctype, old, new)
	own = registry.for_doctype(doc.doctype)
	if not own:
		return
	guard.run_guarded(
		f"Milestones of {doc.doctype} {old}: rename", milestones.rename_reference, doc.doctype, old, new
	)
	if own.has_workflow:
		guard.run_guarded(
			f"Milestone plan of {doc.doctype} {old}: rename",
			renaming.rename_document,
			doc.doctype,
			old,
			new,
			bool(merge),
		)


def after_doctype_rename(doc, method=None, old=None, new=None, merge=False):
	clear_rules(doc)
	if not _are_tables_missing():
		guard.run_guarded(f"Milestone plans of {old}: rename", renaming.rename_doctype, new)


def after_delete(doc, method=None):
	if not _are_tables_missing() and registry.for_doctype(doc.doctype):
		what = f"Milestones of {doc.doctype} {doc.name}: delete"
		guard.run_guarded(what, milestones.mark_deleted, doc.doctype, doc.name)


def clear_rules(doc, method=None, *args, **kwargs):
	if not _are_tables_missing():
		registry.clear()


def _rules_for(doc) -> registry.Rules | None:
	"""Return what concerns this document, or None; None too while the site is being made (as core does)."""
	flags = frappe.flags
	if flags.in_migrate or flags.in_setup_wizard or _are_tables_missing():
		return None
	return registry.for_doctype(doc.doctype)


def _are_tables_missing() -> bool:
	"""Tell whether an app is being installed, or this one uninstalled: its tables may not be there."""
	return bool(frappe.flags.in_install or frappe.flags.get(UNINSTALLING))
