"""How the exit criteria of plans stand: read from the documents as they are stored now, never from what was known before.

Where no stage has criteria nothing is read. Otherwise documents, files, comments and other documents are read with one
query for each criterion at most, for one plan as for a batch of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import frappe
from frappe.model import default_fields, optional_fields, table_fields
from frappe.utils import cstr, flt, strip_html

from milestone_automation.engine.base import field_types, stored_rows
from milestone_automation.engine.people import criterion_texts, rights
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.criteria import Criterion, CriterionKind, Verdict
from milestone_automation.engine.rules.vocabulary import StageStatus
from milestone_automation.engine.tracking import conditions

# Of the other documents that link to one, the newest that a condition is asked of.
MOST_LINKED = 500
# So many of them are read together; most conditions hold for one of the newest.
READ_AT_ONCE = 50
# Kinds that ask for values of the plan's document itself.
OF_DOCUMENT = (CriterionKind.FIELD_SET, CriterionKind.CONDITION)


def judge(doctype: str, name, stages: Iterable, doc=None) -> list[list[Verdict]]:
	"""Return how the exit criteria of some stages of one document's plan stand, a list for each stage.

	Args:
		doctype, name: the document.
		stages: rows with `exit_criteria`, `waived_criteria` and `stage_name`.
		doc: the document as it is about to be written; as it is stored by default.

	Raises:
		ValueError: the stored criteria of a stage are no list of criteria.
	"""
	rows = list(stages)
	criteria_by_key = {one.key: one for row in rows for one in criteria.parse(row.get("exit_criteria"))}
	if not criteria_by_key:
		return [[] for _row in rows]
	facts = _Facts(doctype, {str(name): doc}, criteria_by_key.values()).of(str(name))
	return [_judge_stage(row, facts) for row in rows]


def judge_many(plans: Iterable[tuple[str, str, Sequence]]) -> list[list[list[Verdict]]]:
	"""Return how the exit criteria of some plans stand, with a constant number of queries for each DocType.

	Args:
		plans: DocType and name of the document, and stages as in `judge`, of each plan.

	Raises:
		ValueError: as `judge`.
	"""
	plans = list(plans)
	names, asked_criteria = defaultdict(dict), defaultdict(dict)
	for doctype, name, stages in plans:
		for criterion in (
			criterion for row in stages for criterion in criteria.parse(row.get("exit_criteria"))
		):
			names[doctype][str(name)] = None
			asked_criteria[doctype][criterion.key] = criterion
	facts = {doctype: _Facts(doctype, names[doctype], asked_criteria[doctype].values()) for doctype in names}
	return [
		[
			_judge_stage(row, facts[doctype].of(str(name)) if row.get("exit_criteria") else {})
			for row in stages
		]
		for doctype, name, stages in plans
	]


def of_open_stages(plan, stages: Sequence, doc=None) -> list[list[Verdict]]:
	"""Return how the exit criteria of a plan's open stages stand, a list for each of its stages; none for reached ones.

	Args:
		plan: row of the plan.
		stages: its stages, in order.
		doc: as in `judge`.

	Raises:
		ValueError: as `judge`.
	"""
	open_stages = [row for row in stages if has_open(row)]
	verdict_lists = iter(judge(plan.reference_type, plan.reference_name, open_stages, doc))
	return [next(verdict_lists) if has_open(row) else [] for row in stages]


def has_open(stage) -> bool:
	"""Tell whether a stage is open and has exit criteria.

	Args:
		stage: row with `exit_criteria` and `status`; one that is not stored yet has no status.
	"""
	return bool(stage.get("exit_criteria")) and stage.get("status") != StageStatus.REACHED


def ask_of_document(stages: Iterable) -> bool:
	"""Tell whether open exit criteria ask for values of the plan's document itself; files and the like tell by themselves.

	Args:
		stages: rows of one plan, as in `judge`, each with its `status`.

	Raises:
		ValueError: as `judge`.
	"""
	return any(
		criterion.kind in OF_DOCUMENT
		for stage in stages
		if has_open(stage)
		for criterion in criteria.parse(stage.exit_criteria)
	)


def _judge_stage(stage, facts: dict[str, bool | None]) -> list[Verdict]:
	waived = criteria.waivers(stage.get("waived_criteria"))
	return criteria.judge(
		criteria.parse(stage.get("exit_criteria")), facts, waived, stage.get("stage_name") or ""
	)


# Facts


class _Facts:
	"""What is known of some documents of one DocType; each criterion is asked once."""

	def __init__(self, doctype: str, documents: dict, asked_criteria: Iterable[Criterion]):
		self.doctype = doctype
		self.given_documents = documents
		self.names = list(documents)
		asked_criteria = list(asked_criteria)
		self.documents = self._read(asked_criteria)
		self.met = {one.key: _KINDS[one.kind](self, one) for one in asked_criteria}

	def of(self, name: str) -> dict[str, bool | None]:
		return {key: None if met is None else name in met for key, met in self.met.items()}

	def _read(self, asked_criteria: list[Criterion]) -> dict:
		"""Return the documents whose fields are asked for: one query at most where no rows of tables are."""
		of_document = [criterion for criterion in asked_criteria if criterion.kind in OF_DOCUMENT]
		used_fields = {
			name
			for criterion in of_document
			for name in (criterion.field, *conditions.fields_of(criterion.condition))
			if name
		}
		missing_names = (
			[name for name, doc in self.given_documents.items() if doc is None] if of_document else []
		)
		present_documents = {name: doc for name, doc in self.given_documents.items() if doc is not None}
		return present_documents | _documents(self.doctype, missing_names, used_fields)


def _documents(doctype: str, names: list[str], fieldnames: Iterable[str]) -> dict[str, object]:
	"""Return documents, or their rows, by name: whole where something is asked for that is no column of their own."""
	meta = rights.stored_meta(doctype)
	if not meta or not names:
		return {}
	elsewhere = {
		field.fieldname for field in meta.fields if field.fieldtype in table_fields or field.get("is_virtual")
	}
	if elsewhere.intersection(fieldnames):
		row_by_name = stored_rows.read_many(doctype, names, ("name",))
		return {name: frappe.get_doc(doctype, row["name"]) for name, row in row_by_name.items()}
	columns = stored_rows.columns_of(doctype, ("name", *fieldnames))
	rows = stored_rows.read_many(doctype, names, columns)
	return {name: frappe._dict(row, doctype=doctype) for name, row in rows.items()}


def _with_field(facts: _Facts, criterion: Criterion) -> set[str] | None:
	meta = rights.stored_meta(facts.doctype)
	field = meta and meta.get_field(criterion.field)
	if not field or not criterion_texts.can_be_set(field):
		return None
	return {name for name, doc in facts.documents.items() if _is_set(doc.get(criterion.field), field)}


def _is_set(value, field) -> bool:
	if value is None or value == "":
		return False
	if field.fieldtype in field_types.NUMBER_TYPES:
		return flt(value) != 0
	if field.fieldtype in field_types.HTML_TYPES:
		return bool(strip_html(cstr(value)).strip()) or "<img" in value
	return not isinstance(value, list | str) or bool(value.strip() if isinstance(value, str) else value)


def _under_condition(facts: _Facts, criterion: Criterion) -> set[str] | None:
	if not _has_fields(facts.doctype, conditions.fields_of(criterion.condition)):
		return None
	return {name for name, doc in facts.documents.items() if _holds(criterion.condition, doc)}


def _holds(condition: str, doc) -> bool:
	"""Tell whether a condition holds. One that fails on the values of a document - an empty number, say - does not."""
	try:
		return conditions.holds(condition, doc)
	except Exception:
		return False


def _has_fields(doctype: str, fieldnames: Iterable[str]) -> bool:
	meta = rights.stored_meta(doctype)
	known_fields = (
		{*default_fields, *optional_fields, *(field.fieldname for field in meta.fields)} if meta else ()
	)
	return bool(meta) and known_fields.issuperset(fieldnames)


def _with_file(facts: _Facts, criterion: Criterion) -> set[str]:
	filters = {"attached_to_doctype": facts.doctype, "attached_to_name": ("in", facts.names)}
	return _names("File", filters, "attached_to_name")


def _with_comment(facts: _Facts, criterion: Criterion) -> set[str]:
	filters = {"reference_doctype": facts.doctype, "reference_name": ("in", facts.names)}
	return _names("Comment", filters | {"comment_type": "Comment"}, "reference_name")


def _names(doctype: str, filters: dict, column: str) -> set[str]:
	"""Return the values of a column. Whether something is there does not depend on who asks."""
	names = frappe.get_all(doctype, filters=filters, pluck=column, distinct=True, order_by=column, limit=0)
	return {str(value) for value in names}


# Other documents


def _with_document(facts: _Facts, criterion: Criterion) -> set[str] | None:
	link = criterion_texts.link_of(criterion.doctype, criterion.link_field)
	used_fields = conditions.fields_of(criterion.condition)
	if (
		not link
		or not criterion_texts.leads_to(link[1], facts.doctype)
		or not _has_fields(criterion.doctype, used_fields)
	):
		return None
	table, field = link
	filters = {field.fieldname: ("in", facts.names)}
	if field.fieldtype == "Dynamic Link":
		filters[field.options] = facts.doctype
	if table != criterion.doctype:
		filters["parenttype"] = criterion.doctype
	if frappe.get_meta(criterion.doctype).is_submittable:
		filters["docstatus"] = 1
	if not criterion.condition:
		return _names(table, filters, field.fieldname)
	return _linked_under_condition(criterion, used_fields, (table, field.fieldname), filters)


def _linked_under_condition(
	criterion: Criterion, used_fields, link: tuple[str, str], filters: dict
) -> set[str]:
	table, column = link
	name = "name" if table == criterion.doctype else "parent"
	rows = frappe.get_all(table, filters=filters, fields=[column, name], order_by="modified desc", limit=0)
	linked = _newest(rows, column, name)
	met: set[str] = set()
	for start in range(0, MOST_LINKED, READ_AT_ONCE):
		remaining = {document: others[start:] for document, others in linked.items() if document not in met}
		met |= _documents_met(criterion, used_fields, remaining)
	return met


def _newest(rows: list, column: str, name: str) -> dict[str, list[str]]:
	"""Return the other documents that link to each document, each once, as many as count."""
	linked = defaultdict(dict)
	for row in rows:
		linked[str(row[column])][str(row[name])] = None
	return {document: list(others)[:MOST_LINKED] for document, others in linked.items()}


def _documents_met(criterion: Criterion, used_fields, linked: dict[str, list[str]]) -> set[str]:
	"""Return the documents for which the condition holds on one of the next other documents."""
	next_ones = {document: others[:READ_AT_ONCE] for document, others in linked.items() if others}
	other_names = list(dict.fromkeys(other for others in next_ones.values() for other in others))
	documents = _documents(criterion.doctype, other_names, used_fields) if other_names else {}
	holding = {other for other, doc in documents.items() if _holds(criterion.condition, doc)}
	return {document for document, others in next_ones.items() if holding.intersection(others)}


_KINDS: dict[CriterionKind, Callable] = {
	CriterionKind.FIELD_SET: _with_field,
	CriterionKind.CONDITION: _under_condition,
	CriterionKind.FILE: _with_file,
	CriterionKind.COMMENT: _with_comment,
	CriterionKind.DOCUMENT: _with_document,
}
