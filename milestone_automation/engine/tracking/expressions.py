"""The language of conditions: Python expressions over one document, evaluated node by node within a budget.

A document is seen by its fields only: `doc.field`, `doc["field"]`, `doc.get("field")`, and so are the rows of its tables.
Names of fields are written out, so that it can be told which fields an expression uses.
"""

import ast
import datetime
import operator
from collections.abc import Iterator
from functools import lru_cache

from frappe import _
from frappe.model.base_document import BaseDocument

from milestone_automation.engine.base import budget
from milestone_automation.engine.base.budget import Budget, BudgetExceeded

NODES = (
	ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub,
	ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In,
	ast.NotIn, ast.Is, ast.IsNot, ast.IfExp, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Name, ast.Load,
	ast.Store, ast.Attribute, ast.Subscript, ast.Slice, ast.Call, ast.ListComp, ast.SetComp, ast.GeneratorExp,
	ast.comprehension,
)  # fmt: skip
CONSTANTS = (str, int, float, bool, type(None))
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
REFUSED_SIGNS = {
	ast.Pow: "**",
	ast.MatMult: "@",
	ast.LShift: "<<",
	ast.RShift: ">>",
	ast.BitOr: "|",
	ast.BitAnd: "&",
	ast.BitXor: "^",
	ast.Invert: "~",
}
COMPARISONS = {
	ast.Eq: operator.eq,
	ast.NotEq: operator.ne,
	ast.Lt: operator.lt,
	ast.LtE: operator.le,
	ast.Gt: operator.gt,
	ast.GtE: operator.ge,
	ast.Is: operator.is_,
	ast.IsNot: operator.is_not,
}
FUNCTIONS = budget.FUNCTIONS | {"any": any, "all": all, "sorted": sorted, "set": set, "list": list}
NAMES = {"doc", "frappe", *FUNCTIONS}
# The row a formula is for, where there is one.
ROW = "row"
# What may be called of a value, besides `get`.
METHODS = budget.TEXT_METHODS | budget.DATE_METHODS
CALLED = METHODS | {"get"}


class NotAllowed(Exception):
	"""An expression uses what the language does not have; says what."""


# Reading


@lru_cache(maxsize=512)
def parse(text: str, has_row: bool = False) -> ast.Expression:
	"""Return the tree of an expression of this language.

	Args:
		text: the expression.
		has_row: whether it is about a row of the document, `row`, too.

	Raises:
		SyntaxError: it is no Python expression.
		NotAllowed: the language does not have a part of it.
	"""
	if len(text) > budget.MOST_WRITTEN:
		raise NotAllowed(_("it is longer than {0} characters").format(budget.MOST_WRITTEN))
	try:
		tree = ast.parse(text, mode="eval")
	except (RecursionError, MemoryError, ValueError) as error:
		raise NotAllowed(_("it cannot be read")) from error
	_check_depth(tree)
	for node in ast.walk(tree):
		_check_node(node)
	_check_uses(tree, NAMES | {ROW} if has_row else NAMES)
	return tree


def _check_depth(tree: ast.AST) -> None:
	level, depth = [tree], 0
	while level:
		level, depth = [child for node in level for child in ast.iter_child_nodes(node)], depth + 1
		if depth > budget.MOST_DEPTH:
			raise NotAllowed(_("it has too many levels of brackets"))


def _check_node(node: ast.AST) -> None:
	if not isinstance(node, NODES):
		raise NotAllowed(_("{0} cannot be used").format(_shown(node)))
	check = NODE_CHECKS.get(type(node))
	if check:
		check(node)


def _check_attribute(node: ast.Attribute) -> None:
	if node.attr.startswith("_"):
		raise NotAllowed(_("{0} cannot be used").format(node.attr))


def _check_subscript(node: ast.Subscript) -> None:
	if not isinstance(node.value, ast.Dict):
		_check_key(node.slice)


def _check_comprehension(node: ast.comprehension) -> None:
	if node.is_async:
		raise NotAllowed(_("{0} cannot be used").format("async"))


def _check_dict(node: ast.Dict) -> None:
	if None in node.keys:
		raise NotAllowed(_("{0} cannot be used").format("**"))


def _check_calculation(node: ast.BinOp) -> None:
	if not isinstance(node.op, ast.Add) and _has_text(node):
		raise NotAllowed(_("texts can only be added: {0}").format(_shown(node)))


def _has_text(node: ast.BinOp) -> bool:
	sides = (node.left, node.right)
	return any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides)


def _check_constant(node: ast.Constant) -> None:
	if not isinstance(node.value, CONSTANTS):
		raise NotAllowed(_("{0} cannot be used").format(_shown(node)))
	try:
		budget.checked(node.value)
	except BudgetExceeded as error:
		raise NotAllowed(str(error)) from error


def _check_call(node: ast.Call) -> None:
	unpacked = [one for one in node.args if isinstance(one, ast.Starred)]
	unpacked += [keyword for keyword in node.keywords if keyword.arg is None]
	if unpacked:
		raise NotAllowed(_("{0} cannot be used").format("*"))
	function = node.func
	if isinstance(function, ast.Attribute):
		_check_method(node, function)
	elif not isinstance(function, ast.Name):
		raise NotAllowed(_("{0} cannot be used").format(_shown(function)))


def _check_method(node: ast.Call, function: ast.Attribute) -> None:
	if function.attr == "get":
		if not isinstance(function.value, ast.Dict):
			_check_key(node.args[0] if node.args else function)
	elif not _path(function).startswith("frappe.") and function.attr not in METHODS:
		raise NotAllowed(_("{0} cannot be used").format(function.attr))


def _check_key(node: ast.AST) -> None:
	"""Names of fields are written out; a place in a text or list is a number, or a part of it."""
	if isinstance(node, ast.Slice):
		return
	if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
		node = node.operand
	if not isinstance(node, ast.Constant) or not isinstance(node.value, str | int):
		raise NotAllowed(_("names of fields have to be written out"))


NODE_CHECKS = {
	ast.Constant: _check_constant,
	ast.Attribute: _check_attribute,
	ast.Call: _check_call,
	ast.Subscript: _check_subscript,
	ast.BinOp: _check_calculation,
	ast.comprehension: _check_comprehension,
	ast.Dict: _check_dict,
}


def _check_uses(tree: ast.Expression, names: set[str]) -> None:
	"""The document and `frappe` are only asked for something; neither is a value by itself."""
	accessed_ids = {
		id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Subscript)
	}
	called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
	bound = bound_names(tree)
	if bound & names:
		raise NotAllowed(_("{0} cannot be used").format(", ".join(sorted(bound & names))))
	for node in ast.walk(tree):
		if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in bound:
			_check_name(node, names, accessed_ids, called)
		elif isinstance(node, ast.Attribute) and _path(node).startswith("frappe."):
			_check_util(node, accessed_ids, called)


def _check_name(node: ast.Name, names: set[str], accessed_ids: set[int], called: set[int]) -> None:
	if node.id not in names:
		raise NotAllowed(_("name '{0}' is not defined").format(node.id))
	if id(node) not in (called if node.id in FUNCTIONS else accessed_ids):
		raise NotAllowed(_("{0} alone cannot be used").format(node.id))


def _check_util(node: ast.Attribute, accessed_ids: set[int], called: set[int]) -> None:
	path = _path(node)
	if path == "frappe.utils" and id(node) in accessed_ids:
		return
	if not _is_util(node) or node.attr not in budget.UTILS:
		missing_path = path if path.startswith("frappe.utils.") else ".".join(path.split(".")[:2])
		raise NotAllowed(_("{0} does not exist").format(missing_path))
	if id(node) not in called:
		raise NotAllowed(_("{0} alone cannot be used").format(path))


def bound_names(tree: ast.Expression) -> set[str]:
	"""Return the names that loops of an expression give to rows.

	Args:
		tree: as `parse` returns it.
	"""
	return {
		node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
	}


def _is_util(node: ast.Attribute) -> bool:
	return _path(node).startswith("frappe.utils.") and _path(node).count(".") == 2


def _path(node: ast.AST) -> str:
	"""Return a dotted path as it is written; empty for anything else."""
	if isinstance(node, ast.Name):
		return node.id
	inner = _path(node.value) if isinstance(node, ast.Attribute) else ""
	return f"{inner}.{node.attr}" if inner else ""


def _shown(node: ast.AST) -> str:
	sign = REFUSED_SIGNS.get(type(node))
	return sign or ast.unparse(node)[:60] or type(node).__name__


# Fields


def fields_used(tree: ast.Expression) -> set[str]:
	"""Return the names of the document's fields that an expression reads.

	Args:
		tree: as `parse` returns it; a field is found by a dot, brackets or `get`.
	"""
	return {name for node, name in _names_read(tree) if _path(node) == "doc"}


def columns_used(tree: ast.Expression) -> set[str]:
	"""Return the names read of anything but the document: columns of rows, parts of dates, keys.

	Args:
		tree: as `parse` returns it.
	"""
	return {name for node, name in _names_read(tree) if _is_value(node)}


def attributes_of_values(tree: ast.Expression) -> set[str]:
	"""Return the names after the dots behind anything but the document, without methods that are called.

	Args:
		tree: as `parse` returns it.
	"""
	return {node.attr for node in _attributes_read(tree) if _is_value(node.value)}


def _is_value(node: ast.AST) -> bool:
	return _path(node) != "doc" and not _path(node).startswith("frappe")


def _names_read(tree: ast.Expression) -> Iterator[tuple[ast.AST, str]]:
	"""Yield what is asked, and for which name."""
	for node in ast.walk(tree):
		is_get = (
			isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
		)
		if is_get and isinstance(node.args[0], ast.Constant):
			yield node.func.value, str(node.args[0].value)
		elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
			yield node.value, str(node.slice.value)
	for node in _attributes_read(tree):
		yield node.value, node.attr


def _attributes_read(tree: ast.Expression) -> Iterator[ast.Attribute]:
	"""Yield what is read with a dot, without methods that are called."""
	methods = {
		id(node.func)
		for node in ast.walk(tree)
		if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLED
	}
	return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in methods)


# Evaluating


class Record:
	"""A document, or a row of one of its tables, seen by its fields."""

	def __init__(self, document):
		self._document = document

	def get(self, fieldname: str, default=None):
		"""Return the value of a field; rows as records.

		Args:
			fieldname: of the document or row.
			default: for a field without a value; rows and lists are always returned as they are, empty ones too.
		"""
		value = self._document.get(fieldname)
		if isinstance(value, list):
			return [Record(row) if isinstance(row, BaseDocument | dict) else row for row in value]
		return default if value is None else value


def evaluate(text: str, doc, row=None):
	"""Return what an expression says of a document.

	Args:
		text: the expression.
		doc: the document; it is only read.
		row: a row of one of its tables, for an expression about one.

	Raises:
		SyntaxError: it is no Python expression.
		NotAllowed: the language does not have a part of it.
		BudgetExceeded: it takes too long, or makes too large a value.
		Exception: whatever goes wrong with the values of the document.
	"""
	names = {"doc": Record(doc)} | ({} if row is None else {ROW: Record(row)})
	return _Evaluation(names).value(parse(text, has_row=row is not None).body)


class _Evaluation:
	"""One evaluation: names with their values, and the budget."""

	def __init__(self, names: dict):
		self.names = names
		self.budget = Budget()

	def value(self, node: ast.AST):
		result = getattr(self, f"_{type(node).__name__}")(node)
		self.budget.spend(1 + budget.cost(result))
		return result

	def _Constant(self, node):
		return node.value

	def _Name(self, node):
		return self.names[node.id]

	def _BoolOp(self, node):
		stops_at = isinstance(node.op, ast.Or)
		for part in node.values:
			result = self.value(part)
			if bool(result) is stops_at:
				break
		return result

	def _UnaryOp(self, node):
		operand = self.value(node.operand)
		if isinstance(node.op, ast.Not):
			return not operand
		return -operand if isinstance(node.op, ast.USub) else +operand

	def _BinOp(self, node):
		return budget.calculate(SIGNS[type(node.op)], self.value(node.left), self.value(node.right))

	def _Compare(self, node):
		left = self.value(node.left)
		for sign, right_node in zip(node.ops, node.comparators, strict=True):
			right = self.value(right_node)
			if not self._compare(sign, left, right):
				return False
			left = right
		return True

	def _compare(self, sign, left, right) -> bool:
		if isinstance(sign, ast.In | ast.NotIn):
			self.budget.spend(budget.cost(right))
			return (left in right) is isinstance(sign, ast.In)
		return COMPARISONS[type(sign)](left, right)

	def _IfExp(self, node):
		return self.value(node.body if self.value(node.test) else node.orelse)

	def _List(self, node):
		return budget.checked([self.value(element) for element in node.elts])

	def _Tuple(self, node):
		return tuple(self._List(node))

	def _Set(self, node):
		return set(self._List(node))

	def _Dict(self, node):
		pairs = zip(node.keys, node.values, strict=True)
		return budget.checked({self.value(key): self.value(value) for key, value in pairs})

	def _Attribute(self, node):
		of = self.value(node.value)
		if isinstance(of, Record):
			return of.get(node.attr)
		if (
			isinstance(of, datetime.date | datetime.time | datetime.timedelta)
			and node.attr in budget.DATE_VALUES
		):
			return getattr(of, node.attr)
		raise AttributeError(f"{type(of).__name__} has no {node.attr}")

	def _Subscript(self, node):
		of = self.value(node.value)
		if isinstance(node.slice, ast.Slice):
			ends = (node.slice.lower, node.slice.upper, node.slice.step)
			return of[slice(*(end and self.value(end) for end in ends))]
		key = self.value(node.slice)
		return of.get(key) if isinstance(of, Record) else of[key]

	def _Call(self, node):
		arguments = [self.value(argument) for argument in node.args]
		keyword_arguments = {keyword.arg: self.value(keyword.value) for keyword in node.keywords}
		for argument in (*arguments, *keyword_arguments.values()):
			self.budget.spend(budget.cost(argument))
		return budget.checked(self._function(node.func)(*arguments, **keyword_arguments))

	def _function(self, node):
		if isinstance(node, ast.Name):
			return FUNCTIONS[node.id]
		if _is_util(node):
			return budget.UTILS[node.attr]
		of = self.value(node.value)
		return of.get if isinstance(of, Record) and node.attr == "get" else budget.method(of, node.attr)

	def _ListComp(self, node):
		items = []
		self._loop(node.generators, lambda: items.append(self.value(node.elt)))
		return budget.checked(items)

	_GeneratorExp = _ListComp

	def _SetComp(self, node):
		return set(self._ListComp(node))

	def _loop(self, generators: list[ast.comprehension], act) -> None:
		if not generators:
			act()
			return
		generator, *inner = generators
		for item in self.budget.counted(self.value(generator.iter)):
			self._bind(generator.target, item)
			if all(self.value(test) for test in generator.ifs):
				self._loop(inner, act)

	def _bind(self, target, value) -> None:
		if isinstance(target, ast.Name):
			self.names[target.id] = value
			return
		for part, item in zip(target.elts, value, strict=True):
			self._bind(part, item)
