"""Which fields of its documents a workflow uses, so that nobody reads through it what they may not read.

Conditions, filters, values that reach a stage, exit criteria, dates, people and messages all tell something of a field. What an author
may not read they may not use; what somebody else has written before them stays.
"""

from collections.abc import Iterator
from typing import NamedTuple

from frappe import _
from frappe.utils import cstr

from milestone_automation.engine.people import field_rights
from milestone_automation.engine.tracking import conditions, expressions
from milestone_automation.engine.workflows import criteria_validation, custom_messages, document_filters

SUPPLIER = "supplier_field"
# Fields of rows that name a field of the document, each with what else of the row says how it is used.
STAGE_FIELDS = {
	"track_field": ("track_value", "reach_rule"),
	"date_field": ("offset_days", "key_date_rule"),
	"owner_field": ("owner_kind",),
}
TASK_FIELDS = {"assignee_field": ("assignee_kind",)}


class Use(NamedTuple):
	"""One use of a field.

	Attributes:
		row: the row it is in, or the workflow.
		place: the field of the row that says it.
		words: all that is said there: a use of the same field by other words is another use.
		fieldname: of the document, or of the rows of its tables.
		is_column: whether it is of the rows of its tables.
	"""

	row: str
	place: str
	words: str
	fieldname: str
	is_column: bool = False


def problems(workflow, label) -> Iterator[str]:
	"""Yield the fields that the session user uses in a workflow and may not read, as sentences.

	Args:
		workflow: Milestone Workflow document whose parts were checked, with its state before the save.
		label: returns how a message calls a row.
	"""
	doctype = workflow.document_type
	hidden = field_rights.hidden(doctype)
	hidden_columns = set().union(*field_rights.hidden_of_rows(doctype).values())
	if not hidden and not hidden_columns:
		return
	before = workflow.get_doc_before_save()
	known = set(uses(before)) if before and before.document_type == doctype else set()
	rows = {_key(row): row for row in (workflow, *workflow.stages, *workflow.tasks)}
	for use in uses(workflow):
		if use not in known and use.fieldname in (hidden_columns if use.is_column else hidden):
			row = rows[use.row]
			sentence = _("{0} uses {1}, which you may not read. Ask somebody who may to write it.").format(
				_(row.meta.get_label(use.place)), use.fieldname
			)
			yield f"{label(row)}: {sentence}" if row is not workflow else sentence


def uses(workflow) -> Iterator[Use]:
	"""Yield every use of a field in a workflow. Parts that cannot be read use none.

	Args:
		workflow: Milestone Workflow document, checked or not.
	"""
	yield from _uses_of_text(workflow, "condition", conditions.fields_used, workflow.document_type)
	for fieldname in _filtered_fields(workflow.document_filters):
		yield Use(_key(workflow), "document_filters", cstr(workflow.document_filters), fieldname)
	yield from _uses_of_row(workflow, {SUPPLIER: ()})
	for stage in workflow.stages:
		yield from _uses_of_row(stage, STAGE_FIELDS)
		yield from _uses_of_text(stage, "custom_message", custom_messages.fields_used, workflow.document_type)
		for words, fieldname, is_column in criteria_validation.uses(stage, workflow.document_type):
			yield Use(_key(stage), "exit_criteria", words, fieldname, is_column)
	for task in workflow.tasks:
		yield from _uses_of_row(task, TASK_FIELDS)


def _key(row) -> str:
	return row.name or f"{row.doctype} {row.idx}"


def _uses_of_row(row, fields: dict[str, tuple]) -> Iterator[Use]:
	for place, details in fields.items():
		if row.get(place):
			words = "\n".join(cstr(row.get(name)) for name in (place, *details))
			yield Use(_key(row), place, words, row.get(place))


def _uses_of_text(row, place: str, read, doctype: str) -> Iterator[Use]:
	words = cstr(row.get(place)).strip()
	try:
		fields, columns = read(words, doctype)
	except (SyntaxError, expressions.NotAllowed, *custom_messages.UNREADABLE):
		return
	for fieldname in sorted(fields):
		yield Use(_key(row), place, words, fieldname)
	for fieldname in sorted(columns):
		yield Use(_key(row), place, words, fieldname, is_column=True)


def _filtered_fields(text: str | None) -> list[str]:
	try:
		return [one.fieldname for one in document_filters.parse(text)]
	except ValueError:
		return []
