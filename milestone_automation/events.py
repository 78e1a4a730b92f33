"""What happens on every document of the site. Each handler returns after one cached lookup when nobody tracks it."""

import frappe

from milestone_automation.engine import guard, history, recording, rules


def before_change(doc, method=None):
	own = _rules_for(doc)
	if own and own.tracker:
		what = recording.fault_title(own.tracker.name)
		guard.run_guarded(what, recording.refresh_before_change, doc, own.tracker.fields)


def on_change(doc, method=None):
	own = _rules_for(doc)
	if own and own.tracker and not recording.core_records():
		recording.record(doc, own.tracker)


def after_rename(doc, method=None, old=None, new=None, merge=False):
	if _is_site_ready() and rules.for_doctype(doc.doctype):
		guard.run_guarded(f"Milestones of {doc.doctype} {old}: rename", history.follow_rename, doc.doctype, old, new)


def after_delete(doc, method=None):
	if _is_site_ready() and rules.for_doctype(doc.doctype):
		guard.run_guarded(
			f"Milestones of {doc.doctype} {doc.name}: delete", history.mark_deleted, doc.doctype, doc.name
		)


def clear_rules(doc, method=None, *args, **kwargs):
	if not frappe.flags.in_install:
		rules.clear()


def _rules_for(doc) -> rules.Rules | None:
	"""Return what concerns this document, or None; None too while the site is being made (as core does)."""
	flags = frappe.flags
	if flags.in_install or flags.in_migrate or flags.in_setup_wizard:
		return None
	return rules.for_doctype(doc.doctype)


def _is_site_ready() -> bool:
	return not frappe.flags.in_install
