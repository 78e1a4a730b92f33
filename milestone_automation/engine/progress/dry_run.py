"""What next steps would do to a document: they are done with the rights of their author, and all of it is undone."""

from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import cstr

from milestone_automation.engine.base import guard, trial
from milestone_automation.engine.people import field_rights
from milestone_automation.engine.progress import next_steps, step_author
from milestone_automation.engine.workflows import action_registry

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
	"""
	with trial.undone():
		return [_try(step, author, plan, stage) for step in steps]


def _try(step, author: str | None, plan, stage) -> Outcome:
	save_point = f"milestone_step_{frappe.generate_hash(length=8)}"
	frappe.db.savepoint(save_point)
	try:
		before = _values(plan)
		is_met, said = step_author.run(step, author, plan, stage, is_trial=True)
		if not is_met:
			return Outcome(False, [_("The document does not meet its condition.")])
		sentences = [said] if isinstance(said, str) else _warning(step)
		return Outcome(True, [*sentences, *_changes(plan, before)] or [_("It would be done.")])
	except Exception as error:
		if guard.is_conflict(error):
			raise
		frappe.db.rollback(save_point=save_point)
		return Outcome(False, [next_steps.words_of(error)])


def _warning(step: dict) -> list[str]:
	action = action_registry.actions()[step["action"]]
	if action.leaves_site:
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
