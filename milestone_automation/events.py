"""Handlers for the events of every document. Each returns after one cached lookup if the DocType is not tracked."""

import frappe

from milestone_automation.engine.base import guard, plain_text, save_state
from milestone_automation.engine.plans import document_saved, ending, evidence, renaming
from milestone_automation.engine.progress import gate
from milestone_automation.engine.rules.criteria import CriterionKind
from milestone_automation.engine.store import refused_writes, watched
from milestone_automation.engine.tracking import milestones, recorder, registry
from milestone_automation.engine.workflows import lost_fields
from milestone_automation.uninstall import UNINSTALLING

# What people from outside comment on.
COMMENTED = ("Milestone Task", "Milestone Plan")


def before_change(doc, method=None):
	"""Before a `db_set` writes. What it writes nobody can tell yet: the gate is asked once it is stored.

	Args:
		doc: any document.
		method: name of the event, from Frappe.

	Raises:
		frappe.QueryDeadlockError: somebody else is changing its plan; a ConflictError is one.
	"""
	rules = _rules_for(doc)
	if not rules:
		return
	if rules.tracker:
		recorder.before_change(doc, rules.tracker)
	if rules.has_workflow and doc.name:
		guard.run_guarded(_about_plan(doc), _begin_db_set, doc)


def _begin_db_set(doc):
	plan = watched.loaded(doc, anew=True)
	if not plan or gate.is_running(plan):
		refused_writes.begin_db_set(doc, plan)


def begin_save(doc, method=None):
	"""At the very start of a save, submit, cancel or update after submit.

	Args:
		doc: any document; one with `ignore_validate` passes the gate here.
		method: name of the event, from Frappe.

	Raises:
		GateError: the document would reach a stage that may not be reached yet.
		frappe.TimestampMismatchError: on SQLite, somebody else has saved it since this save looked.
		frappe.QueryDeadlockError: as `before_change`.
	"""
	if _is_setting_up():
		return
	if registry.has_workflows():
		save_state.note_write(doc)
	rules = registry.for_doctype(doc.doctype)
	if not rules:
		return
	if rules.tracker:
		recorder.begin_save(doc, rules.tracker)
	if rules.has_workflow and doc.flags.ignore_validate:
		_ask_gate(doc)  # Frappe leaves out the events that come later


def before_write(doc, method=None):
	"""Before a save, submit, cancel or update after submit writes.

	Args:
		doc: any document.
		method: name of the event, from Frappe.

	Raises:
		GateError, frappe.TimestampMismatchError, frappe.QueryDeadlockError: as `begin_save`.
	"""
	rules = _rules_for(doc)
	if rules and rules.has_workflow:
		_ask_gate(doc)


def after_write(doc, method=None):
	"""Once a save, cancel or update after submit has written its row; a submit, before its own event.

	Args:
		doc: any document.
		method: name of the event, from Frappe.

	Raises:
		GateError: values that hooks have set would reach a stage; the row has its values from before again.
		frappe.QueryDeadlockError: as `before_change`.
	"""
	rules = _rules_for(doc)
	if rules and rules.has_workflow:
		_take_back_if_refused(doc, _check_written)


def _check_written(doc):
	# With `ignore_validate` Frappe leaves out the events before a cancellation and an update after submit.
	is_announced = refused_writes.has_begun(doc)
	if not is_announced:
		refused_writes.begin_save(doc)
	gate.check_written(doc, anew=not is_announced)


def on_change(doc, method=None):
	"""After a change was written: record milestones, start or update the plan, and tell plans that ask for the document.

	Args:
		doc: any document.
		method: name of the event, from Frappe.

	Raises:
		GateError, frappe.QueryDeadlockError: as `after_write`.
	"""
	_tell_those_asking(doc)
	rules = _rules_for(doc)
	if not rules or doc.flags.in_delete:
		return
	save_state.redo(doc)
	if rules.tracker and not recorder.core_records():
		recorder.record(doc, rules.tracker)
	if rules.has_workflow:
		# Asks the gate once more, for values that hooks have set on the way.
		_take_back_if_refused(doc, document_saved.on_document_change)
	refused_writes.end(doc)


def _ask_gate(doc):
	refused_writes.begin_save(doc)
	was_unlocked = not guard.has_transaction()
	what = f"Milestone gate of {doc.doctype} {doc.name}"
	guard.run_guarded(what, _check, doc, on_fault=lambda: gate.note_failure(doc))
	if was_unlocked:
		# Only now that the plan is locked can nobody else write the document.
		refused_writes.check_is_latest(doc)


def _check(doc):
	"""Ask the gate of the document's plan; where there is none yet, what a new plan would say."""
	if doc.is_new() or not gate.check(doc):
		document_saved.check_entry(doc)


def _take_back_if_refused(doc, function):
	try:
		guard.run_guarded(_about_plan(doc), function, doc, on_fault=lambda: gate.note_failure(doc))
	except guard.GateError:
		refused_writes.take_back(doc)
		raise


def _about_plan(doc) -> str:
	return f"Milestone plan of {doc.doctype} {doc.name}"


def on_trash(doc, method=None):
	"""Before a document is deleted and its links are checked: its plan shall not be in the way.

	Args:
		doc: any document.
		method: name of the event, from Frappe.
	"""
	rules = _rules_for(doc)
	if rules and rules.has_workflow:
		ending.let_go(doc.doctype, doc.name)


def after_rename(doc, method=None, old=None, new=None, merge=False):
	"""After a rename: update milestones, plan, and all that has the name of this document as a value.

	Args:
		doc: any document, with its new name.
		method: name of the event, from Frappe.
		old, new: its names.
		merge: whether it was merged into a document that had the new name.

	Raises:
		frappe.QueryDeadlockError: somebody else is changing what follows; a ConflictError is one.
	"""
	if _are_tables_missing():
		return
	if renaming.is_tracked_value(doc.doctype):
		renaming.follow("values", doc.doctype, old, new)
	if doc.doctype == "User":
		renaming.follow("users", old, new)
	save_state.rename(doc.doctype, old, new, bool(merge))
	rules = registry.for_doctype(doc.doctype)
	if not rules:
		return
	renaming.follow("milestones", doc.doctype, old, new, bool(merge))
	if rules.has_workflow:
		renaming.follow("plan", doc.doctype, old, new, bool(merge))


def after_doctype_rename(doc, method=None, old=None, new=None, merge=False):
	"""After a DocType was renamed: update its plans.

	Args:
		doc: the DocType.
		method: name of the event, from Frappe.
		old, new: its names.
		merge: from Frappe, which merges no DocTypes.

	Raises:
		frappe.QueryDeadlockError: as `after_rename`.
	"""
	clear_rules(doc)
	if not _are_tables_missing():
		renaming.follow("plans of a DocType", old, new)


def _tell_those_asking(doc):
	"""Have plans checked whose exit criteria ask for a document. One cached lookup where none does."""
	asking = () if _is_setting_up() else registry.asking_for(doc.doctype)
	if asking:
		what = f"Milestone plans that ask for {doc.doctype} {doc.name}"
		guard.run_guarded(what, evidence.recheck_linked, doc, asking)


def on_file(doc, method=None):
	"""After a file was attached, or one was deleted: check the plan of its document if that asks for files.

	Args:
		doc: the File; one that is attached to nothing is none of ours.
		method: name of the event, from Frappe.

	Raises:
		frappe.QueryDeadlockError: as `after_rename`.
	"""
	_tell_own_plan(CriterionKind.FILE, doc.attached_to_doctype, doc.attached_to_name)


def on_comment(doc, method=None):
	"""After a comment was written or deleted: check the plan of its document if that asks for comments.

	Args:
		doc: the Comment; likes, assignments and the like are passed over.
		method: name of the event, from Frappe.

	Raises:
		frappe.QueryDeadlockError: as `after_rename`.
	"""
	if doc.comment_type == "Comment":
		_tell_own_plan(CriterionKind.COMMENT, doc.reference_doctype, doc.reference_name)


def _tell_own_plan(kind, doctype, name):
	rules = registry.for_doctype(doctype) if doctype and name and not _is_setting_up() else None
	if rules and kind in rules.criteria:
		guard.run_guarded(f"Milestone plan of {doctype} {name}: check", evidence.recheck, doctype, [name])


def after_delete(doc, method=None):
	"""After a document was deleted: mark its milestones, and delete its plan.

	Args:
		doc: any document.
		method: name of the event, from Frappe.

	Raises:
		frappe.QueryDeadlockError: as `after_rename`.
	"""
	_tell_those_asking(doc)
	rules = None if _are_tables_missing() else registry.for_doctype(doc.doctype)
	if not rules:
		return
	what = f"Milestones of {doc.doctype} {doc.name}: delete"
	guard.run_guarded(what, milestones.mark_deleted, doc.doctype, doc.name)
	if rules.has_workflow:
		what = f"Milestone plan of {doc.doctype} {doc.name}: delete"
		reference = (doc.doctype, doc.name)
		guard.run_guarded(what, ending.delete_for, *reference, on_fault=lambda: ending.keep(*reference))


def clean_comment(doc, method=None):
	"""Before a comment on one of our documents is stored: suppliers write some, and everybody else reads them.

	Args:
		doc: the Comment; its `content`, HTML, is cleaned in place.
		method: name of the event, from Frappe.
	"""
	if doc.reference_doctype in COMMENTED and doc.content:
		doc.content = plain_text.clean_comment(doc.content)


def clear_rules(doc, method=None, *args, **kwargs):
	"""Clear the cached registry, which contains the types of tracked fields.

	Args:
		doc: a Property Setter, Custom Field or DocType.
		method: name of the event, from Frappe.
	"""
	if not _are_tables_missing():
		registry.clear()


def on_fields_change(doc, method=None):
	"""After the fields of a DocType changed, or just before one is removed: say so where it is tracked or watched.

	Args:
		doc: the DocType, or a Custom Field.
		method: name of the event, from Frappe; with "on_trash" the Custom Field is going.
	"""
	clear_rules(doc)
	if frappe.flags.in_migrate or _are_tables_missing():
		return
	doctype = doc.name if doc.doctype == "DocType" else doc.dt
	going = doc.fieldname if method == "on_trash" else None
	guard.run_guarded(f"Milestone fields of {doctype}", lost_fields.tell, doctype, going)


def after_doctype_delete(doc, method=None):
	"""After a DocType was deleted: say so where exit criteria ask for its documents.

	Args:
		doc: the DocType.
		method: name of the event, from Frappe.
	"""
	clear_rules(doc)
	if not frappe.flags.in_migrate and not _are_tables_missing():
		guard.run_guarded(
			f"Milestone workflows that ask for {doc.name}", lost_fields.tell_of_doctype, doc.name
		)


def _rules_for(doc) -> registry.Rules | None:
	"""Return tracker and workflows of a document's DocType; None also during setup and migration, as in core."""
	return None if _is_setting_up() else registry.for_doctype(doc.doctype)


def _is_setting_up() -> bool:
	flag = frappe.local.flags.get
	return bool(flag("in_migrate") or flag("in_setup_wizard") or _are_tables_missing())


def _are_tables_missing() -> bool:
	"""Tell whether an app is being installed or this one uninstalled, so that tables may be missing."""
	flag = frappe.local.flags.get
	return bool(flag("in_install") or flag(UNINSTALLING))
