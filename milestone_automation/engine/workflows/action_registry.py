"""The actions that next steps may have: those of this app and of others.

Other apps add theirs with the hook `milestone_actions`: {"Name": "dotted.path"}, or {"Name": {"function": "dotted.path",
"problems": "dotted.path"}}. The function is called with (doc, plan, stage, **arguments); what a step may say is read from
its parameters, and of which kind each is from their annotations (str, int, float, bool, list). `problems`, where there is
one, is called with (arguments, doctype) as the author of the step and returns sentences that say why it cannot be done. An
action that writes to the database is done once; one that reaches outside may be done again when its worker is killed.

An action runs with the rights of whoever wrote it. So each says what its writer has to be able to do: it is asked when the
workflow is saved, and again when the action runs.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import frappe
from frappe import _
from frappe.utils import cstr, escape_html

from milestone_automation.engine.base import message_log
from milestone_automation.engine.tracking import protected
from milestone_automation.engine.workflows import document_maker, step_actions

# What every function gets before the arguments of the step.
GIVEN = ("doc", "plan", "stage")
# What a step says besides the arguments of its action.
ABOUT_THE_STEP = ("action", "when", "condition")
# What other apps declare, for the length of a request.
DECLARED = "milestone_declared_actions"
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Argument(NamedTuple):
	"""An argument of an action.

	Attributes:
		kind: what it is: one of `KINDS`, or of the kinds that an action checks itself.
		is_required: whether it has to be there.
	"""

	kind: str
	is_required: bool = True


class Action(NamedTuple):
	"""An action.

	Attributes:
		function: dotted path; gets (doc, plan, stage, **arguments).
		arguments: what a step may say, by name.
		problems: yields what keeps the session user from it; gets (arguments, doctype).
		takes_more: whether it takes arguments of any other name too.
		only_reads: whether it leaves the document as it is, so that its author need only read it.
		leaves_site: whether what it does cannot be undone: it reaches outside, or runs code of another app.
	"""

	function: str
	arguments: dict[str, Argument]
	problems: Callable | None = None
	takes_more: bool = False
	only_reads: bool = False
	leaves_site: bool = False


def _is_flag(value) -> bool:
	return value in (0, 1, "0", "1") and isinstance(value, int | str)


# Kinds that every action has checked; what an argument of another kind may be the action checks itself.
KINDS = {
	"Text": lambda value: isinstance(value, str),
	"Number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
	"Check": _is_flag,
	"List": lambda value: isinstance(value, list),
}
KIND_OF = {str: "Text", int: "Number", float: "Number", bool: "Check", list: "List"}


def actions() -> dict[str, Action]:
	"""Return the known actions by name, those of other apps too."""
	# None of them stands in for one of ours, whose rights are known.
	return _of_other_apps() | OWN


def action(name) -> Action | None:
	"""Return the action of a name; None where there is none.

	Args:
		name: as a step says it, so perhaps no text.
	"""
	if not isinstance(name, str):
		return None
	return OWN.get(name) or _of_other_apps().get(name)


def _of_other_apps() -> dict[str, Action]:
	"""Return the actions of other apps, worked out once in a request or job unless their hooks change in it."""
	declared = frappe.get_hooks("milestone_actions") or {}
	actions_of_hooks = getattr(frappe.local, DECLARED, None)
	if not actions_of_hooks or actions_of_hooks[0] != declared:
		actions_of_hooks = (
			dict(declared),
			{name: _of_other_app(declaration) for name, declaration in declared.items()},
		)
		setattr(frappe.local, DECLARED, actions_of_hooks)
	return actions_of_hooks[1]


def _of_other_app(declaration) -> Action:
	"""Return the action that another app has declared. One whose function cannot be found says so when it is asked for."""
	described = declaration if isinstance(declaration, dict) else {"function": declaration}
	path, check = _last(described.get("function")), _last(described.get("problems"))
	messages = message_log.count()
	try:
		parameters = list(inspect.signature(frappe.get_attr(path)).parameters.values())[len(GIVEN) :]
		problems = frappe.get_attr(check) if check else None
	except Exception:
		message_log.forget_after(messages)
		return Action(path or "", {}, partial(_lost_problems, path), takes_more=True)
	arguments = {
		parameter.name: Argument(_kind_of(parameter.annotation), parameter.default is parameter.empty)
		for parameter in parameters
		if parameter.kind in NAMED
	}
	takes_more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
	return Action(path, arguments, problems, takes_more, leaves_site=True)


def _kind_of(annotation) -> str:
	"""Return of which kind an argument is by its annotation; a number may be a flag too."""
	return KIND_OF.get(annotation, "Value")


def _last(paths) -> str | None:
	"""Return what the app installed last says: Frappe collects the values of a hook in a list."""
	return paths[-1] if isinstance(paths, list) and paths else paths


def _lost_problems(path: str | None, arguments: dict, doctype: str) -> Iterator[str]:
	yield _(
		"The function {0} of this next step cannot be found. Ask who maintains the app it belongs to."
	).format(escape_html(cstr(path)))


def problems(step: dict, doctype: str) -> Iterator[str]:
	"""Yield what is wrong with a step, or what keeps the session user from doing it, as sentences.

	Args:
		step: the name of the action in `action`, and its arguments.
		doctype: of the documents it acts on.
	"""
	arguments, name = arguments_of(step), step.get("action")
	declared_action = action(name)
	if not declared_action:
		yield _("Unknown action. Choose one of: {0}.").format(", ".join(sorted(actions())))
		return
	reason = protected.why(doctype)
	if reason:
		yield reason
		return
	faults = list(_argument_problems(name, declared_action, arguments))
	yield from faults
	if not faults and declared_action.problems:
		yield from declared_action.problems(arguments, doctype)


def arguments_of(step: dict) -> dict:
	"""Return the arguments of a step: all it says but its action, and when and on which condition it runs.

	Args:
		step: as it stands in a workflow, a dict.
	"""
	return {name: value for name, value in step.items() if name not in ABOUT_THE_STEP}


def _argument_problems(name: str, declared_action: Action, arguments: dict) -> Iterator[str]:
	required = [one for one, argument in declared_action.arguments.items() if argument.is_required]
	missing = [one for one in required if _is_left_out(one, arguments)]
	unknown = [
		one
		for one in arguments
		if one in GIVEN or not (declared_action.takes_more or one in declared_action.arguments)
	]
	if missing or unknown:
		yield _("The next step {0} takes {1}; {2} does not fit.").format(
			name,
			", ".join(declared_action.arguments) or _("no arguments"),
			escape_html(", ".join(missing + unknown)),
		)
	else:
		yield from _misfits(name, declared_action, arguments)


def _misfits(name: str, declared_action: Action, arguments: dict) -> Iterator[str]:
	"""Yield which arguments are not of the kind that the action declares."""
	for argument, (kind, _is_required) in declared_action.arguments.items():
		is_checked = kind in KINDS and not _is_left_out(argument, arguments)
		if is_checked and not KINDS[kind](arguments[argument]):
			yield _misfit(name, argument, kind)


def _misfit(name: str, argument: str, kind: str) -> str:
	words = {"Text": _("a text"), "Number": _("a number"), "Check": _("1 or 0"), "List": _("a list")}
	return _("The next step {0} does not fit: {1} has to be {2}.").format(name, argument, words[kind])


def _is_left_out(name: str, arguments: dict) -> bool:
	"""Tell whether an argument is not there, or empty. Only a value may be set to nothing."""
	return name not in arguments or (name != "value" and arguments[name] in (None, "", []))


def run(step: dict, doc, plan, stage):
	"""Run a step in the name of the session user, whose rights were asked before; return what its function does.

	Args:
		step: as in `problems`.
		doc: the document, as it is stored.
		plan, stage: rows.

	Raises:
		frappe.PermissionError: the session user may not read the document.
		KeyError: the action is not known; `problems` says so before.
		Exception: what the function raises.
	"""
	arguments = arguments_of(step)
	doc.check_permission("read")
	return frappe.get_attr(action(step["action"]).function)(doc, plan, stage, **arguments)


MODULE = step_actions.__name__
# Kinds with a picker of their own: Field, Value, Mapping, Tables, User, Users, Document Type, Workflow, Link Field,
# Workflow Action, Method, Webhook.
OWN = {
	"Set Value": Action(
		f"{MODULE}.set_value",
		{"field": Argument("Field"), "value": Argument("Value")},
		step_actions.set_value_problems,
	),
	"Set Values": Action(
		f"{MODULE}.set_values", {"fields": Argument("Mapping")}, step_actions.set_values_problems
	),
	"Apply Workflow Action": Action(
		f"{MODULE}.apply_workflow_action",
		{"workflow_action": Argument("Workflow Action")},
		step_actions.workflow_action_problems,
	),
	"Submit": Action(f"{MODULE}.submit", {}, step_actions.submit_problems),
	"Create Document": Action(
		f"{document_maker.__name__}.create",
		{
			"document_type": Argument("Document Type"),
			"fields": Argument("Mapping"),
			"tables": Argument("Tables", is_required=False),
			"submit": Argument("Check", is_required=False),
			"workflow": Argument("Workflow", is_required=False),
		},
		document_maker.problems,
		only_reads=True,
	),
	"Start Plan": Action(
		"milestone_automation.engine.plans.plan_steps.start_plan",
		{"link_field": Argument("Link Field"), "workflow": Argument("Workflow", is_required=False)},
		document_maker.plan_problems,
		only_reads=True,
	),
	"Start Next Plan": Action(
		"milestone_automation.engine.plans.plan_steps.start_next_plan",
		{"workflow": Argument("Workflow")},
		document_maker.next_plan_problems,
	),
	"Assign": Action(
		f"{MODULE}.assign",
		{"user": Argument("User"), "description": Argument("Text", is_required=False)},
		step_actions.assign_problems,
		only_reads=True,
	),
	"Add Tag": Action(f"{MODULE}.add_tag", {"tag": Argument("Text")}, step_actions.tag_problems),
	"Add Comment": Action(
		f"{MODULE}.add_comment", {"text": Argument("Text")}, step_actions.comment_problems, only_reads=True
	),
	"Notify": Action(
		f"{MODULE}.notify",
		{"users": Argument("Users"), "subject": Argument("Text", is_required=False)},
		step_actions.notify_problems,
		only_reads=True,
	),
	"Call Method": Action(
		f"{MODULE}.call_method",
		{"method": Argument("Method")},
		step_actions.method_problems,
		leaves_site=True,
	),
	"Webhook": Action(
		f"{MODULE}.call_webhook",
		{"webhook": Argument("Webhook")},
		step_actions.webhook_problems,
		only_reads=True,
		leaves_site=True,
	),
}
