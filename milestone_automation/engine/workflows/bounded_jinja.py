"""Jinja's sandbox within a budget: rounds of loops, sizes of values and of what is printed, few filters, few methods."""

import datetime

import jinja2
import jinja2.filters
import jinja2.sandbox
from frappe import _
from jinja2 import nodes
from jinja2.runtime import LoopContext
from jinja2.visitor import NodeTransformer

from milestone_automation.engine.base import budget
from milestone_automation.engine.base.budget import Budget, BudgetExceeded

# Rounds of all loops of one message, and calls in it.
MOST_ROUNDS = 2_000
REFUSED_NODES = {
	nodes.Macro: "macro",
	nodes.CallBlock: "call",
	nodes.FilterBlock: "filter",
	nodes.AssignBlock: "set",
	nodes.Block: "block",
	nodes.Extends: "extends",
	nodes.Include: "include",
	nodes.Import: "import",
	nodes.FromImport: "from",
	nodes.Pow: "**",
}
FILTERS = (
	"abs", "capitalize", "d", "default", "e", "escape", "first", "float", "int", "last", "length", "count", "list", "lower",
	"map", "max", "min", "reject", "rejectattr", "reverse", "safe", "select", "selectattr", "sort", "string", "sum",
	"title", "trim", "truncate", "unique", "upper", "wordcount",
)  # fmt: skip
# Names that no message can have given to a filter.
ROUNDS, JOINED = "counted rounds", "joined parts"


class BoundedEnvironment(jinja2.sandbox.ImmutableSandboxedEnvironment):
	"""For one rendering: its budget is spent only once.

	Args:
		methods: which methods of the document may be called.
	"""

	intercepted_binops = frozenset({*budget.CALCULATIONS, "**"})

	def __init__(self, methods: set[str]):
		super().__init__(
			autoescape=True,
			undefined=jinja2.ChainableUndefined,
			finalize=lambda value: "" if value is None else value,
		)
		self.budget = Budget(MOST_ROUNDS)
		self.methods = methods
		self.globals = {"range": self._range}
		self.filters = {name: self.filters[name] for name in FILTERS} | OWN_FILTERS

	def render(self, text: str, **names) -> str:
		"""Return what a template gives.

		Raises:
			jinja2.TemplateError: it is broken.
			BudgetExceeded: it takes too many rounds, or prints too much.
			Exception: whatever goes wrong with the values.
		"""
		printed = []
		left = budget.MOST_TEXT
		for piece in self.from_string(text).generate(**names):
			left -= len(piece)
			if left < 0:
				raise BudgetExceeded(_("it prints too much"))
			printed.append(piece)
		return "".join(printed)

	def _parse(self, source, name, filename):
		tree = super()._parse(source, name, filename)
		for node in tree.find_all(nodes.Node):
			fault = _fault(node)
			if fault:
				raise jinja2.TemplateSyntaxError(fault, node.lineno)
		return tree

	def _generate(self, source, *arguments, **named):
		return super()._generate(_Counting().visit(source), *arguments, **named)

	def _range(self, *bounds) -> range:
		found = range(*bounds)
		if len(found) > MOST_ROUNDS:
			raise BudgetExceeded(_("it takes too many steps"))
		return found

	def call_binop(self, context, operator: str, left, right):
		"""Return the result of a calculation."""
		return budget.calculate(operator, left, right)

	def call(self, context, function, *arguments, **named):
		"""Call a function; each call counts as a step."""
		self.budget.spend()
		return budget.checked(super().call(context, function, *arguments, **named))

	def getattr(self, obj, attribute: str):
		"""Return `obj.attribute`: of a document or row its field, of texts and dates what `budget` allows."""
		if attribute.startswith("_"):
			return self.unsafe_undefined(obj, attribute)
		if isinstance(obj, dict):
			return self._of_dict(obj, attribute)
		if isinstance(obj, LoopContext):
			return super().getattr(obj, attribute)
		if (
			isinstance(obj, datetime.date | datetime.time | datetime.timedelta)
			and attribute in budget.DATE_VALUES
		):
			return getattr(obj, attribute, None)
		try:
			return budget.method(obj, attribute)
		except AttributeError:
			return self.undefined(obj=obj, name=attribute)

	def _of_dict(self, obj: dict, attribute: str):
		"""A field goes before the dict's method of the same name."""
		if attribute in obj or attribute not in self.methods:
			return obj.get(attribute)
		return getattr(obj, attribute)

	def getitem(self, obj, argument):
		"""Return `obj[argument]`."""
		if isinstance(argument, str):
			return self.getattr(obj, argument)
		try:
			return obj[argument]
		except (TypeError, LookupError):
			return self.undefined(obj=obj, name=argument)


def _fault(node: nodes.Node) -> str | None:
	"""Return what of a template is not there to be used, or None."""
	if type(node) in REFUSED_NODES:
		return _("{0} cannot be used").format(REFUSED_NODES[type(node)])
	if isinstance(node, nodes.For) and node.recursive:
		return _("{0} cannot be used").format("recursive")
	if isinstance(node, nodes.Sub | nodes.Mul | nodes.Div | nodes.FloorDiv | nodes.Mod) and _has_text(node):
		return _("texts can only be added: {0}").format(node.operator)
	return None


def _has_text(node: nodes.BinExpr) -> bool:
	return any(
		isinstance(side, nodes.Const) and isinstance(side.value, str) for side in (node.left, node.right)
	)


class _Counting(NodeTransformer):
	"""Sends what loops run over, and parts put together with `~`, through filters that count."""

	def visit_For(self, node: nodes.For) -> nodes.For:
		self.generic_visit(node)
		node.iter = nodes.Filter(node.iter, ROUNDS, [], [], None, None, lineno=node.lineno)
		return node

	def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
		self.generic_visit(node)
		parts = nodes.List(node.nodes, lineno=node.lineno)
		return nodes.Filter(parts, JOINED, [], [], None, None, lineno=node.lineno)


# Asked of the context, so that Jinja does not evaluate them while it compiles.


@jinja2.pass_context
def _count_rounds(context, items):
	return context.environment.budget.counted(items)


@jinja2.pass_context
def _join_parts(context, parts: list):
	return _join(context.eval_ctx, parts)


@jinja2.pass_eval_context
def _join(eval_context, items, separator: str = "", attribute=None):
	if attribute is not None:
		value_of = jinja2.filters.make_attrgetter(eval_context.environment, attribute)
		items = (value_of(item) for item in items)
	items = budget.checked(list(items))
	sizes = sum(len(str(item)) for item in items) + len(separator) * len(items)
	if sizes > budget.MOST_TEXT:
		raise BudgetExceeded(_("a value is too large"))
	return jinja2.filters.do_join(eval_context, items, separator)


@jinja2.pass_eval_context
def _replace(eval_context, text, old: str, new: str):
	budget.replace(str(text), str(old), str(new))
	return jinja2.filters.do_replace(eval_context, text, old, new)


def _round(value, digits: int = 0):
	return budget.FUNCTIONS["round"](value, digits)


def _strip_tags(value) -> str:
	return budget.UTILS["strip_html"](value)


OWN_FILTERS = {
	ROUNDS: _count_rounds,
	JOINED: _join_parts,
	"join": _join,
	"replace": _replace,
	"round": _round,
	"striptags": _strip_tags,
}
