"""What every whitelisted call says of its arguments: of which kind each is. It is parsed before the call begins.

	@frappe.whitelist(methods=["POST"])
	@door.takes(task=door.NAME, reason=door.TEXT)
	def reopen_task(task: str, reason: str) -> dict:

A value that does not fit is refused with a sentence that says what is expected; the call gets dates as dates, numbers as
numbers, lists as lists. An argument with a default may be left empty.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import NoReturn

import frappe
from frappe import _
from frappe.exceptions import FrappeTypeError
from frappe.utils.typing_validations import transform_parameter_types

from milestone_automation.desk import list_filters
from milestone_automation.engine.base import parsing

# What a reader raises when a value does not fit.
MISFITS = (ValueError, TypeError, OverflowError, FrappeTypeError)


@dataclass(frozen=True)
class Kind:
	"""What an argument may be.

	Attributes:
		read: returns the parsed value, or raises one of `MISFITS`.
		expected: returns the sentence for a value that does not fit; gets the argument's name.
		may_be_none: whether None is a value of its own.
	"""

	read: Callable
	expected: Callable[[str], str]
	may_be_none: bool = False

	def refuse(self, argument: str, error: Exception) -> NoReturn:
		"""Say what is expected.

		Args:
			argument: its name.
			error: what the reader raised.

		Raises:
			frappe.ValidationError: always; names the argument, and the field of a document.
		"""
		if isinstance(error, parsing.FieldMisfit):
			fault = _("The field {0} of {1} has a value that does not fit it.").format(error, argument)
		else:
			fault = self.expected(argument)
		frappe.throw(fault, title=_("Invalid Value"))


def text(most: int = parsing.TEXT_LENGTH) -> Kind:
	"""Text of at most so many characters.

	Args:
		most: number of characters.

	Returns:
		Kind: reads text without blanks at its ends.
	"""
	return Kind(
		lambda value: parsing.as_text(value, most),
		lambda argument: _("{0} must be text of at most {1} characters.").format(argument, most),
	)


def choice(choices: Iterable[str]) -> Kind:
	"""One of some values.

	Args:
		choices: the values, as text; a Vocabulary too.

	Returns:
		Kind: reads the value itself, spelled exactly so.
	"""
	known = tuple(str(one) for one in choices)
	return Kind(
		lambda value: parsing.as_choice(value, known),
		lambda argument: _("{0} must be one of: {1}.").format(argument, ", ".join(known)),
	)


def integer(least: int, most: int) -> Kind:
	"""A whole number within bounds.

	Args:
		least, most: the bounds, themselves allowed.

	Returns:
		Kind: reads an int, also from text in any digits.
	"""
	return Kind(
		lambda value: parsing.as_integer(value, least, most),
		lambda argument: _("{0} must be a whole number from {1} to {2}.").format(argument, least, most),
	)


def document(doctype: str) -> Kind:
	"""A document of a DocType as its form has it, with its rows.

	Args:
		doctype: DocType of the document.

	Returns:
		Kind: reads a dict of field values with lists of rows, see `parsing.as_document`.
	"""
	return Kind(
		lambda value: parsing.as_document(value, doctype),
		lambda argument: _("{0} must be a JSON object: the document as its form has it.").format(argument),
	)


def filters(doctype: str) -> Kind:
	"""Filters of a list.

	Args:
		doctype: DocType of the list.

	Returns:
		Kind: reads a list of `list_filters.ListFilter`.
	"""
	return Kind(lambda value: list_filters.parse(value, doctype), list_filters.expected)


def records(most: int, **kinds: Kind) -> Kind:
	"""A list of at most so many objects, each with these values.

	Args:
		most: number of objects.
		kinds: by name of a value, its kind; an object may leave out those of `or_none`.

	Returns:
		Kind: reads a list of dicts, each with all the names.
	"""
	readers = {name: _reader(kind) for name, kind in kinds.items()}
	return Kind(
		lambda value: parsing.as_records(value, readers, most),
		lambda argument: _("{0} must be a JSON list of at most {1} objects, each with: {2}.").format(
			argument, most, ", ".join(kinds)
		),
	)


def _reader(kind: Kind) -> Callable:
	"""Return the reader of a value of an object; with `or_none` it may be left out."""
	return lambda value: None if kind.may_be_none and value in (None, "") else kind.read(value)


def or_none(kind: Kind) -> Kind:
	"""As a kind, or nothing at all although the argument is required.

	Args:
		kind: what it is where it is given.

	Returns:
		Kind: reads the value, or None for None and for an empty text.
	"""
	return Kind(kind.read, kind.expected, may_be_none=True)


def _expects_name(argument: str) -> str:
	return _("{0} must be a name of at most {1} characters.").format(argument, parsing.NAME_LENGTH)


def _expects_names(argument: str) -> str:
	return _("{0} must be a JSON list of at most {1} names.").format(argument, parsing.MOST_NAMES)


def _expects_date(argument: str) -> str:
	return _("{0} must be a date, written as YYYY-MM-DD.").format(argument)


def _expects_flag(argument: str) -> str:
	return _("{0} must be 1 or 0.").format(argument)


def _expects_json(argument: str) -> str:
	return _("{0} must be JSON.").format(argument)


NAME = Kind(parsing.as_docname, _expects_name)
NAMES = Kind(parsing.as_names, _expects_names)
TEXT = text()
DATE = Kind(parsing.as_date, _expects_date)
FLAG = Kind(parsing.as_flag, _expects_flag)
# What a call that stands in for one of Frappe hands on; where it answers by itself, it parses the value by itself.
AS_FRAPPE_TAKES_IT = Kind(lambda value: value, _expects_json)
# Sent along by Frappe, of no use here.
UNUSED = Kind(lambda value: None, lambda argument: "")

# What of a site's addresses is ours.
OWN_PATHS = (
	"/api/method/milestone_automation.",
	"/api/resource/Milestone",
	"/api/v1/method/milestone_automation.",
	"/api/v2/method/milestone_automation.",
	"/milestone-",
)


def hide_tracebacks_from_guests() -> None:
	"""Hook for the begin of a request: who is not logged in sees no code of ours, whatever a site shows to its users."""
	if frappe.session.user == "Guest" and frappe.local.request.path.startswith(OWN_PATHS):
		frappe.local.flags.disable_traceback = True


def takes(**kinds: Kind):
	"""Declare the kind of every argument of a whitelisted call; stands below `frappe.whitelist`.

	Frappe's own check of annotated types stays, for calls that come as a request; its refusal too says what is expected.

	Args:
		kinds: the kind of each argument by its name.

	Returns:
		Callable: the decorator. A call with a value that does not fit raises frappe.ValidationError, one without an argument
		that has no default frappe.MandatoryError.

	Raises:
		TypeError: when the module is loaded: an argument has no kind, or a kind no argument.
	"""

	def decorate(function):
		signature = inspect.signature(function)
		if set(kinds) != set(signature.parameters):
			raise TypeError(f"{function.__name__}: every argument needs its kind, and no other")

		@wraps(function)
		def entry(*args, **kwargs):
			return function(**_parse(function, signature, kinds, args, kwargs))

		# Frappe's check runs inside: by itself it ends a request with a traceback. Frappe 17 refuses an argument without an
		# annotation; one that is a text is not checked.
		entry.__annotations__ = dict.fromkeys(signature.parameters, "object")
		entry.takes = kinds
		return entry

	return decorate


def _parse(function, signature: inspect.Signature, kinds: dict[str, Kind], args: tuple, kwargs: dict) -> dict:
	arguments = signature.bind_partial(*args, **kwargs).arguments
	parsed = {}
	for name, parameter in signature.parameters.items():
		value, kind = arguments.get(name), kinds[name]
		may_be_empty = kind.may_be_none or parameter.default is not parameter.empty
		if value is None or (value == "" and may_be_empty):
			parsed[name] = _left_out(name, parameter, kind, name in arguments)
		else:
			parsed[name] = _read(function, name, kind, value)
	return parsed


def _left_out(name: str, parameter: inspect.Parameter, kind: Kind, is_given: bool):
	"""Return what an argument without a value stands for."""
	if parameter.default is not parameter.empty:
		return parameter.default
	if not (kind.may_be_none and is_given):
		frappe.throw(_("{0} is missing.").format(name), frappe.MandatoryError, title=_("Invalid Value"))
	return None


def _read(function, name: str, kind: Kind, value):
	if not parsing.is_storable(value):
		frappe.throw(_("{0} has characters that cannot be stored.").format(name), title=_("Invalid Value"))
	try:
		if getattr(frappe.local, "request", None) and kind is not UNUSED:
			transform_parameter_types(function, (), {name: value})
		return kind.read(value)
	except MISFITS as error:
		kind.refuse(name, error)
