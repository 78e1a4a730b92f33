"""Who a task's assignees and a stage's owners are, as people with names and addresses.

A person is a dict with `user` (id of an enabled user, or None), `contact` (name of a Contact, or None),
`full_name` and `email`. What rows need is read ahead by `prefetch`, with the same few queries for one task as
for five hundred.
"""

from collections.abc import Iterable
from typing import NamedTuple

import frappe
from frappe.utils import cstr

from milestone_automation.engine.rules.vocabulary import AssigneeKind, OwnerKind

# What of a task says whom it is given to.
RULE_FIELDS = (
	"assignee_kind",
	"assignee_user",
	"assignee_role",
	"assignee_field",
	"collaborator_name",
	"collaborator_email",
)
DEFAULT_SUPPLIER_FIELD = "supplier"
GUEST = "Guest"
ADMINISTRATOR = "Administrator"
SYSTEM_USER = "System User"
# Frappe gives these by the kind of account; no row says who has them.
EVERY_USER_ROLE = "All"
EVERY_DESK_USER_ROLE = "Desk User"


class People(NamedTuple):
	"""What `prefetch` read: everybody that some rows may name."""

	users: dict[str, dict]  # by id and by e-mail, lower case; disabled ones too
	roles: dict[str, list[dict]]  # enabled users of a role
	team: list[dict]  # enabled system users of the plan's team
	contacts: list[dict]  # contacts of the document's supplier


def resolve(task_row, doc, plan_or_workflow, cache: People | None = None) -> list[dict]:
	"""Return the people a task is for, each once, without disabled users; empty when it names nobody.

	Args:
		task_row: Milestone Task or Milestone Workflow Task, as document or dict.
		doc: the document the plan is about.
		plan_or_workflow: where team and supplier field are said (both DocTypes have the same fields).
		cache: what `prefetch` read for this row and this document; read now when left out.
	"""
	kind = task_row.get("assignee_kind")
	if not kind:
		return []
	people = cache or prefetch([task_row], doc, plan_or_workflow)
	return _unique(_CHOOSERS[AssigneeKind(kind)](task_row, doc, people))


def prefetch(rows: Iterable, doc, plan_or_workflow, stages: Iterable = ()) -> People:
	"""Read all that `resolve` and `resolve_stage_owner` need for one document: at most eight queries in all.

	Args:
		rows: tasks as in `resolve`.
		doc, plan_or_workflow: as in `resolve`.
		stages: as in `resolve_stage_owner`.
	"""
	rows = list(rows)
	kinds = {row.get("assignee_kind") for row in rows}
	contacts = (
		_supplier_contacts(doc, plan_or_workflow) if AssigneeKind.ALL_SUPPLIER_CONTACTS in kinds else []
	)
	named = [name for row in rows for name in _named_in_task(row, doc)]
	named += [name for stage in stages for name in _owner_names(stage, doc)]
	named += [_contact_key(contact) for contact in contacts]
	return People(
		users=_users_named(named),
		roles=_users_of_roles(row.get("assignee_role") for row in rows if _is_kind(row, AssigneeKind.ROLE)),
		team=_team(plan_or_workflow) if AssigneeKind.WHOLE_TEAM in kinds else [],
		contacts=contacts,
	)


def resolve_stage_owner(stage_row, doc, cache: People | None = None) -> str | None:
	"""Return the user who owns a stage; None when a role owns it, or nobody fits (left the site, field empty).

	Args:
		stage_row: Milestone Plan Stage or Milestone Workflow Stage, as document or dict.
		doc: the document the plan is about.
		cache: what `prefetch` read for this stage and this document; read now when left out.
	"""
	names = _owner_names(stage_row, doc)
	users = cache.users if cache else _users_named(names)
	people = (_person_named(name, users) for name in names)
	return next((person["user"] for person in people if person and person["user"]), None)


def stage_recipients(stage_row, doc) -> list[dict]:
	"""Return whom a stage's messages go to: its owner (or all of its role), and whom else it says to notify.

	Args:
		stage_row, doc: as in `resolve_stage_owner`. A plan's row that knows its owner already is believed.
	"""
	by_role = stage_row.get("owner_kind") == OwnerKind.ROLE
	names = [] if by_role else _stored_owner(stage_row) or _owner_names(stage_row, doc)[:1]
	names = [*names, *_split(stage_row.get("notify_users"))]
	roles = [stage_row.get("owner_role") if by_role else None, stage_row.get("notify_role")]
	users, members = _users_named(names), _users_of_roles(roles)
	owners = [person for role in roles[:1] for person in _members(members, role)]
	others = [_person_named(name, users) for name in names] + _members(members, roles[1])
	return _unique(owners + others)


def _is_kind(row, kind: AssigneeKind) -> bool:
	return row.get("assignee_kind") == kind


def _choose_team(row, doc, people: People) -> list[dict]:
	return _without_administrator(people.team)


def _choose_contacts(row, doc, people: People) -> list[dict]:
	return [_contact_person(contact, people.users) for contact in people.contacts]


def _choose_member(row, doc, people: People) -> list[dict]:
	return [_person_named(row.get("assignee_user"), people.users)]


def _choose_collaborator(row, doc, people: People) -> list[dict]:
	person = _person_named(row.get("collaborator_email"), people.users)
	if person and not person["user"]:
		person["full_name"] = row.get("collaborator_name") or person["full_name"]
	return [person]


def _choose_role(row, doc, people: People) -> list[dict]:
	return _members(people.roles, row.get("assignee_role"))


def _choose_field(row, doc, people: People) -> list[dict]:
	return [_person_named(name, people.users) for name in names_in_field(doc, row.get("assignee_field"))]


_CHOOSERS = {
	AssigneeKind.WHOLE_TEAM: _choose_team,
	AssigneeKind.ALL_SUPPLIER_CONTACTS: _choose_contacts,
	AssigneeKind.ONE_TEAM_MEMBER: _choose_member,
	AssigneeKind.THIRD_PARTY_COLLABORATOR: _choose_collaborator,
	AssigneeKind.ROLE: _choose_role,
	AssigneeKind.USER_FIELD: _choose_field,
}


def _named_in_task(row, doc) -> list[str]:
	"""Return user ids and e-mail addresses that a task names, by itself or through a field of the document."""
	kind = row.get("assignee_kind")
	if kind == AssigneeKind.ONE_TEAM_MEMBER:
		return [row.get("assignee_user")]
	if kind == AssigneeKind.THIRD_PARTY_COLLABORATOR:
		return [row.get("collaborator_email")]
	if kind == AssigneeKind.USER_FIELD:
		return names_in_field(doc, row.get("assignee_field"))
	return []


def _stored_owner(stage_row) -> list[str]:
	return [stage_row.get("stage_owner")] if stage_row.get("stage_owner") else []


def _owner_names(stage_row, doc) -> list[str]:
	kind = stage_row.get("owner_kind")
	if kind == OwnerKind.DOCUMENT_CREATOR:
		return _split(doc.get("owner"))
	if kind == OwnerKind.USER:
		return _split(stage_row.get("owner_user"))
	if kind == OwnerKind.USER_FIELD:
		return names_in_field(doc, stage_row.get("owner_field"))
	return []


def names_in_field(doc, fieldname: str | None) -> list[str]:
	"""Return the user ids or addresses in a field of the document; of a table of users, one of each row."""
	value = doc.get(fieldname) if fieldname else None
	if not isinstance(value, list | tuple):
		return _split(value)
	column = _user_column(doc.get("doctype"), fieldname)
	return [name for row in value for name in _split(row.get(column))] if column else []


def _user_column(doctype: str, fieldname: str) -> str | None:
	"""Return the field of a child table that links to User."""
	table = frappe.get_meta(doctype).get_field(fieldname)
	links = frappe.get_meta(table.options).get_link_fields() if table else []
	return next((field.fieldname for field in links if field.options == "User"), None)


def _split(value) -> list[str]:
	"""Return the names in a text: one a line, or divided by commas."""
	parts = cstr(value).replace(",", "\n").splitlines()
	return [part.strip() for part in parts if part.strip()]


def _users_named(names: Iterable[str | None]) -> dict[str, dict]:
	"""Return users by id and by e-mail in lower case, disabled ones too. At most one query."""
	given = {name.strip() for name in names if name}
	if not given:
		return {}
	user = frappe.qb.DocType("User")
	# Frappe keeps ids and addresses in lower case, save for its own two accounts.
	wanted = sorted(given | {name.lower() for name in given})
	query = _select_users(frappe.qb.from_(user), user)
	found = query.where(user.name.isin(wanted) | user.email.isin(wanted)).run(as_dict=True)
	by_email = {row.email.lower(): row for row in found if row.email}
	return by_email | {row.user.lower(): row for row in found}


def _select_users(query, user):
	return query.select(
		user.name.as_("user"), user.full_name, user.email, user.user_type, user.enabled
	).orderby(user.full_name, user.name)


def _users_of_roles(roles: Iterable[str | None]) -> dict[str, list[dict]]:
	"""Return the enabled users of each role. At most two queries."""
	wanted = {role for role in roles if role}
	members: dict[str, list[dict]] = {}
	by_account = wanted & {EVERY_USER_ROLE, EVERY_DESK_USER_ROLE}
	if by_account:
		everybody = _enabled_users()
		members[EVERY_USER_ROLE] = everybody
		members[EVERY_DESK_USER_ROLE] = [row for row in everybody if row.user_type == SYSTEM_USER]
	for row in _role_rows(sorted(wanted - by_account)):
		members.setdefault(row.role, []).append(row)
	return members


def _enabled_users() -> list[dict]:
	user = frappe.qb.DocType("User")
	return _select_users(frappe.qb.from_(user), user).where(user.enabled == 1).run(as_dict=True)


def _role_rows(roles: list[str]) -> list[dict]:
	if not roles:
		return []
	user, has_role = frappe.qb.DocType("User"), frappe.qb.DocType("Has Role")
	query = frappe.qb.from_(has_role).join(user).on(user.name == has_role.parent)
	query = _select_users(query, user).select(has_role.role).where(has_role.parenttype == "User")
	return query.where(has_role.role.isin(roles)).where(user.enabled == 1).run(as_dict=True)


def _team(plan_or_workflow) -> list[dict]:
	"""Return the enabled system users of a plan's team: by role and by user group. At most three queries."""
	role, group = plan_or_workflow.get("team_role"), plan_or_workflow.get("team_group")
	members = _users_of_roles([role]).get(role, []) + _group_members(group)
	return [_user_person(row) for row in members if row.user_type == SYSTEM_USER]


def _group_members(group: str | None) -> list[dict]:
	if not group:
		return []
	user, member = frappe.qb.DocType("User"), frappe.qb.DocType("User Group Member")
	query = frappe.qb.from_(member).join(user).on(user.name == member.user)
	query = _select_users(query, user).where(member.parenttype == "User Group").where(member.parent == group)
	return query.where(user.enabled == 1).run(as_dict=True)


def _supplier_contacts(doc, plan_or_workflow) -> list[dict]:
	"""Return the contacts linked to the document's supplier, main contact first. At most two queries."""
	party_type, party = _supplier(doc, plan_or_workflow)
	if not party:
		return []
	contact, link = frappe.qb.DocType("Contact"), frappe.qb.DocType("Dynamic Link")
	query = frappe.qb.from_(link).join(contact).on(contact.name == link.parent)
	query = query.select(
		contact.name, contact.first_name, contact.full_name, contact.email_id, contact.user
	).where((link.parenttype == "Contact") & (link.link_doctype == party_type) & (link.link_name == party))
	found = (
		query.orderby(contact.is_primary_contact, order=frappe.qb.desc)
		.orderby(contact.name)
		.run(as_dict=True)
	)
	return _with_addresses(found)


def _supplier(doc, plan_or_workflow) -> tuple[str | None, str | None]:
	"""Return DocType and name of the document's supplier."""
	fieldname = plan_or_workflow.get("supplier_field") or DEFAULT_SUPPLIER_FIELD
	field = frappe.get_meta(doc.get("doctype")).get_field(fieldname)
	if not field or field.fieldtype not in ("Link", "Dynamic Link"):
		return None, None
	party_type = doc.get(field.options) if field.fieldtype == "Dynamic Link" else field.options
	return party_type, doc.get(fieldname)


def _with_addresses(contacts: list[dict]) -> list[dict]:
	"""Give contacts without a main address the first of their other ones."""
	missing = [row.name for row in contacts if not row.email_id]
	if not missing:
		return contacts
	addresses: dict[str, str] = {}
	for row in frappe.get_all(
		"Contact Email",
		filters={"parenttype": "Contact", "parent": ("in", missing), "email_id": ("is", "set")},
		fields=["parent", "email_id"],
		order_by="is_primary desc, idx asc",
	):
		addresses.setdefault(row.parent, row.email_id)
	for row in contacts:
		row.email_id = row.email_id or addresses.get(row.name)
	return contacts


def _contact_key(contact: dict) -> str | None:
	"""Return by what a contact's account is found: the user it names, else its address."""
	return contact.user or contact.email_id


def _contact_person(contact: dict, users: dict[str, dict]) -> dict | None:
	"""Return a contact as a person; None for one who cannot be reached or whose account was disabled."""
	person = _person_named(_contact_key(contact), users)
	if person and not person["user"]:
		person["full_name"] = contact.full_name or contact.first_name or person["full_name"]
	return person and person | {"contact": contact.name}


def _person_named(name: str | None, users: dict[str, dict]) -> dict | None:
	"""Return who a user id or an e-mail address means; None for a disabled user, Guest, or no address at all."""
	name = cstr(name).strip()
	account = users.get(name.lower())
	if account:
		return _user_person(account) if account.enabled and account.user != GUEST else None
	if "@" not in name:
		return None
	return {"user": None, "contact": None, "full_name": name, "email": name.lower()}


def _user_person(row: dict) -> dict:
	name = row.full_name or row.user
	return {"user": row.user, "contact": None, "full_name": name, "email": (row.email or "").lower() or None}


def _members(members: dict[str, list[dict]], role: str | None) -> list[dict]:
	return _without_administrator([_user_person(row) for row in members.get(role, [])])


def _without_administrator(people: list[dict]) -> list[dict]:
	"""Leave out Guest, and Administrator too unless nobody else is there."""
	people = [person for person in people if person["user"] != GUEST]
	return [person for person in people if person["user"] != ADMINISTRATOR] or people


def _unique(people: Iterable[dict | None]) -> list[dict]:
	"""Return each person once, known by user or by address; the first mention counts."""
	seen: set[str] = set()
	result = []
	for person in people:
		keys = {key for key in (person["user"], person["email"]) if key} if person else set()
		if keys and not keys & seen:
			result.append(person)
		seen |= keys
	return result
