"""Rules for the milestones of a workflow. `problems` yields sentences; only `tidy` changes a row, before the checks."""

from collections.abc import Iterator

import frappe
from frappe import _
from frappe.model.workflow import get_workflow_name
from frappe.utils import cint, cstr, escape_html

from milestone_automation.engine.base import values
from milestone_automation.engine.base.field_types import DAY_TYPES, NUMBER_TYPES
from milestone_automation.engine.rules.vocabulary import (
	OUTSIDE_OWNERS,
	STAGE_EVENTS,
	Dependency,
	KeyDateRule,
	OwnerKind,
	ReachRule,
)
from milestone_automation.engine.tracking import trackable
from milestone_automation.engine.tracking.registry import field_type
from milestone_automation.engine.workflows import (
	authors,
	criteria_validation,
	custom_messages,
	people_validation,
	row_fields,
	step_validation,
)
from milestone_automation.engine.workflows.people_validation import Known

# For each option, the fields that only this option uses.
FIELDS_BY_CHOICE = {
	"owner_kind": {
		OwnerKind.USER: ("owner_user",),
		OwnerKind.ROLE: ("owner_role",),
		OwnerKind.USER_FIELD: ("owner_field",),
		OwnerKind.THIRD_PARTY_COLLABORATOR: ("owner_name", "owner_email"),
	},
	"dependency": {Dependency.CHOSEN: ("predecessors",)},
	"key_date_rule": {KeyDateRule.DOCUMENT_DATE_FIELD: ("date_field",)},
	"reach_rule": {ReachRule.FIELD_VALUE: ("track_field", "track_value")},
}


def tidy(stage) -> None:
	"""Trim texts, fill in defaults, and clear the fields of options that are no longer chosen.

	Args:
		stage: row of Milestone Workflow Stage.
	"""
	stage.stage_name = cstr(stage.stage_name).strip()
	row_fields.fill_choices(stage)
	stage.notify_users = "\n".join(dict.fromkeys(people_validation.notified(stage)))
	row_fields.drop_unused(stage, FIELDS_BY_CHOICE)
	criteria_validation.tidy(stage)
	if stage.key_date_rule == KeyDateRule.SET_MANUALLY:
		stage.offset_days = 0


def problems(
	stage, position: int, workflow, known: Known, known_criteria: frozenset[str] = frozenset()
) -> Iterator[str]:
	"""Yield the problems of one stage, as sentences that say what to do.

	Args:
		stage: row of Milestone Workflow Stage, after `tidy`.
		position: position of the stage, from 0.
		workflow: Milestone Workflow document.
		known: users and roles of the site.
		known_criteria: keys of the exit criteria that the workflow had before.
	"""
	doctype = workflow.document_type
	if not stage.stage_name:
		yield _("Enter a name.")
	yield from _owner_problems(stage, workflow, known)
	yield from date_problems(stage, position, doctype)
	yield from reach_problems(stage, doctype)
	yield from _reminder_problems(stage)
	yield from _message_problems(stage, doctype)
	yield from step_validation.problems(
		stage.next_actions, doctype, STAGE_EVENTS, is_own=authors.wrote_now(stage)
	)
	yield from criteria_validation.problems(stage, doctype, known_criteria)


def _owner_problems(stage, workflow, known: Known) -> Iterator[str]:
	if problem := owner_problem(stage, workflow, known):
		yield problem
	if stage.owner_kind in OUTSIDE_OWNERS and stage.reach_rule == ReachRule.FIELD_VALUE:
		yield _(
			"Its owner is from outside and cannot change the document. Let it be reached by confirmation, or choose an owner with an account."
		)
	for name in people_validation.notified(stage):
		if problem := people_validation.notified_problem(name, known):
			yield problem
	if stage.notify_role and (problem := people_validation.role_problem(stage.notify_role, known)):
		yield problem


def owner_problem(stage, workflow, known: Known) -> str | None:
	"""Return the problem of a stage's owner as a sentence, or None.

	Args:
		stage, workflow, known: as in `problems`.
	"""
	check = OWNER_CHECKS.get(stage.owner_kind)
	return check(stage, workflow, known) if check else None


def _user_problem(stage, workflow, known: Known) -> str | None:
	if not stage.owner_user:
		return _("Choose the user who owns it.")
	return people_validation.user_problem(stage.owner_user, known)


def _role_problem(stage, workflow, known: Known) -> str | None:
	if not stage.owner_role:
		return _("Choose the role that owns it.")
	return people_validation.role_problem(stage.owner_role, known)


def _field_problem(stage, workflow, known: Known) -> str | None:
	doctype = workflow.document_type
	if not stage.owner_field:
		return _("Choose the field of {0} that names its owner.").format(_(doctype))
	return people_validation.user_field_problem(stage.owner_field, doctype)


def _supplier_problem(stage, workflow, known: Known) -> str | None:
	return people_validation.supplier_field_problem(workflow.supplier_field, workflow.document_type)


def _outsider_problem(stage, workflow, known: Known) -> str | None:
	if not stage.owner_email:
		return _("Enter the e-mail address of its owner.")
	return people_validation.address_problem(stage.owner_email)


OWNER_CHECKS = {
	OwnerKind.USER: _user_problem,
	OwnerKind.ROLE: _role_problem,
	OwnerKind.USER_FIELD: _field_problem,
	OwnerKind.SUPPLIER_CONTACT: _supplier_problem,
	OwnerKind.THIRD_PARTY_COLLABORATOR: _outsider_problem,
}


# Key date


def date_problems(stage, position: int, doctype: str) -> Iterator[str]:
	"""Yield the problems of a stage's key date rule, as sentences.

	Args:
		stage, position: as in `problems`.
		doctype: DocType of the workflow's documents.
	"""
	rule, days = stage.key_date_rule, cint(stage.offset_days)
	if rule == KeyDateRule.DOCUMENT_DATE_FIELD:
		if problem := _date_field_problem(stage.date_field, doctype):
			yield problem
	elif rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE and position == 0:
		yield _(
			"The first milestone has no previous milestone. Count its key date from a date field or from the document's creation, or set it manually."
		)
	elif rule in (KeyDateRule.AFTER_PREVIOUS_MILESTONE, KeyDateRule.AFTER_CREATION) and days < 0:
		yield _(
			"{0} days would put its key date before the date it counts from. Set Days to 0 or more."
		).format(days)
	if abs(days) > row_fields.MAX_DAYS:
		yield _("{0} days are too many. Set Days to at most {1}.").format(days, row_fields.MAX_DAYS)


def _date_field_problem(fieldname: str | None, doctype: str) -> str | None:
	if not fieldname:
		return _("Choose the date field of {0} from which its key date is counted.").format(_(doctype))
	if fieldname == "creation":
		return None
	field = frappe.get_meta(doctype).get_field(fieldname)
	if not field:
		return _("{0} has no field {1}. Choose one of its date fields.").format(
			_(doctype), escape_html(fieldname)
		)
	if field.fieldtype not in DAY_TYPES:
		return _("The field {0} of {1} is of type {2}. Choose a Date or Datetime field.").format(
			fieldname, _(doctype), _(field.fieldtype)
		)
	return None


# Reached when


def reach_problems(stage, doctype: str) -> Iterator[str]:
	"""Yield the problems of the rule by which a stage is reached, as sentences; none if its owner confirms it.

	Args:
		stage: as in `problems`.
		doctype: DocType of the workflow's documents.
	"""
	if stage.reach_rule != ReachRule.FIELD_VALUE:
		return
	if not stage.track_field:
		yield _("Choose the field of {0} whose value reaches it, or have it confirmed by its owner.").format(
			_(doctype)
		)
		return
	problem = trackable.why_not_field(doctype, stage.track_field)
	if problem:
		yield problem
	elif stage.track_value == "":
		yield _("Enter the value of {0} that reaches it.").format(stage.track_field)
	elif problem := _value_problem(doctype, stage.track_field, stage.track_value):
		yield problem


def _value_problem(doctype: str, fieldname: str, value: str) -> str | None:
	"""Return why a field can never have a value, or None."""
	if fieldname == "docstatus":
		return _docstatus_problem(doctype, value)
	field = frappe.get_meta(doctype).get_field(fieldname)
	if not field:
		return None
	states = _workflow_states(doctype, fieldname)
	if states is not None:
		return _choice_problem(fieldname, value, states)
	if field.fieldtype == "Select":
		return _choice_problem(fieldname, value, _options(field))
	if field.fieldtype == "Check":
		return _choice_problem(fieldname, value, ["0", "1"])
	if field.fieldtype == "Link" and not frappe.db.exists(field.options, value):
		return _("{0} is a link to {1}, but {2} does not exist. Choose an existing one.").format(
			fieldname, _(field.options), escape_html(value)
		)
	if not _is_readable(value, field.fieldtype):
		return _("{0} is of type {1} and can never be {2}. Choose a value of that type.").format(
			fieldname, _(field.fieldtype), escape_html(value)
		)
	return None


def _docstatus_problem(doctype: str, value: str) -> str | None:
	if not frappe.get_meta(doctype).is_submittable:
		return _(
			"Documents of {0} cannot be submitted, so docstatus never changes. Choose another field."
		).format(_(doctype))
	if value == "2":
		return _(
			"A cancelled document cancels its plan, so docstatus 2 reaches nothing. Choose 0 (draft) or 1 (submitted)."
		)
	if value not in ("0", "1"):
		return _("docstatus can never be {0}. Choose 0 (draft) or 1 (submitted).").format(escape_html(value))
	return None


def _choice_problem(fieldname: str, value: str, choices: list[str]) -> str | None:
	if not choices or value in choices:
		return None
	return _("{0} can never be {1}. Choose one of: {2}.").format(
		fieldname, escape_html(value), ", ".join(choices)
	)


def _options(field) -> list[str]:
	return [option.strip() for option in cstr(field.options).split("\n") if option.strip()]


def _workflow_states(doctype: str, fieldname: str) -> list[str] | None:
	"""Return the states of Frappe's active Workflow if this is its state field, else None."""
	name = get_workflow_name(doctype)
	workflow = name and frappe.get_cached_doc("Workflow", name)
	if not workflow or workflow.workflow_state_field != fieldname:
		return None
	return list(dict.fromkeys(row.state for row in workflow.states))


def _is_readable(value: str, fieldtype: str) -> bool:
	"""Tell whether a text is a valid value of a field type."""
	try:
		if fieldtype in NUMBER_TYPES:
			float(value)
		elif fieldtype in values.DATE_PARSERS:
			return values.DATE_PARSERS[fieldtype](value) is not None
	except Exception:
		return False
	return True


def normalize_value(stage, doctype: str) -> None:
	"""Bring the value of a stage into the form that document values are compared in, for example 5.0 into 5.

	Args:
		stage: row of Milestone Workflow Stage without problems.
		doctype: DocType of the workflow's documents.
	"""
	if stage.reach_rule == ReachRule.FIELD_VALUE:
		stage.track_value = values.as_text(stage.track_value, field_type(doctype, stage.track_field))


# Messages


def _reminder_problems(stage) -> Iterator[str]:
	first, every, at_most = (
		cint(stage.get(name)) for name in ("remind_after_days", "remind_every_days", "remind_at_most")
	)
	if not first and (every or at_most):
		yield _(
			"There is no first reminder. Set Follow-up Reminder After Days, or set Then Every Days and At Most Times to 0."
		)
	elif every and not at_most:
		yield _("Reminders every {0} days need an end. Set At Most Times.").format(every)
	elif at_most > 1 and not every:
		yield _("{0} reminders need days between them. Set Then Every Days.").format(at_most)


def _message_problems(stage, doctype: str) -> Iterator[str]:
	try:
		custom_messages.check_template(stage.custom_message, doctype)
	except frappe.ValidationError as error:
		frappe.clear_last_message()
		yield cstr(error)
