"""The actions a stage may start when it is reached: those of this app and of others.

Other apps add theirs with the hook `milestone_actions`: {"Name": "dotted.path"}, or {"Name": {"function": "dotted.path",
"problems": "dotted.path"}}. The function is called with (doc, plan, stage, **arguments); what a step may say is read from
its parameters. `problems`, where there is one, is called with (arguments, doctype) as the author of the step and returns
sentences that say why it cannot be done. An action that writes to the database is done once; one that reaches outside may
be done again when its worker is killed.

An action runs with the rights of whoever wrote it. So each says what its writer has to be able to do: it is asked when the
workflow is saved, and again when the action runs.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import frappe
from frappe import _
from frappe.desk.doctype.notification_log.notification_log import make_notification_logs
from frappe.desk.form import assign_to
from frappe.model import no_value_fields, table_fields
from frappe.model.workflow import apply_workflow, get_workflow_name
from frappe.utils import cstr, escape_html

from milestone_automation.engine.base import message_log, values
from milestone_automation.engine.people import field_rights
from milestone_automation.engine.tracking import protected

# What a step cannot write: no value, rows of a table, a secret.
UNWRITABLE_TYPES = frozenset({*no_value_fields, *table_fields, "Password"})
# What every function gets before the arguments of the step.
GIVEN = ("doc", "plan", "stage")
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
SCALARS = (str, int, float, bool, type(None))


class Action(NamedTuple):
	"""An action.

	Attributes:
		function: dotted path; gets (doc, plan, stage, **arguments).
		arguments: each by name, with whether it has to be there.
		problems: yields what keeps the session user from it; gets (arguments, doctype).
		takes_more: whether it takes arguments of any other name too.
	"""

	function: str
	arguments: dict[str, bool]
	problems: Callable | None = None
	takes_more: bool = False


def actions() -> dict[str, Action]:
	"""Return the known actions by name, those of other apps too."""
	found = {}
	for name, given in (frappe.get_hooks("milestone_actions") or {}).items():
		found[name] = _of_other_app(given)
	# None of them stands in for one of ours, whose rights are known.
	return found | OWN


def _of_other_app(given) -> Action:
	"""Return the action that another app has declared. One whose function cannot be found says so when it is asked for."""
	described = given if isinstance(given, dict) else {"function": given}
	path, check = _last(described.get("function")), _last(described.get("problems"))
	messages = message_log.count()
	try:
		parameters = list(inspect.signature(frappe.get_attr(path)).parameters.values())[len(GIVEN) :]
		problems = frappe.get_attr(check) if check else None
	except Exception:
		message_log.forget_after(messages)
		return Action(path or "", {}, partial(_lost_problems, path), takes_more=True)
	arguments = {one.name: one.default is one.empty for one in parameters if one.kind in NAMED}
	takes_more = any(one.kind is one.VAR_KEYWORD for one in parameters)
	return Action(path, arguments, problems, takes_more)


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
	known = actions()
	arguments = {name: value for name, value in step.items() if name != "action"}
	name = step.get("action")
	if not isinstance(name, str) or name not in known:
		yield _("Unknown action. Choose one of: {0}.").format(", ".join(sorted(known)))
		return
	reason = protected.why(doctype)
	if reason:
		yield reason
		return
	action = known[name]
	faults = list(_argument_problems(name, action, arguments))
	yield from faults
	if not faults and action.problems:
		yield from action.problems(arguments, doctype)


def _argument_problems(name: str, action: Action, arguments: dict) -> Iterator[str]:
	required = [one for one, is_required in action.arguments.items() if is_required]
	missing = [one for one in required if _is_left_out(one, arguments)]
	unknown = [one for one in arguments if one in GIVEN or not (action.takes_more or one in action.arguments)]
	if missing or unknown:
		yield _("The next step {0} takes {1}; {2} does not fit.").format(
			name, ", ".join(action.arguments) or _("no arguments"), escape_html(", ".join(missing + unknown))
		)


def _is_left_out(name: str, arguments: dict) -> bool:
	"""Tell whether an argument is not there, or empty. Only a value may be set to nothing."""
	return name not in arguments or (name != "value" and arguments[name] in (None, "", []))


def run(step: dict, doc, plan, stage) -> None:
	"""Run a step in the name of the session user, whose rights were asked before.

	Args:
		step: as in `problems`.
		doc: the document, as it is stored.
		plan, stage: rows.
	"""
	arguments = {name: value for name, value in step.items() if name != "action"}
	doc.check_permission("read")
	frappe.get_attr(actions()[step["action"]].function)(doc, plan, stage, **arguments)


# Set Value


def set_value(doc, plan, stage, field: str, value) -> None:
	"""Set a field of the document and save it, with all that a save by the session user brings."""
	doc.set(field, value)
	doc.save()
	# Frappe puts a field back without a word where the user's permission level is too low.
	fieldtype = doc.meta.get_field(field).fieldtype
	if not values.is_same(value, frappe.db.get_value(doc.doctype, doc.name, field), fieldtype):
		frappe.throw(
			_("Setting {0} to {1} had no effect on {2} {3}.").format(
				field, escape_html(cstr(value)), _(doc.doctype), doc.name
			)
		)


def _set_value_problems(arguments: dict, doctype: str) -> Iterator[str]:
	fieldname, value = arguments["field"], arguments.get("value")
	field = frappe.get_meta(doctype).get_field(fieldname) if isinstance(fieldname, str) else None
	if not field or field.fieldtype in UNWRITABLE_TYPES or field.get("is_virtual"):
		yield _("{0} has no field {1} that a next step could set. Choose a field with a plain value.").format(
			_(doctype), escape_html(cstr(fieldname))
		)
	elif not isinstance(value, SCALARS):
		yield _("A next step sets {0} to one plain value, not to a list.").format(fieldname)
	elif not frappe.has_permission(doctype, "write") or not field_rights.may_write(doctype, fieldname):
		yield _("You may not change {0} of {1}, so no next step of yours can. Ask somebody who may.").format(
			fieldname, _(doctype)
		)


# Apply Workflow Action


def apply_workflow_action(doc, plan, stage, workflow_action: str) -> None:
	"""Apply an action of the document's Frappe Workflow."""
	apply_workflow(doc, workflow_action)


def _workflow_action_problems(arguments: dict, doctype: str) -> Iterator[str]:
	name, roles = get_workflow_name(doctype), frappe.get_roles()
	transitions = frappe.get_cached_doc("Workflow", name).transitions if name else []
	wanted = [row for row in transitions if row.action == arguments["workflow_action"]]
	if not wanted:
		yield _("The workflow of {0} has no action {1}.").format(
			_(doctype), escape_html(cstr(arguments["workflow_action"]))
		)
	elif not frappe.has_permission(doctype, "write") or not any(row.allowed in roles for row in wanted):
		yield _(
			"You may not take the action {0} on {1}, so no next step of yours can. Ask somebody who may."
		).format(wanted[0].action, _(doctype))


# Submit


def submit(doc, plan, stage) -> None:
	"""Submit the document."""
	doc.submit()


def _submit_problems(arguments: dict, doctype: str) -> Iterator[str]:
	if not frappe.get_meta(doctype).is_submittable:
		yield _("Documents of {0} cannot be submitted.").format(_(doctype))
	elif not frappe.has_permission(doctype, "submit"):
		yield _(
			"You may not submit documents of {0}, so no next step of yours can. Ask somebody who may."
		).format(_(doctype))


# Assign


def assign(doc, plan, stage, user: str, description: str = "") -> None:
	"""Assign the document to a user who may read it: nobody gets to see it by being assigned."""
	_check_reads(doc, [user])
	assign_to.add(
		{
			"assign_to": [user],
			"doctype": doc.doctype,
			"name": doc.name,
			"description": escape_html(description or stage.stage_name),
		}
	)


def _assign_problems(arguments: dict, doctype: str) -> Iterator[str]:
	yield from _reader_problems([arguments["user"]], doctype)
	if not isinstance(arguments.get("description", ""), str):
		yield _("The description of a next step is a text.")


# Notify


def notify(doc, plan, stage, users: list[str], subject: str = "") -> None:
	"""Send a desk notification about the document to users who may read it."""
	_check_reads(doc, users)
	told = frappe._dict(
		type="Alert",
		document_type=doc.doctype,
		document_name=doc.name,
		# The desk shows it as HTML.
		subject=escape_html(subject or _("{0} was reached for {1}").format(stage.stage_name, doc.name)),
		from_user=frappe.session.user,
	)
	# In this transaction: Frappe's own way is a job, which would tell it twice when the step is tried again.
	make_notification_logs(told, users)


def _notify_problems(arguments: dict, doctype: str) -> Iterator[str]:
	users = arguments["users"]
	if not isinstance(users, list):
		yield _("The next step {0} takes a list of users.").format("Notify")
		return
	yield from _reader_problems(users, doctype)
	if not isinstance(arguments.get("subject", ""), str):
		yield _("The subject of a next step is a text.")


def _reader_problems(users: list, doctype: str) -> Iterator[str]:
	for user in users:
		if not isinstance(user, str) or not frappe.db.get_value("User", user, "enabled"):
			yield _("User {0} does not exist. Choose an enabled user.").format(escape_html(cstr(user)))
		elif not frappe.has_permission(doctype, "read", user=user):
			yield _("{0} may not read documents of {1}. Choose somebody who may.").format(user, _(doctype))


def _check_reads(doc, users: list[str]) -> None:
	for user in users:
		if not frappe.has_permission(doc.doctype, "read", doc=doc, user=user):
			frappe.throw(
				_("{0} may not read {1} {2}, so a next step tells them nothing of it.").format(
					user, _(doc.doctype), doc.name
				),
				frappe.PermissionError,
			)


OWN = {
	"Set Value": Action(f"{__name__}.set_value", {"field": True, "value": True}, _set_value_problems),
	"Apply Workflow Action": Action(
		f"{__name__}.apply_workflow_action", {"workflow_action": True}, _workflow_action_problems
	),
	"Submit": Action(f"{__name__}.submit", {}, _submit_problems),
	"Assign": Action(f"{__name__}.assign", {"user": True, "description": False}, _assign_problems),
	"Notify": Action(f"{__name__}.notify", {"users": True, "subject": False}, _notify_problems),
}
