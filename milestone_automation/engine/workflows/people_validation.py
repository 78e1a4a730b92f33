"""Rules for the people that a workflow names: users, roles, user fields and e-mail addresses.

Each check returns a sentence that says what is wrong and what to do, or None.
"""

from dataclasses import dataclass

import frappe
from frappe import _
from frappe.model import table_fields
from frappe.utils import escape_html, validate_email_address

from milestone_automation.engine.people import assignees

# Roles of every account, also of suppliers and customers on the website.
ROLES_OF_EVERYBODY = frozenset({"All", "Guest"})
ADDRESS_TYPES = frozenset({"Data", "Read Only", "Small Text"})
USER_COLUMNS = frozenset({"owner", "modified_by"})


@dataclass(frozen=True)
class Known:
	"""The users and roles that a workflow names and that exist, read with one query each.

	Attributes:
		users: whether each user is enabled, by name.
		roles: whether each role is enabled, by name.
	"""

	users: dict[str, bool]
	roles: dict[str, bool]


def read_known(workflow) -> Known:
	"""Read the users and roles that a Milestone Workflow document names.

	Args:
		workflow: Milestone Workflow document, with its rows.
	"""
	users, roles = set(), {workflow.team_role, workflow.escalation_role}
	for stage in workflow.stages:
		users.update((stage.owner_user, *notified(stage)))
		roles.update((stage.owner_role, stage.notify_role))
	for task in workflow.tasks:
		users.add(task.assignee_user)
		roles.add(task.assignee_role)
	return Known(_read_flags("User", "enabled", users), _read_flags("Role", "disabled", roles, inverted=True))


def _read_flags(doctype: str, field: str, names: set, inverted: bool = False) -> dict[str, bool]:
	names = [name for name in names if name]
	if not names:
		return {}
	rows = frappe.get_all(doctype, filters={"name": ("in", names)}, fields=["name", field])
	return {row.name: bool(row[field]) is not inverted for row in rows}


def notified(stage) -> list[str]:
	"""Return whom a stage also notifies, as user ids and e-mail addresses.

	Args:
		stage: row with `notify_users`, a text.
	"""
	return assignees.split_names(stage.notify_users)


def user_problem(user: str, known: Known) -> str | None:
	"""Return why a user cannot be chosen, as a sentence, or None.

	Args:
		user: user id.
		known: read of a workflow that names the user; others count as not existing.
	"""
	if user not in known.users:
		return _("User {0} does not exist. Choose an enabled user.").format(escape_html(user))
	if not known.users[user]:
		return _("The user {0} is disabled. Choose an enabled user.").format(user)
	return None


def role_problem(role: str, known: Known) -> str | None:
	"""Return why a role cannot be chosen, as a sentence, or None.

	Args:
		role: its name.
		known: read of a workflow that names the role; others count as not existing.
	"""
	if role in ROLES_OF_EVERYBODY:
		return _("Every user has the role {0}, including website users. Choose another role.").format(role)
	if role not in known.roles:
		return _("Role {0} does not exist. Choose an existing role.").format(escape_html(role))
	if not known.roles[role]:
		return _("The role {0} is disabled. Choose an enabled role.").format(role)
	return None


def notified_problem(name: str, known: Known) -> str | None:
	"""Return why a user id or e-mail address cannot be notified, as a sentence, or None.

	Args:
		name: one of `notified`.
		known: read of the workflow that names it.
	"""
	if known.users.get(name) or (name not in known.users and is_address(name)):
		return None
	if name in known.users:
		return _("The user {0} is disabled. Remove it from Also Notify.").format(name)
	return _("{0} is neither a user nor an e-mail address. Enter one per line in Also Notify.").format(
		escape_html(name)
	)


def is_address(text: str | None) -> bool:
	"""Tell whether a text is exactly one e-mail address.

	Args:
		text: spaces around it do not count; None is no address.
	"""
	text = (text or "").strip()
	# Some versions of Frappe return the address in lower case.
	return (
		bool(text)
		and validate_email_address(text).lower() == text.lower()
		and assignees.split_names(text) == [text]
	)


def address_problem(text: str) -> str | None:
	"""Return why a text is not the address of a collaborator, as a sentence, or None.

	Args:
		text: as a person wrote it.
	"""
	if is_address(text):
		return None
	return _(
		"{0} is not a valid e-mail address. Enter the collaborator's address, for example name@example.com."
	).format(escape_html(text))


def user_field_problem(fieldname: str, doctype: str) -> str | None:
	"""Return why a field cannot name users, as a sentence, or None.

	A user field is a Link to User, a text with an e-mail address, or a table with a Link to User.

	Args:
		fieldname: of the document; `owner` and `modified_by` name users, too.
		doctype: DocType of the workflow's documents.
	"""
	if fieldname in USER_COLUMNS:
		return None
	field = frappe.get_meta(doctype).get_field(fieldname)
	if not field:
		return _("{0} has no field {1}. Choose a field that names a user.").format(
			_(doctype), escape_html(fieldname)
		)
	if _names_users(field):
		return None
	return _(
		"The field {0} of {1} does not name a user. Choose a Link to User, or a Data field with an e-mail address."
	).format(fieldname, _(doctype))


def _names_users(field) -> bool:
	"""Tell whether a field is a Link to User, a text or a table with a Link to User."""
	if field.fieldtype in table_fields:
		return any(link.options == "User" for link in frappe.get_meta(field.options).get_link_fields())
	return field.fieldtype in ADDRESS_TYPES or (field.fieldtype == "Link" and field.options == "User")


def supplier_field_problem(fieldname: str | None, doctype: str) -> str | None:
	"""Return why a field cannot name the supplier, or None.

	Args:
		fieldname: a link to the document whose contacts get the task; `supplier` by default.
		doctype: DocType of the workflow's documents.
	"""
	fieldname = fieldname or "supplier"
	field = frappe.get_meta(doctype).get_field(fieldname)
	if not field:
		return _(
			"{0} has no field {1} for the supplier. Set the workflow's Supplier Field to the field that names the supplier."
		).format(_(doctype), escape_html(fieldname))
	if field.fieldtype not in ("Link", "Dynamic Link"):
		return _("The Supplier Field {0} of {1} must be a link to Supplier.").format(fieldname, _(doctype))
	return None
