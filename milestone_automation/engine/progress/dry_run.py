"""What next steps would do to a document: they are done with the rights of their author, and all of it is undone."""

from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import cstr, get_fullname

from milestone_automation.engine.base import guard, trial
from milestone_automation.engine.people import field_rights
from milestone_automation.engine.progress import next_steps, step_author
from milestone_automation.engine.workflows import action_registry, field_mapping

# Of a document, how many changed fields are told.
MOST_CHANGES = 10
# They change with every save.
NOT_TOLD = frozenset({"modified", "modified_by"})


class Outcome(NamedTuple):
	"""What became of a step that was tried.

	Attributes:
		is_done: whether it would be done.
		sentences: what would happen, or why it would not.
	"""

	is_done: bool
	sentences: list[str]


def try_steps(steps: list, author: str | None, plan, stage) -> list[Outcome]:
	"""Return what would become of the next steps of one event, one after the other; changes nothing.

	Args:
		steps: what the workflow says.
		author: who has written them; their rights count.
		plan: row of a plan, or one that was never stored.
		stage: row of the stage.

	Raises:
		Exception: a conflict with somebody who changes the same rows; every other error is an outcome.
	"""
	outcomes, tells_values = [], True
	with trial.undone():
		for step in steps:
			outcome = _try(step, author, plan, stage, tells_values)
			outcomes.append(outcome)
			# From then on a field that may be read holds what may not.
			tells_values = tells_values and not (
				outcome.is_done and _copies_hidden(step, plan.reference_type)
			)
	return outcomes


def _try(step, author: str | None, plan, stage, tells_values: bool) -> Outcome:
	save_point = f"milestone_step_{frappe.generate_hash(length=8)}"
	frappe.db.savepoint(save_point)
	try:
		before = _values(plan)
		is_met, answer = step_author.run(step, author, plan, stage, is_trial=True)
		if not is_met:
			return Outcome(False, [_("The document does not meet its condition.")])
		sentences = [answer] if isinstance(answer, str) else _warning(step)
		if tells_values and not _copies_hidden(step, plan.reference_type):
			sentences += _changes(plan, before)
		return Outcome(True, sentences or [_("It would be done.")])
	except Exception as error:
		if guard.is_conflict(error):
			raise
		frappe.db.rollback(save_point=save_point)
		return Outcome(False, [_reason(error, author, plan.reference_type)])


def _reason(error: Exception, author: str, doctype: str) -> str:
	"""Return why a step would not be done. What somebody else is told may hold values that the session user may not read."""
	names_no_value = isinstance(error, (guard.GateError, frappe.PermissionError))
	if names_no_value or author == frappe.session.user or not _hides_some(doctype):
		return next_steps.words_of(error)
	return _("It would not be done. You may not read all fields of {0}, so only {1} is told why.").format(
		_(doctype), get_fullname(author)
	)


def _hides_some(doctype: str) -> bool:
	of_rows = field_rights.hidden_of_rows(doctype).values()
	return bool(field_rights.hidden(doctype)) or any(of_rows)


def _copies_hidden(step: dict, doctype: str) -> bool:
	"""Tell whether a step writes what the session user may not read into fields that they may read."""
	arguments = action_registry.action(step["action"]).arguments
	mappings = [step.get(name) or [] for name, argument in arguments.items() if argument.kind == "Mapping"]
	place = field_mapping.Place(doctype, None, doctype)
	return any(problem for one in mappings for problem in field_mapping.source_problems(one, place))


def _warning(step: dict) -> list[str]:
	if action_registry.action(step["action"]).leaves_site:
		return [_("It would be done. What it does outside cannot be tried.")]
	return []


def _values(plan) -> dict:
	return frappe.get_doc(plan.reference_type, plan.reference_name).get_valid_dict()


def _changes(plan, before: dict) -> list[str]:
	"""Return which values would change, of those that the session user may read."""
	doctype, after = plan.reference_type, _values(plan)
	meta, hidden = frappe.get_meta(doctype), field_rights.hidden(doctype)
	changed_fields = [
		name
		for name in after
		if name not in NOT_TOLD and name not in hidden and cstr(after[name]) != cstr(before.get(name))
	]
	return [
		_("{0} would change from {1} to {2}.").format(
			_(meta.get_label(name)), _shown(before.get(name), meta, name), _shown(after[name], meta, name)
		)
		for name in changed_fields[:MOST_CHANGES]
		if meta.get_field(name) or name == "docstatus"
	]


def _shown(value, meta, name: str) -> str:
	if name == "docstatus":
		return {0: _("Draft"), 1: _("Submitted"), 2: _("Cancelled")}[int(value or 0)]
	if value in (None, ""):
		return _("empty")
	field = meta.get_field(name)
	return _(value) if field.fieldtype == "Select" else cstr(frappe.format(value, field))
