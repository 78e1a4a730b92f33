"""Conditions on a document: expressions of the language in `expressions`, checked when they are saved."""

import ast
import functools
import html

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
		"""Return the stored value of a field, or what the document has."""
		return self.stored[fieldname] if fieldname in self.stored else self.doc.get(fieldname)


@functools.cache
def fields_of(condition: str | None) -> tuple[str, ...]:
	"""Return the fields of the document a condition uses, each once; none if it is no expression."""
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
	"""
	if not condition or not condition.strip():
		return set(), set()
	tree = expressions.parse(condition.strip(), has_row)
	return expressions.fields_used(tree), expressions.columns_used(tree) & _columns(doctype)


def check(condition: str | None, doctype: str, row_doctype: str | None = None) -> None:
	"""Refuse a condition with syntax errors, unknown names or fields that the DocType does not have.

	Args:
		condition: Python expression on `doc`; may be empty.
		doctype: DocType of the documents.
		row_doctype: DocType of the row it is about, of a table of the document; None for the document alone.

	Raises:
		frappe.ValidationError: says what is wrong and what to write instead.
	"""
	if not condition or not condition.strip():
		return
	tree = _parse(condition.strip(), doctype, has_row=bool(row_doctype))
	_check_columns(tree, doctype)
	_try(condition.strip(), doctype, row_doctype)


def _try(condition: str, doctype: str, row_doctype: str | None) -> None:
	"""Evaluate with a sample document. Other documents have other values, so only what can never work is refused."""
	messages = message_log.count()
	try:
		row = samples.document(row_doctype) if row_doctype else None
		expressions.evaluate(condition, samples.document(doctype), row)
	except (budget.BudgetExceeded, budget.NotCalculable) as error:
		_refuse(str(error))
	except Exception:
		message_log.forget_after(messages)


def _parse(condition: str, doctype: str, has_row: bool = False) -> ast.Expression:
	try:
		if len(condition) <= budget.MOST_WRITTEN:
			# Fields come first: a wrong name is the fault most often made.
			_check_fields(ast.parse(condition, mode="eval"), doctype)
		return expressions.parse(condition, has_row)
	except SyntaxError as error:
		frappe.throw(
			_("The condition is not a Python expression: {0}. Example: doc.status == 'Open'.").format(
				html.escape(error.msg.rstrip("?."), quote=False)
			),
			title=_("Invalid Condition"),
		)
	except (RecursionError, MemoryError, ValueError):
		_refuse(_("it cannot be read"))
	except expressions.NotAllowed as error:
		_refuse(str(error))


def _check_fields(tree: ast.Expression, doctype: str) -> None:
	meta = frappe.get_meta(doctype)
	known = {*default_fields, *optional_fields, *_names_of_fields(meta)}
	calls = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
	for node in ast.walk(tree):
		is_field = (
			isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "doc"
		)
		if not is_field or node.attr in known or (node.attr == "get" and id(node) in calls):
			continue
		frappe.throw(
			_(
				"The condition uses doc.{0}, but {1} has no field {0}. Use the field's name, not its label."
			).format(html.escape(node.attr), _(doctype)),
			title=_("Invalid Condition"),
		)


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


def _refuse(fault: str) -> None:
	frappe.throw(
		_("The condition cannot be evaluated: {0}. It may use doc and frappe.utils only.").format(
			html.escape(fault.rstrip("."), quote=False)
		),
		title=_("Invalid Condition"),
	)
