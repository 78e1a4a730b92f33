"""Conditions on a document: Python expressions in Frappe's safe eval, checked when they are saved."""

import ast
import html

import frappe
from frappe import _
from frappe.model import default_fields, optional_fields
from frappe.utils import strip_html_tags
from frappe.utils.safe_exec import get_safe_globals

# What an expression may use of `doc` besides its fields.
DOCUMENT_METHODS = frozenset({"get", "as_dict", "keys", "items", "values"})
FORMAT_METHODS = frozenset({"format", "format_map"})


def holds(condition: str | None, doc) -> bool:
	"""Tell whether a document meets a condition; without a condition it does.

	Args:
		condition: Python expression on `doc`.
		doc: the document; the expression sees a copy and cannot change it.

	Raises:
		Exception: what the expression raises.
	"""
	if not condition or not condition.strip():
		return True
	return bool(frappe.safe_eval(condition.strip(), None, _context(doc.as_dict())))


def _context(values: dict) -> dict:
	utils = get_safe_globals().get("frappe", {}).get("utils")
	return {"doc": frappe._dict(values), "frappe": frappe._dict(utils=utils)}


def check(condition: str | None, doctype: str) -> None:
	"""Refuse a condition with syntax errors, unknown names or fields that the DocType does not have.

	Args:
		condition: Python expression on `doc`; may be empty.
		doctype: DocType of the documents.

	Raises:
		frappe.ValidationError: says what is wrong and what to write instead.
	"""
	if not condition or not condition.strip():
		return
	tree = _parse(condition.strip())
	_check_fields(tree, doctype)
	_check_utils(tree)
	_check_formats(tree)
	_check_is_allowed(condition.strip())
	_check_names(tree)


def _parse(condition: str) -> ast.Expression:
	try:
		return ast.parse(condition, mode="eval")
	except SyntaxError as error:
		frappe.throw(
			_("The condition is not a Python expression: {0}. Example: doc.status == 'Open'.").format(
				error.msg.rstrip("?.")
			),
			title=_("Invalid Condition"),
		)


def _check_fields(tree: ast.Expression, doctype: str) -> None:
	meta = frappe.get_meta(doctype)
	known = {*default_fields, *optional_fields, *DOCUMENT_METHODS}
	for node in ast.walk(tree):
		if not (
			isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "doc"
		):
			continue
		if node.attr not in known and not meta.has_field(node.attr):
			frappe.throw(
				_(
					"The condition uses doc.{0}, but {1} has no field {0}. Use the field's name, not its label."
				).format(node.attr, _(doctype)),
				title=_("Invalid Condition"),
			)


def _check_utils(tree: ast.Expression) -> None:
	"""Refuse anything of `frappe` other than functions of frappe.utils, which does not exist in the expression."""
	utils = _context({})["frappe"].utils or {}
	for node in ast.walk(tree):
		path = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
		of_frappe = path.startswith("frappe.") and path.count(".") == 1 and path != "frappe.utils"
		of_utils = path.startswith("frappe.utils.") and path.count(".") == 2
		if of_frappe or (of_utils and node.attr not in utils):
			_refuse(_("{0} does not exist").format(path))


def _check_formats(tree: ast.Expression) -> None:
	"""Refuse `format` of texts, which safe eval refuses too, but on some versions only when it is evaluated."""
	for node in ast.walk(tree):
		if (
			isinstance(node, ast.Attribute)
			and node.attr in FORMAT_METHODS
			and ast.unparse(node.value) != "doc"
		):
			_refuse(_("{0} cannot be used").format(node.attr))


def _check_is_allowed(condition: str) -> None:
	"""Refuse what safe eval does not allow. The expression is only compiled, as there is no document yet."""
	try:
		frappe.safe_eval(f"True or (\n{condition}\n)", None, _context({}))
	except Exception as error:
		if isinstance(error, frappe.ValidationError):
			frappe.clear_last_message()
		_refuse(strip_html_tags(str(error)))


def _check_names(tree: ast.Expression) -> None:
	"""Refuse names that are not defined, anywhere in the expression."""
	names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
	bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
	bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
	for name in sorted({node.id for node in names} - bound):
		try:
			frappe.safe_eval(name, None, _context({}))
		except NameError as error:
			_refuse(str(error))


def _refuse(fault: str) -> None:
	frappe.throw(
		_("The condition cannot be evaluated: {0}. It may use doc and frappe.utils only.").format(
			html.escape(fault.rstrip("."), quote=False)
		),
		title=_("Invalid Condition"),
	)
