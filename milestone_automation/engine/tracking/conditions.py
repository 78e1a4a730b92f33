"""Conditions on a document: expressions of the language in `expressions`, checked when they are saved."""

import ast
import functools
import html
from typing import NamedTuple, NoReturn

import frappe
from frappe import _
from frappe.model import default_fields, optional_fields

from milestone_automation.engine.base import budget, message_log
from milestone_automation.engine.tracking import expressions, samples


def holds(condition: str | None, doc, stored: dict | None = None) -> bool:
	"""Tell whether a document meets a condition; without a condition it does.

	Args:
		condition: expression on `doc`.
		doc: the document; the expression reads its fields and cannot change it.
		stored: values of its stored row; they count where the document in memory has others.

	Raises:
		Exception: what the expression raises, `BudgetExceeded` too.
	"""
	if not condition or not condition.strip():
		return True
	return bool(expressions.evaluate(condition.strip(), _AsStored(doc, stored) if stored else doc))


class _AsStored:
	"""A document whose stored values count where it has others in memory."""

	def __init__(self, doc, stored: dict):
		self.doc, self.stored = doc, stored

	def get(self, fieldname: str):
		"""Return the stored value of a field, or what the document has.

		Args:
			fieldname: of the document; what was read of the row counts, None too.
		"""
		return self.stored[fieldname] if fieldname in self.stored else self.doc.get(fieldname)


@functools.cache
def fields_of(condition: str | None) -> tuple[str, ...]:
	"""Return the fields of the document a condition uses, each once; none if it is no expression.

	Args:
		condition: expression on `doc`; empty or None for none.

	Returns:
		tuple: field names, sorted; also of fields that the DocType does not have.
	"""
	if not condition or not condition.strip():
		return ()
	try:
		return tuple(sorted(expressions.fields_used(expressions.parse(condition.strip()))))
	except (SyntaxError, expressions.NotAllowed):
		return ()


def fields_used(condition: str | None, doctype: str, has_row: bool = False) -> tuple[set[str], set[str]]:
	"""Return the fields of a document that a condition reads, and the columns of its rows.

	Args:
		condition: checked before.
		doctype: of the documents.
		has_row: whether it is about a row too.

	Raises:
		SyntaxError: the condition is no expression; so it was not checked.
		expressions.NotAllowed: the language does not have a part of it.
	"""
	if not condition or not condition.strip():
		return set(), set()
	tree = expressions.parse(condition.strip(), has_row)
	return expressions.fields_used(tree), expressions.columns_used(tree) & _columns(doctype)


class _Fault(NamedTuple):
	"""What is wrong with an expression.

	Attributes:
		kind: "syntax", "field" or "value".
		details: what the sentence about it says, safe to show in HTML.
	"""

	kind: str
	details: tuple[str, ...]


class _Wrong(Exception):
	"""Ends the search for faults with the first one."""

	def __init__(self, kind: str, *details: str):
		super().__init__(kind)
		self.fault = _Fault(kind, details)


def check(condition: str | None, doctype: str) -> None:
	"""Refuse a condition with syntax errors, unknown names or fields that the DocType does not have.

	Args:
		condition: Python expression on `doc`; may be empty.
		doctype: DocType of the documents.

	Raises:
		frappe.ValidationError: says what is wrong and what to write instead.
	"""
	fault = problem(condition, doctype)
	if fault:
		frappe.throw(fault, title=_("Invalid Condition"))


def problem(condition: str | None, doctype: str) -> str | None:
	"""Return what is wrong with a condition, as a sentence; None where nothing is.

	Args:
		condition, doctype: as for `check`.
	"""
	fault = _fault(condition, doctype)
	return fault and {
		"syntax": _("The condition is not a Python expression: {0}. Example: doc.status == 'Open'."),
		"field": _(
			"The condition uses doc.{0}, but {1} has no field {0}. Use the field's name, not its label."
		),
		"value": _("The condition cannot be evaluated: {0}. It may use doc and frappe.utils only."),
	}[fault.kind].format(*fault.details)


def formula_problem(formula: str | None, doctype: str, row_doctype: str | None = None) -> str | None:
	"""Return what is wrong with a formula, which is of the same language, as a sentence; None where nothing is.

	Args:
		formula: Python expression on `doc`, and on `row` where there is one.
		doctype: DocType of the documents.
		row_doctype: DocType of the row, of a table of the document; None for the document alone.
	"""
	fault = _fault(formula, doctype, row_doctype)
	return fault and {
		"syntax": _("The formula is not a Python expression: {0}. Example: doc.grand_total * 30 / 100."),
		"field": _(
			"The formula uses doc.{0}, but {1} has no field {0}. Use the field's name, not its label."
		),
		"value": _(
			"The formula cannot be evaluated: {0}. It may use doc, frappe.utils and, in a table, row."
		),
	}[fault.kind].format(*fault.details)


def _fault(text: str | None, doctype: str, row_doctype: str | None = None) -> _Fault | None:
	if not text or not text.strip():
		return None
	try:
		tree = _parse(text.strip(), doctype, has_row=bool(row_doctype))
		_check_columns(tree, doctype)
		_try(text.strip(), doctype, row_doctype)
	except _Wrong as wrong:
		return wrong.fault
	return None


def _try(text: str, doctype: str, row_doctype: str | None) -> None:
	"""Evaluate with a sample document. Other documents have other values, so only what can never work is refused."""
	messages = message_log.count()
	try:
		row = samples.document(row_doctype) if row_doctype else None
		expressions.evaluate(text, samples.document(doctype), row)
	except (budget.BudgetExceeded, budget.NotCalculable) as error:
		_refuse(str(error))
	except Exception:
		message_log.forget_after(messages)


def _parse(text: str, doctype: str, has_row: bool = False) -> ast.Expression:
	try:
		if len(text) <= budget.MOST_WRITTEN:
			# Fields come first: a wrong name is the fault most often made.
			_check_fields(ast.parse(text, mode="eval"), doctype)
		return expressions.parse(text, has_row)
	except SyntaxError as error:
		raise _Wrong("syntax", html.escape(error.msg.rstrip("?."), quote=False)) from error
	except (RecursionError, MemoryError, ValueError):
		_refuse(_("it cannot be read"))
	except expressions.NotAllowed as error:
		_refuse(str(error))


def _check_fields(tree: ast.Expression, doctype: str) -> None:
	meta = frappe.get_meta(doctype)
	field_names = {*default_fields, *optional_fields, *_names_of_fields(meta)}
	calls = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
	for node in ast.walk(tree):
		is_field = (
			isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "doc"
		)
		if not is_field or node.attr in field_names or (node.attr == "get" and id(node) in calls):
			continue
		raise _Wrong("field", html.escape(node.attr), _(doctype))


def _names_of_fields(meta) -> set[str]:
	return {field.fieldname for field in meta.fields}


def _check_columns(tree: ast.Expression, doctype: str) -> None:
	"""Refuse what is asked of rows and values that neither has: it would break on every document."""
	known_names = _columns(doctype) | budget.DATE_VALUES
	for name in sorted(expressions.attributes_of_values(tree) - known_names):
		_refuse(_("{0} cannot be used").format(name))


def _columns(doctype: str) -> set[str]:
	"""Return the names of the columns of a DocType's tables."""
	tables = [frappe.get_meta(field.options) for field in frappe.get_meta(doctype).get_table_fields()]
	return {*default_fields, *(name for meta in tables for name in _names_of_fields(meta))}


def _refuse(reason: str) -> NoReturn:
	raise _Wrong("value", html.escape(reason.rstrip("."), quote=False))
