"""Conditions over a document: Python expressions in Frappe's safe eval, checked when they are written."""

import ast

import frappe
from frappe import _
from frappe.model import default_fields, optional_fields
from frappe.utils.safe_exec import get_safe_globals

# What an expression may ask of `doc` besides its fields.
DOCUMENT_METHODS = frozenset({"get", "as_dict", "keys", "items", "values"})


def holds(condition: str | None, doc) -> bool:
	"""Tell whether a condition holds for a document. No condition always holds.

	Args:
		condition: a Python expression over `doc`.
		doc: the document; the expression sees a copy, so that it can change nothing.

	Raises:
		Exception: whatever the expression raises.
	"""
	if not condition or not condition.strip():
		return True
	return bool(frappe.safe_eval(condition.strip(), None, _context(doc.as_dict())))


def _context(values: dict) -> dict:
	utils = get_safe_globals().get("frappe", {}).get("utils")
	return {"doc": frappe._dict(values), "frappe": frappe._dict(utils=utils)}


def check(condition: str | None, doctype: str) -> None:
	"""Refuse a condition that can never work: bad syntax, unknown names, fields the DocType does not have.

	Raises:
		frappe.ValidationError: says what is wrong and what to write instead.
	"""
	if not condition or not condition.strip():
		return
	tree = _parse(condition.strip())
	_check_fields(tree, doctype)
	_try_on_new_document(condition.strip(), doctype)


def _parse(condition: str) -> ast.Expression:
	try:
		return ast.parse(condition, mode="eval")
	except SyntaxError as error:
		frappe.throw(
			_("The condition is not a Python expression: {0}. Write for example doc.status == 'Open'.").format(
				error.msg
			),
			title=_("Broken Condition"),
		)


def _check_fields(tree: ast.Expression, doctype: str) -> None:
	meta = frappe.get_meta(doctype)
	known = {*default_fields, *optional_fields, *DOCUMENT_METHODS}
	for node in ast.walk(tree):
		if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "doc"):
			continue
		if node.attr not in known and not meta.has_field(node.attr):
			frappe.throw(
				_("The condition uses doc.{0}, but {1} has no field {0}. Use the field's name, not its label.").format(
					node.attr, _(doctype)
				),
				title=_("Broken Condition"),
			)


def _try_on_new_document(condition: str, doctype: str) -> None:
	"""Evaluate once on an empty document. Its values are missing, so only faults of the text itself count."""
	try:
		frappe.safe_eval(condition, None, _context(frappe.new_doc(doctype).as_dict()))
	except (NameError, SyntaxError, ImportError) as error:
		frappe.throw(
			_("The condition cannot be evaluated: {0}. It may use doc and frappe.utils only.").format(error),
			title=_("Broken Condition"),
		)
	except Exception:
		# An empty document has no values to compare; a real one may well have.
		return
