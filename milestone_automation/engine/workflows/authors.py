"""Who wrote what of a workflow acts in somebody's name: its next steps and custom messages, and what outsiders are shown.

Kept by the server on each row, never taken from what a request says. Whoever changes when a step runs becomes its author
too: otherwise a step written by somebody with more rights could be started at will.
"""

import frappe
from frappe.utils import cstr

from milestone_automation.engine.base.save_state import Mark, marked
from milestone_automation.engine.people import field_rights, rights
from milestone_automation.engine.rules import names
from milestone_automation.engine.rules.vocabulary import OUTSIDE_OWNERS, StepEvent

# When a plan is made at all.
WHICH_DOCUMENTS = ("document_type", "document_filters", "condition", "supplier_field")
# When a stage is reached, and by whom.
WHEN_REACHED = (
	"reach_rule",
	"track_field",
	"track_value",
	"owner_kind",
	"owner_user",
	"owner_role",
	"owner_field",
	"owner_email",
	"gate_mode",
)
# When it is late or blocked.
WHEN_LATE = (
	"dependency",
	"predecessors",
	"key_date_rule",
	"date_field",
	"offset_days",
	"working_days",
	"exit_criteria",
)
LATE_EVENTS = (StepEvent.REACHED_LATE, StepEvent.BLOCKED, StepEvent.OVERDUE)
# Whoever has a message sent to somebody without a right to the document.
SENT_OUTSIDE = ("owner_kind", "owner_email")
# By the field of the author: the text, and what else of the row decides about it.
AUTHORED = {
	"next_actions_by": ("next_actions", WHEN_REACHED),
	"custom_message_by": ("custom_message", SENT_OUTSIDE),
}
# Of the workflow: who wrote what is done when all stages are reached.
COMPLETED, COMPLETED_BY = "completed_actions", "completed_actions_by"
# Who chose the fields of the document that people from outside are shown.
SHOWN, SHOWN_BY = "shown_fields", "shown_fields_by"
AUTHOR_FIELDS = (*AUTHORED, COMPLETED_BY, SHOWN_BY)


def stamp(workflow) -> None:
	"""Write into each row of a workflow that is being saved who its authors are.

	Args:
		workflow: Milestone Workflow document, with its state before the save. With the flag `written_elsewhere` nobody of
			this site is its author yet: whoever saves it next is.
	"""
	before = workflow.get_doc_before_save()
	former = {row.name: row for row in before.stages} if before else {}
	is_for_same = bool(before) and _is_same(before, workflow, WHICH_DOCUMENTS)
	for stage in workflow.stages:
		for author_field in AUTHORED:
			former_author = _author_before(former.get(stage.name), stage, author_field, is_for_same)
			text = cstr(stage.get(AUTHORED[author_field][0])).strip()
			stage.set(author_field, _author(workflow, former_author) if text else None)
	former_author = (
		before.get(COMPLETED_BY) if is_for_same and _completes_as_before(before, workflow) else None
	)
	text = cstr(workflow.get(COMPLETED)).strip()
	workflow.set(COMPLETED_BY, _author(workflow, former_author) if text else None)
	workflow.set(SHOWN_BY, _author(workflow, _chooser_before(workflow)) if workflow.get(SHOWN) else None)


def _chooser_before(workflow) -> str | None:
	"""Return who chose the fields shown to outsiders before this save, unless only who saves it may still read them."""
	before = workflow.get_doc_before_save()
	if not before or not _is_same(before, workflow, ("document_type",)):
		return None
	shown_names, doctype = names.lines(workflow.get(SHOWN)), workflow.document_type
	if names.lines(before.get(SHOWN)) != shown_names:
		return None
	chooser = before.get(SHOWN_BY)
	is_lost = (
		chooser
		and rights.stored_meta(doctype)
		and field_rights.hidden(doctype, user=chooser) & set(shown_names)
	)
	return None if is_lost and not is_lost & field_rights.hidden(doctype) else chooser


def _author(workflow, former_author: str | None) -> str | None:
	return None if marked(workflow, Mark.WRITTEN_ELSEWHERE) else former_author or frappe.session.user


def _completes_as_before(before, workflow) -> bool:
	"""Tell whether what is done for a completed plan, and when one is completed, are as they were."""
	rules = [
		{row.name: [_plain(row.get(name)) for name in WHEN_REACHED] for row in version.stages}
		for version in (before, workflow)
	]
	return _is_same(before, workflow, (COMPLETED,)) and rules[0] == rules[1]


def _author_before(former, stage, author_field: str, is_for_same: bool) -> str | None:
	"""Return who wrote a row's text before this save, if the text is still theirs."""
	text, decisive = AUTHORED[author_field]
	if decisive is SENT_OUTSIDE and former and not _goes_outside(former, stage):
		decisive = ()
	if text == "next_actions" and any(event.value in cstr(stage.get(text)) for event in LATE_EVENTS):
		decisive = (*decisive, *WHEN_LATE)
	if not former or (decisive and not is_for_same) or not _is_same(former, stage, (text, *decisive)):
		return None
	return former.get(author_field)


def _goes_outside(former, stage) -> bool:
	return any(row.get("owner_kind") in OUTSIDE_OWNERS for row in (former, stage))


def _is_same(before, now, fieldnames: tuple[str, ...]) -> bool:
	return all(_plain(before.get(name)) == _plain(now.get(name)) for name in fieldnames)


def _plain(value) -> str:
	return cstr(value or "").strip()


def wrote_now(row, author_field: str = "next_actions_by") -> bool:
	"""Tell whether the text of a stage or workflow is the session user's.

	Args:
		row: stage or workflow, after `stamp`.
		author_field: which text, by the field of its author; one of `AUTHOR_FIELDS`.
	"""
	return row.get(author_field) == frappe.session.user
