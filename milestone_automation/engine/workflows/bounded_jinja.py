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
	"map", "max", "min", "reject", "rejectattr", "reverse", "safe", "select", "selectattr", "sort", "string", "title", "trim",
	"truncate", "unique", "upper", "wordcount",
)  # fmt: skip
# Names that no message can have given to a filter.
ROUNDS, JOINED, WEIGHED = "counted rounds", "joined parts", "weighed value"


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
		# What filters, comparisons, calculations and fields read take in all rounds.
		self.steps = Budget()
		self.methods = methods
		self.globals = {"range": self._range}
		self.filters = {name: self.filters[name] for name in FILTERS} | OWN_FILTERS
		self.tests = self.tests | {"in": _is_in}

	def render(self, text: str, **names) -> str:
		"""Return what a template gives.

		Args:
			text: the template.
			**names: what it may ask for by name.

		Raises:
			jinja2.TemplateError: it is broken.
			BudgetExceeded: it takes too many rounds or steps, makes too large a value, or prints too much.
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
		numbers = range(*bounds)
		if len(numbers) > MOST_ROUNDS:
			raise BudgetExceeded(_("it takes too many steps"))
		return numbers

	def call_binop(self, context, operator: str, left, right):
		"""Return the result of a calculation; Jinja's hook for the operators in `intercepted_binops`.

		Args:
			context: Jinja's; not used.
			operator: its sign, for example "+".
			left, right: values of its two sides.

		Raises:
			NotCalculable: these cannot be calculated with.
			BudgetExceeded: the result is too large, or the budget is spent.
		"""
		return self.weighed(budget.calculate(operator, left, right))

	def call(self, context, function, *arguments, **named):
		"""Call a function and return what it returns; Jinja's hook for calls. Each counts as a round.

		Args:
			context: Jinja's.
			function: what the template calls; Jinja's sandbox refuses what is not safe.
			*arguments: of the call.
			**named: of the call.

		Raises:
			BudgetExceeded: the budget is spent, or an argument or the result is too large.
			jinja2.sandbox.SecurityError: it may not be called.
		"""
		self.budget.spend()
		for argument in (*arguments, *named.values()):
			self.weighed(argument)
		return self.weighed(super().call(context, function, *arguments, **named))

	def weighed(self, value):
		"""Return a value that is not too large, for the steps it takes to go through it.

		Args:
			value: any value; texts and lists take more steps the longer they are.

		Raises:
			BudgetExceeded: the steps are spent, or it is too large.
		"""
		self.steps.spend(1 + budget.cost(value))
		return budget.checked(value)

	def getattr(self, obj, attribute: str):
		"""Return `obj.attribute`: of a document or row its field, of texts and dates what `budget` allows.

		Of everything else it is undefined.

		Args:
			obj: the value before the dot.
			attribute: the name after it; one that begins with "_" fails when it is used.

		Raises:
			BudgetExceeded: the steps are spent.
		"""
		self.steps.spend()
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
		"""Return `obj[argument]`; undefined where there is none.

		Args:
			obj: the value before the brackets.
			argument: a text, which is taken as for `getattr`, a position or a slice.

		Raises:
			BudgetExceeded: the steps are spent, or the value is too large.
		"""
		if isinstance(argument, str):
			return self.getattr(obj, argument)
		try:
			return self.weighed(obj[argument])
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
	"""Sends what loops run over, parts put together with `~`, and what is made or compared, through filters that count."""

	def visit_List(self, node: nodes.List) -> nodes.Filter:
		self.generic_visit(node)
		return _through(WEIGHED, node)

	visit_Dict = visit_List

	def visit_Filter(self, node: nodes.Filter) -> nodes.Filter:
		self.generic_visit(node)
		node.args = [_through(WEIGHED, argument) for argument in node.args]
		return _through(WEIGHED, node)

	def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
		self.generic_visit(node)
		return _through(WEIGHED, node) if node.ctx == "load" else node

	def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:
		self.generic_visit(node)
		node.expr = _through(WEIGHED, node.expr)
		for operand in node.ops:
			operand.expr = _through(WEIGHED, operand.expr)
		return node

	def visit_Test(self, node: nodes.Test) -> nodes.Test:
		self.generic_visit(node)
		node.node = _through(WEIGHED, node.node)
		node.args = [_through(WEIGHED, argument) for argument in node.args]
		return node

	def visit_For(self, node: nodes.For) -> nodes.For:
		self.generic_visit(node)
		node.iter = _through(ROUNDS, node.iter)
		return node

	def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
		self.generic_visit(node)
		return _through(JOINED, nodes.List(node.nodes, lineno=node.lineno))


def _through(name: str, node: nodes.Node) -> nodes.Filter:
	return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


# Asked of the context, so that Jinja does not evaluate them while it compiles.


@jinja2.pass_context
def _count_rounds(context, items):
	return context.environment.budget.counted(items)


@jinja2.pass_context
def _weigh(context, value):
	return context.environment.weighed(value)


@jinja2.pass_environment
def _is_in(environment, value, items) -> bool:
	return value in environment.weighed(items)


@jinja2.pass_context
def _join_parts(context, parts: list):
	return context.environment.weighed(_join(context.eval_ctx, parts))


@jinja2.pass_eval_context
def _join(eval_context, items, separator: str = "", attribute=None):
	items = _items(eval_context.environment, items, attribute)
	sizes = sum(len(str(item)) for item in items) + len(separator) * len(items)
	if sizes > budget.MOST_TEXT:
		raise BudgetExceeded(_("a value is too large"))
	return jinja2.filters.do_join(eval_context, items, separator)


@jinja2.pass_environment
def _sum(environment, items, attribute=None, start=0):
	total = start
	for item in _items(environment, items, attribute):
		total = budget.calculate("+", total, item)
	return total


def _items(environment, items, attribute) -> list:
	if attribute is not None:
		value_of = jinja2.filters.make_attrgetter(environment, attribute)
		items = (value_of(item) for item in items)
	return budget.checked(list(items))


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
	"sum": _sum,
	WEIGHED: _weigh,
}
