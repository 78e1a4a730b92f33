"""Rules for the exit criteria of a workflow's milestones. `problems` yields sentences; only `tidy` changes a row."""

import json
from collections.abc import Iterator
from dataclasses import replace

import frappe
from frappe import _
from frappe.utils import cstr, escape_html

from milestone_automation.engine.base import parsing, plain_text
from milestone_automation.engine.people import criterion_texts, field_rights, rights
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.criteria import Criterion, CriterionKind
from milestone_automation.engine.tracking import conditions, expressions

EXAMPLE = '[{"kind": "Field Is Set", "field": "inspected_on"}, {"kind": "File Is Attached"}]'
# What a label may have; it stands in lists and mails.
LONGEST_LABEL = 140


def tidy(stage) -> None:
	"""Bring the exit criteria of a row into their stored form: only what their kind uses. What cannot be read stays.

	Args:
		stage: row of Milestone Workflow Stage.
	"""
	if isinstance(stage.exit_criteria, list | dict):
		stage.exit_criteria = json.dumps(stage.exit_criteria)
	parsed_criteria = parsed(stage)
	if parsed_criteria is not None:
		cleaned = [replace(one, label=plain_text.clean(one.label)) for one in parsed_criteria]
		stage.exit_criteria = criteria.dump(cleaned)


def parsed(stage) -> tuple[Criterion, ...] | None:
	"""Return the exit criteria of a row; None where they cannot be read or stored.

	Args:
		stage: row with `exit_criteria`, of a workflow or plan.
	"""
	parsed_criteria = criteria.parse_or_none(cstr(stage.get("exit_criteria")))
	if parsed_criteria is None:
		return None
	return (
		parsed_criteria
		if all(parsing.is_storable((*one.rule, one.label)) for one in parsed_criteria)
		else None
	)


def required_texts(stages, doctype: str) -> list[str]:
	"""Return what the required exit criteria of some rows ask for, as sentences; those that cannot be read say nothing.

	Args:
		stages: rows with `exit_criteria`.
		doctype: DocType of the workflow's documents.
	"""
	parsed_criteria = [one for stage in stages for one in parsed(stage) or ()]
	return [criterion_texts.describe(one, doctype) for one in parsed_criteria if one.required]


def problems(stage, doctype: str, known: frozenset[str] = frozenset()) -> Iterator[str]:
	"""Yield the problems of a row's exit criteria, as sentences that say what to do.

	Args:
		stage: row of Milestone Workflow Stage, after `tidy`.
		doctype: DocType of the workflow's documents.
		known: keys of criteria that were there before: what they ask of other documents was their author's right.
	"""
	parsed_criteria = parsed(stage)
	if parsed_criteria is None:
		yield _("Exit Criteria must be a JSON list of at most {0} criteria. Example: {1}.").format(
			criteria.MOST_CRITERIA, escape_html(EXAMPLE)
		)
		return
	keys = set()
	for number, criterion in enumerate(parsed_criteria, 1):
		sentences = [*_problems_of_one(criterion, doctype, known)]
		if criterion.key in keys:
			sentences.append(_("It is there twice. Remove one of them."))
		keys.add(criterion.key)
		for sentence in sentences:
			yield _("Exit criterion {0}: {1}").format(number, sentence)


def _problems_of_one(criterion: Criterion, doctype: str, known: frozenset[str]) -> Iterator[str]:
	if len(criterion.label) > LONGEST_LABEL:
		yield _("Its label is too long. Use at most {0} characters.").format(LONGEST_LABEL)
	if criterion.kind is CriterionKind.FIELD_SET:
		yield from _field_problems(criterion.field, doctype)
	elif criterion.kind is CriterionKind.CONDITION:
		yield from _own_condition_problems(criterion, doctype)
	elif criterion.kind is CriterionKind.DOCUMENT:
		yield from _document_problems(criterion, doctype, known)


def _field_problems(fieldname: str, doctype: str) -> Iterator[str]:
	field = frappe.get_meta(doctype).get_field(fieldname) if fieldname else None
	if not fieldname:
		yield _("Choose the field of {0} that has to be set.").format(_(doctype))
	elif not field or not criterion_texts.can_be_set(field):
		yield _("{0} has no field {1} that can be set. Choose another field.").format(
			_(doctype), escape_html(fieldname)
		)


def _own_condition_problems(criterion: Criterion, doctype: str) -> Iterator[str]:
	if not criterion.condition:
		yield _("Enter the condition. Example: {0}").format("doc.qty > 0")
	if not criterion.label:
		yield _("Enter a label: people read it instead of the condition.")
	if fault := conditions.problem(criterion.condition, doctype):
		yield fault


# Other documents


def _document_problems(criterion: Criterion, doctype: str, known: frozenset[str]) -> Iterator[str]:
	if not criterion.doctype:
		yield _("Choose the document type that has to exist.")
		return
	if problem := _doctype_problem(criterion.doctype, is_known=criterion.key in known):
		yield problem
		return
	link = criterion_texts.link_of(criterion.doctype, criterion.link_field)
	if not link or not criterion_texts.leads_to(link[1], doctype):
		yield _("Choose the field of {0} that links to {1}.").format(_(criterion.doctype), _(doctype))
		return
	if fault := conditions.problem(criterion.condition, criterion.doctype):
		yield fault
	elif criterion.key not in known:
		yield from _hidden_document_problems(criterion)
		yield from _hidden_field_problems(criterion)


def _doctype_problem(doctype: str, is_known: bool) -> str | None:
	meta = rights.stored_meta(doctype)
	if not meta or not (is_known or rights.sees_everything() or frappe.has_permission(doctype, "read")):
		return _("{0} does not exist, or you may not read it. Choose another document type.").format(
			escape_html(doctype)
		)
	if meta.issingle or meta.istable or meta.get("is_virtual"):
		return _("{0} has no documents of its own. Choose another document type.").format(_(doctype))
	return None


def _hidden_document_problems(criterion: Criterion) -> Iterator[str]:
	"""Yield that the session user may read only some of the other documents: the answer tells of all of them."""
	if not criterion_texts.reads_all(criterion.doctype):
		yield _(
			"You may read only some documents of {0}, and it would tell of all. Ask somebody who may read all of them."
		).format(_(criterion.doctype))


def _hidden_field_problems(criterion: Criterion) -> Iterator[str]:
	"""Yield the fields of other documents that the session user uses and may not read."""
	table, _dot, fieldname = criterion.link_field.rpartition(".")
	hidden, columns = field_rights.hidden(criterion.doctype), field_rights.hidden_of_rows(criterion.doctype)
	used_fields, used_columns = conditions.fields_used(criterion.condition, criterion.doctype)
	used_hidden = hidden & {*used_fields, table or fieldname}
	used_hidden |= set().union(*columns.values()) & used_columns
	used_hidden |= columns.get(table, set()) & {fieldname}
	for name in sorted(used_hidden):
		yield _("It uses {0}, which you may not read. Ask somebody who may to write it.").format(name)


def uses(stage, doctype: str) -> Iterator[tuple[str, str, bool]]:
	"""Yield each field of the document that a row's exit criteria use; of conditions that cannot be read, none.

	Args:
		stage: row with `exit_criteria`.
		doctype: DocType of the workflow's documents.

	Yields:
		tuple: all that the criterion says, the fieldname, and whether it is one of the rows of the document's tables.
	"""
	for criterion in parsed(stage) or ():
		words = "\n".join(criterion.rule)
		if criterion.kind is CriterionKind.FIELD_SET and criterion.field:
			yield words, criterion.field, False
		if criterion.kind is not CriterionKind.CONDITION:
			continue
		try:
			fields, columns = conditions.fields_used(criterion.condition, doctype)
		except (SyntaxError, expressions.NotAllowed):
			continue
		yield from ((words, name, False) for name in sorted(fields))
		yield from ((words, name, True) for name in sorted(columns))
