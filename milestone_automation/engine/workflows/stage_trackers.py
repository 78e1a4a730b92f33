"""Trackers for workflows: fields whose values reach a stage of an enabled workflow must be recorded."""

import frappe
from frappe import _

from milestone_automation.engine.rules.vocabulary import ReachRule
from milestone_automation.engine.tracking import trackable


def fields_of(workflow) -> list[str]:
	"""Return the fields whose values reach stages of a Milestone Workflow document, each once, in order.

	Args:
		workflow: with `stages`; those that are reached in another way count for nothing.
	"""
	names = (row.track_field for row in workflow.stages if row.reach_rule == ReachRule.FIELD_VALUE)
	return list(dict.fromkeys(name for name in names if name))


def ensure(workflow) -> None:
	"""Create or extend the tracker of a workflow's DocType so that it records the fields of its stages.

	Args:
		workflow: an enabled Milestone Workflow document, after its checks.
	"""
	fieldnames = fields_of(workflow)
	if not fieldnames:
		return
	name = frappe.db.get_value("Milestone Tracker", {"document_type": workflow.document_type})
	if name:
		_extend(frappe.get_doc("Milestone Tracker", name), fieldnames)
	else:
		_create(workflow.document_type, fieldnames)


def _create(doctype: str, fieldnames: list[str]) -> None:
	tracker = frappe.new_doc("Milestone Tracker")
	tracker.update({"document_type": doctype, "track_field": fieldnames[0]})
	_append(tracker, fieldnames[1:])
	tracker.insert(ignore_permissions=True)  # part of enabling a workflow, which the user may
	_tell(
		_("Changes of {0} in {1} are now recorded: the Milestone Tracker {2} was made for this workflow."),
		fieldnames,
		tracker,
	)


def _extend(tracker, fieldnames: list[str]) -> None:
	missing = [name for name in fieldnames if name not in tracker.tracked_fields()]
	if missing:
		_append(tracker, missing)
		tracker.save(ignore_permissions=True)  # part of enabling a workflow, which the user may
		_tell(
			_("Changes of {0} in {1} are now recorded too: the Milestone Tracker {2} was extended."),
			missing,
			tracker,
		)
	if tracker.disabled:
		_tell(
			_(
				"{0} of {1} is not recorded: the Milestone Tracker {2} is disabled. Enable it so that no milestone is missed."
			),
			fieldnames,
			tracker,
			indicator="orange",
		)


def _append(tracker, fieldnames: list[str]) -> None:
	for fieldname in fieldnames:
		tracker.append("extra_fields", {"track_field": fieldname})


def _tell(sentence: str, fieldnames: list[str], tracker, indicator: str = "blue") -> None:
	labels = ", ".join(_label(tracker.document_type, fieldname) for fieldname in fieldnames)
	frappe.msgprint(
		sentence.format(labels, _(tracker.document_type), tracker.name),
		title=_("Milestone Tracker"),
		indicator=indicator,
		# What went well needs no answer.
		alert=indicator != "orange",
	)


def _label(doctype: str, fieldname: str) -> str:
	field = frappe.get_meta(doctype).get_field(fieldname)
	return _(field.label if field and field.label else trackable.STANDARD_FIELDS.get(fieldname, fieldname))
