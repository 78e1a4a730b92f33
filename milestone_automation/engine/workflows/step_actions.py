"""The actions that next steps have from this app: what each does, and what keeps the session user from it.

A function gets (doc, plan, stage, **arguments) and acts with the rights of the session user. Its `…_problems` gets
(arguments, doctype) and yields sentences.
"""

import json
from collections.abc import Iterator

import frappe
import requests
from frappe import _
from frappe.desk.doctype.notification_log.notification_log import make_notification_logs
from frappe.desk.doctype.tag.tag import DocTags
from frappe.desk.form import assign_to
from frappe.integrations.doctype.webhook import webhook as frappe_webhook
from frappe.model.workflow import apply_workflow, get_workflow_name
from frappe.utils import cint, cstr, escape_html

from milestone_automation.engine.base import compat, values
from milestone_automation.engine.workflows import field_mapping, step_rights

# Functions that an app lets next steps call, by dotted path.
METHODS_HOOK = "milestone_methods"
# Seconds that a webhook may take where it says nothing.
WEBHOOK_TIMEOUT = 5
# Texts of tags and comments.
LONGEST_TAG, LONGEST_COMMENT = 140, 4000


# Set Value, Set Values


def set_value(doc, plan, stage, field: str, value) -> None:
	"""Set a field of the document and save it, with all that a save by the session user brings.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.
		field: its fieldname.
		value: the new value; None empties the field.

	Raises:
		frappe.ValidationError: the save was refused, or the field has another value after it.
		frappe.PermissionError: the session user may not save the document.
	"""
	set_values(doc, plan, stage, [{"field": field, "value": value}])


def set_values(doc, plan, stage, fields: list[dict]) -> None:
	"""Set fields of the document, see `field_mapping`, and save it once.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.
		fields: a mapping, see `field_mapping.problems`.

	Raises:
		frappe.ValidationError: the save was refused, or a field has another value after it.
		frappe.PermissionError: the session user may not save the document.
		Exception: what a formula raises, `BudgetExceeded` too.
	"""
	wanted = field_mapping.values(fields, doc)
	for fieldname, value in wanted.items():
		doc.set(fieldname, value)
	doc.save()
	# Frappe puts a field back without a word where the user's permission level is too low.
	stored = frappe.db.get_value(doc.doctype, doc.name, list(wanted), as_dict=True)
	for fieldname, value in wanted.items():
		fieldtype = doc.meta.get_field(fieldname).fieldtype
		if not values.is_same(values.as_stored(value, fieldtype), stored[fieldname], fieldtype):
			frappe.throw(
				_("Setting {0} to {1} had no effect on {2} {3}.").format(
					fieldname, escape_html(cstr(value)), _(doc.doctype), doc.name
				)
			)


def set_value_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from setting a field, as sentences.

	Args:
		arguments: `field` and `value` of the step, of any type.
		doctype: of the documents that it acts on.
	"""
	row = {"field": arguments["field"], "value": arguments.get("value")}
	fault = field_mapping.target_problem(row["field"], doctype)
	if fault:
		yield fault
	else:
		yield from set_values_problems({"fields": [row]}, doctype)


def set_values_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from setting fields, as sentences.

	Args:
		arguments: `fields` of the step, of any type.
		doctype: of the documents that it acts on.
	"""
	place = field_mapping.Place(doctype, None, doctype)
	faults = list(field_mapping.problems(arguments["fields"], place))
	yield from faults
	if not faults and not frappe.has_permission(doctype, "write"):
		fieldname = arguments["fields"][0]["field"]
		yield _("You may not change {0} of {1}, so no next step of yours can. Ask somebody who may.").format(
			fieldname, _(doctype)
		)


# Apply Workflow Action


def apply_workflow_action(doc, plan, stage, workflow_action: str) -> None:
	"""Apply an action of the document's Frappe Workflow, which saves, submits or cancels it.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.
		workflow_action: name of the action.

	Raises:
		frappe.ValidationError: nobody, or not the session user, may take it in the state of the document.
		frappe.PermissionError: the session user may not read or write the document.
	"""
	apply_workflow(doc, workflow_action)


def workflow_action_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from taking an action of the Frappe Workflow, as sentences.

	Args:
		arguments: `workflow_action` of the step, of any type.
		doctype: of the documents that it acts on; any state they may be in counts.
	"""
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
	"""Submit the document, with all that a submission by the session user brings.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.

	Raises:
		frappe.ValidationError: the submission was refused.
		frappe.PermissionError: the session user may not submit the document.
	"""
	doc.submit()


def submit_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from submitting, as sentences.

	Args:
		arguments: of the step; not used.
		doctype: of the documents that it acts on.
	"""
	yield from step_rights.submit_problems(doctype)


# Assign


def assign(doc, plan, stage, user: str, description: str = "") -> None:
	"""Assign the document to a user who may read it: nobody gets to see it by being assigned.

	Args:
		doc: the document, as it is stored.
		plan: row; not used.
		stage: row, whose name is the description where there is none.
		user: user id.
		description: plain text of the to-do.

	Raises:
		frappe.PermissionError: the user may not read the document.
	"""
	_check_reads(doc, [user])
	assign_to.add(
		{
			"assign_to": [user],
			"doctype": doc.doctype,
			"name": doc.name,
			"description": escape_html(description or stage.stage_name),
		}
	)


def assign_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from assigning, as sentences.

	Args:
		arguments: `user`, and maybe `description`, of the step, of any type.
		doctype: of the documents that it acts on, which the user has to be able to read.
	"""
	yield from _reader_problems([arguments["user"]], doctype)
	if not isinstance(arguments.get("description", ""), str):
		yield _("The description of a next step is a text.")


# Notify


def notify(doc, plan, stage, users: list[str], subject: str = "") -> None:
	"""Send a desk notification about the document to users who may read it.

	Args:
		doc: the document, as it is stored.
		plan: row; not used.
		stage: row, which the subject names where there is none.
		users: user ids.
		subject: plain text.

	Raises:
		frappe.PermissionError: one of the users may not read the document; then nobody is told.
	"""
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


def notify_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from notifying, as sentences.

	Args:
		arguments: `users`, and maybe `subject`, of the step, of any type.
		doctype: of the documents that it acts on, which the users have to be able to read.
	"""
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
		if not compat.may(doc.doctype, "read", doc, user):
			frappe.throw(
				_("{0} may not read {1} {2}, so a next step tells them nothing of it.").format(
					user, _(doc.doctype), doc.name
				),
				frappe.PermissionError,
			)


# Add Tag, Add Comment


def add_tag(doc, plan, stage, tag: str) -> None:
	"""Add a tag to the document, without saving it; one that it has already stays as it is.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.
		tag: its text.
	"""
	DocTags(doc.doctype).add(doc.name, tag.strip())


def tag_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from adding a tag, as sentences.

	Args:
		arguments: `tag` of the step, a text.
		doctype: of the documents that it acts on.
	"""
	tag = arguments["tag"]
	if len(tag) > LONGEST_TAG or "," in tag:
		yield _("A tag has at most {0} characters and no comma.").format(LONGEST_TAG)
	yield from step_rights.write_problems(doctype)


def add_comment(doc, plan, stage, text: str) -> None:
	"""Comment on the document, in plain text; who reads the document may do so.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.
		text: what the comment says; HTML in it is shown as it is written.
	"""
	doc.add_comment("Comment", escape_html(text.strip()))


def comment_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from commenting, as sentences.

	Args:
		arguments: `text` of the step, a text.
		doctype: not used: reading is asked of the document itself.
	"""
	if len(arguments["text"]) > LONGEST_COMMENT:
		yield _("A comment has at most {0} characters.").format(LONGEST_COMMENT)


# Call Method


def call_method(doc, plan, stage, method: str) -> None:
	"""Call a function that an app has declared for this with the hook `milestone_methods`; it gets the document.

	Args:
		doc: the document, as it is stored; the only argument of the function.
		plan, stage: rows; not used.
		method: dotted path of the function.

	Raises:
		frappe.ValidationError: no installed app has declared it.
		Exception: what the function raises.
	"""
	if method not in frappe.get_hooks(METHODS_HOOK):
		frappe.throw(_no_such_method(method))
	frappe.get_attr(method)(doc)


def method_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield that no app has declared the function, or that the session user may not write the documents.

	Args:
		arguments: `method` of the step, of any type.
		doctype: of the documents that it acts on.
	"""
	if arguments["method"] not in frappe.get_hooks(METHODS_HOOK):
		yield _no_such_method(arguments["method"])
	else:
		yield from step_rights.write_problems(doctype)


def _no_such_method(method: str) -> str:
	return _(
		"No installed app lets next steps call {0}. Apps declare such functions with the hook {1}."
	).format(escape_html(cstr(method)), METHODS_HOOK)


# Webhook


def call_webhook(doc, plan, stage, webhook: str) -> None:
	"""Send the document to a Webhook of Frappe. Its condition, data and headers count, its event does not.

	Args:
		doc: the document, as it is stored.
		plan, stage: rows; not used.
		webhook: name of the Webhook.

	Raises:
		frappe.DoesNotExistError: it is gone.
		requests.RequestException: it was not taken; the outbox tries again.
	"""
	hook = frappe.get_doc("Webhook", webhook)
	context = frappe_webhook.get_context(doc)
	if hook.condition and not frappe.safe_eval(hook.condition, eval_locals=context):
		return
	answer = requests.request(
		method=hook.request_method,
		url=hook.request_url,
		# As Frappe sends it: its signature in the headers is of this text.
		data=json.dumps(frappe_webhook.get_webhook_data(doc, hook), default=str),
		headers=frappe_webhook.get_webhook_headers(doc, hook),
		timeout=cint(hook.get("timeout")) or WEBHOOK_TIMEOUT,
	)
	answer.raise_for_status()


def webhook_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield that there is no such webhook for these documents, or that the session user may not read it.

	Args:
		arguments: `webhook` of the step, of any type.
		doctype: of the documents that it acts on.
	"""
	name = arguments["webhook"]
	fields = ["webhook_doctype", "enabled", "is_dynamic_url"]
	hook = isinstance(name, str) and frappe.db.get_value("Webhook", name, fields, as_dict=True)
	if not hook or not compat.may("Webhook", "read", name):
		yield _("The webhook {0} does not exist, or you may not read it. Choose another one.").format(
			escape_html(cstr(name))
		)
	elif hook.webhook_doctype != doctype or not hook.enabled or hook.is_dynamic_url:
		yield _(
			"The webhook {0} is not enabled for {1}, or its address is a template. Choose another one."
		).format(name, _(doctype))


# Choices


def choices(doctype: str) -> dict[str, list[str]]:
	"""Return the names that the session user can choose from in next steps for documents of a DocType.

	Args:
		doctype: of the documents.

	Returns:
		dict: `workflow_actions` and `methods`, whoever may use them; `webhooks`, those that the user may read.
	"""
	workflow = get_workflow_name(doctype)
	transitions = frappe.get_cached_doc("Workflow", workflow).transitions if workflow else []
	filters = {"webhook_doctype": doctype, "enabled": 1, "is_dynamic_url": 0}
	reads_webhooks = frappe.has_permission("Webhook", "read")
	return {
		"workflow_actions": list(dict.fromkeys(row.action for row in transitions)),
		"methods": list(frappe.get_hooks(METHODS_HOOK)),
		"webhooks": frappe.get_list("Webhook", filters, pluck="name") if reads_webhooks else [],
	}
