"""Who the assignees of tasks and the owners of stages are, worked out from a document, its plan and the rows.

A person is a dict with `user` (id of an enabled user, or None), `contact` (name of a Contact, or None), `full_name` and
`email`. `prefetch` reads what many rows need with the same few queries as for one row.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import frappe
from frappe.utils import cstr
from pypika.terms import Criterion

from milestone_automation.engine.rules.vocabulary import OUTSIDE_OWNERS, AssigneeKind, OwnerKind

# Fields of a task that say whom it is assigned to.
ASSIGNEE_RULE_FIELDS = (
	"assignee_kind",
	"assignee_user",
	"assignee_role",
	"assignee_field",
	"collaborator_name",
	"collaborator_email",
)
DEFAULT_SUPPLIER_FIELD = "supplier"
SEPARATORS = re.compile(r"[\n,;]+")
GUEST = "Guest"
ADMINISTRATOR = "Administrator"
SYSTEM_USER = "System User"
# Frappe gives these roles by type of account, without rows in Has Role.
EVERY_USER_ROLE = "All"
EVERY_DESK_USER_ROLE = "Desk User"


class People(NamedTuple):
	"""Everybody that some rows may name, as read by `prefetch`."""

	users: dict[str, dict]  # users by id and by e-mail address in lower case, also disabled ones
	roles: dict[str, list[dict]]  # enabled users by role
	team: list[dict]  # enabled system users of the plan's team
	contacts: list[dict]  # contacts of the document's supplier


def resolve(task_row, doc, plan_or_workflow, cache: People | None = None) -> list[dict]:
	"""Return the people a task is assigned to, each once, without disabled users.

	Args:
		task_row: Milestone Task or Milestone Workflow Task, as document or dict.
		doc: the document of the plan.
		plan_or_workflow: has the team and the supplier field; both DocTypes have the same fields.
		cache: result of `prefetch` for this row and document; read now if missing.

	Returns:
		list[dict]: empty if the task has no assignee kind or nobody fits.
	"""
	kind = task_row.get("assignee_kind")
	if not kind:
		return []
	people = cache or prefetch([task_row], doc, plan_or_workflow)
	return _unique(_CHOOSERS[AssigneeKind(kind)](task_row, doc, people))


def prefetch(rows: Iterable, doc, plan_or_workflow, stages: Iterable = ()) -> People:
	"""Read everybody that `resolve` and `resolve_stage_owner` need for one document, with at most eight queries.

	Args:
		rows: tasks, as in `resolve`.
		doc, plan_or_workflow: as in `resolve`.
		stages: stages, as in `resolve_stage_owner`.
	"""
	rows = list(rows)
	stages = list(stages)
	kinds = {row.get("assignee_kind") for row in rows} | {stage.get("owner_kind") for stage in stages}
	needs_contacts = kinds & {AssigneeKind.ALL_SUPPLIER_CONTACTS, OwnerKind.SUPPLIER_CONTACT}
	contacts = _contacts_of([_supplier(doc, plan_or_workflow)])[0] if needs_contacts else []
	names = [name for row in rows for name in _named_in_task(row, doc)]
	names += [name for stage in stages for name in _owner_names(stage, doc)]
	names += [_contact_key(contact) for contact in contacts]
	return People(
		users=_users_named(names),
		roles=_users_of_roles(row.get("assignee_role") for row in rows if _is_kind(row, AssigneeKind.ROLE)),
		team=_team(plan_or_workflow) if AssigneeKind.WHOLE_TEAM in kinds else [],
		contacts=contacts,
	)


def prefetch_owners(documents_with_stages: list[tuple]) -> list[People]:
	"""Read everybody that `resolve_stage_owner` needs for several documents, with at most three queries.

	Args:
		documents_with_stages: (document, plan or workflow, stages) of each document, as in `prefetch`.

	Returns:
		list[People]: one for each document, in order; without roles and team, which no owner needs.
	"""
	needs = [
		any(stage.get("owner_kind") == OwnerKind.SUPPLIER_CONTACT for stage in stages)
		for _doc, _plan, stages in documents_with_stages
	]
	suppliers = [
		_supplier(doc, plan) if needs_contacts else (None, None)
		for (doc, plan, _stages), needs_contacts in zip(documents_with_stages, needs, strict=True)
	]
	contacts = _contacts_of(suppliers)
	names = [_contact_key(contact) for of_one in contacts for contact in of_one]
	names += [
		name
		for doc, _plan, stages in documents_with_stages
		for stage in stages
		for name in _owner_names(stage, doc)
	]
	users = _users_named(names)
	return [People(users, {}, [], of_one) for of_one in contacts]


def resolve_stage_owner(stage_row, doc, plan_or_workflow, cache: People | None = None) -> dict:
	"""Return who owns a stage, as field values of Milestone Plan Stage.

	Args:
		stage_row: Milestone Plan Stage or Milestone Workflow Stage, as document or dict.
		doc, plan_or_workflow: as in `resolve`.
		cache: result of `prefetch` for this stage and document; read now if missing.

	Returns:
		dict: `stage_owner`, the user, or for somebody from outside without an account `outside_owner`, the address, and
		`outside_owner_name`. All are None if a role owns the stage, or nobody fits: the user is disabled, the field is
		empty, or the supplier has no contact with an address.
	"""
	people = cache or prefetch([], doc, plan_or_workflow, stages=[stage_row])
	candidates = [person for person in _owner_candidates(stage_row, doc, people) if person]
	if stage_row.get("owner_kind") not in OUTSIDE_OWNERS:
		candidates = [person for person in candidates if person["user"]]
	owner = candidates[0] if candidates else {"user": None, "email": None, "full_name": None}
	is_outside = not owner["user"]
	return {
		"stage_owner": owner["user"],
		"outside_owner": owner["email"] if is_outside else None,
		"outside_owner_name": owner["full_name"] if is_outside else None,
	}


def _owner_candidates(stage_row, doc, people: People) -> list[dict | None]:
	if stage_row.get("owner_kind") == OwnerKind.SUPPLIER_CONTACT:
		# Whoever took it over comes first, as long as they are a contact of the supplier.
		taken_over = stage_row.get("handed_to")
		contacts = sorted(people.contacts, key=lambda contact: contact.name != taken_over)
		return [_contact_person(contact, people.users) for contact in contacts]
	persons = [_person_named(name, people.users) for name in _owner_names(stage_row, doc)]
	if stage_row.get("owner_kind") == OwnerKind.THIRD_PARTY_COLLABORATOR:
		return [_named_outsider(person, stage_row.get("owner_name")) for person in persons]
	return persons


def _named_outsider(person: dict | None, full_name: str | None) -> dict | None:
	"""Give somebody without an account the name that a row has for them; an account has its own."""
	if person and not person["user"]:
		return person | {"full_name": full_name or person["full_name"]}
	return person


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
	return [_named_outsider(person, row.get("collaborator_name"))]


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
	"""Return the user ids and e-mail addresses that a task names, itself or in a field of the document."""
	kind = row.get("assignee_kind")
	if kind == AssigneeKind.ONE_TEAM_MEMBER:
		return [row.get("assignee_user")]
	if kind == AssigneeKind.THIRD_PARTY_COLLABORATOR:
		return [row.get("collaborator_email")]
	if kind == AssigneeKind.USER_FIELD:
		return names_in_field(doc, row.get("assignee_field"))
	return []


def _owner_names(stage_row, doc) -> list[str]:
	kind = stage_row.get("owner_kind")
	if kind == OwnerKind.DOCUMENT_CREATOR:
		return split_names(doc.get("owner"))
	if kind == OwnerKind.USER:
		return split_names(stage_row.get("owner_user"))
	if kind == OwnerKind.USER_FIELD:
		return names_in_field(doc, stage_row.get("owner_field"))
	if kind == OwnerKind.THIRD_PARTY_COLLABORATOR:
		return split_names(stage_row.get("owner_email"))
	return []


def names_in_field(doc, fieldname: str | None) -> list[str]:
	"""Return the user ids or e-mail addresses in a field of a document.

	Args:
		doc: the document.
		fieldname: a Link, a text with one or several names, or a table with a Link to User in each row.
	"""
	value = doc.get(fieldname) if fieldname else None
	if not isinstance(value, list | tuple):
		return split_names(value)
	column = _user_column(doc.get("doctype"), fieldname)
	return [name for row in value for name in split_names(row.get(column))] if column else []


def _user_column(doctype: str, fieldname: str) -> str | None:
	"""Return the field of a child table that is a Link to User."""
	table = frappe.get_meta(doctype).get_field(fieldname)
	links = frappe.get_meta(table.options).get_link_fields() if table else []
	return next((field.fieldname for field in links if field.options == "User"), None)


def split_names(value) -> list[str]:
	"""Return the names in a text: one per line, or separated by commas or semicolons.

	Args:
		value: value of a field; None and an empty text name nobody.
	"""
	return [part.strip() for part in SEPARATORS.split(cstr(value)) if part.strip()]


def _users_named(names: Iterable[str | None]) -> dict[str, dict]:
	"""Return users by id and by e-mail address in lower case, also disabled ones. At most one query."""
	names = {name.strip() for name in names if name}
	if not names:
		return {}
	user = frappe.qb.DocType("User")
	# Frappe stores ids and addresses in lower case, except for its standard accounts.
	identifiers = sorted(names | {name.lower() for name in names})
	query = _select_users(frappe.qb.from_(user), user)
	rows = query.where(user.name.isin(identifiers) | user.email.isin(identifiers)).run(as_dict=True)
	by_email = {row.email.lower(): row for row in rows if row.email}
	return by_email | {row.user.lower(): row for row in rows}


def _select_users(query, user):
	return query.select(
		user.name.as_("user"), user.full_name, user.email, user.user_type, user.enabled
	).orderby(user.full_name, user.name)


def _users_of_roles(roles: Iterable[str | None]) -> dict[str, list[dict]]:
	"""Return the enabled users of each role. At most two queries."""
	roles = {role for role in roles if role}
	members: dict[str, list[dict]] = {}
	by_account = roles & {EVERY_USER_ROLE, EVERY_DESK_USER_ROLE}
	if by_account:
		everybody = _enabled_users()
		members[EVERY_USER_ROLE] = everybody
		members[EVERY_DESK_USER_ROLE] = [row for row in everybody if row.user_type == SYSTEM_USER]
	for row in _role_rows(sorted(roles - by_account)):
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
	"""Return the enabled system users of a plan's team, by role and by user group. At most three queries."""
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


def contacts_of_suppliers(documents_with_plans: Iterable[tuple]) -> list[list[dict]]:
	"""Return the contacts of each document's supplier as people, primary contact first, without disabled users.

	At most three queries, however many documents.

	Args:
		documents_with_plans: (document, plan or workflow) pairs, as in `resolve`.
	"""
	contacts = _contacts_of([_supplier(doc, plan) for doc, plan in documents_with_plans])
	users = _users_named(_contact_key(contact) for of_one in contacts for contact in of_one)
	return [_unique(_contact_person(contact, users) for contact in of_one) for of_one in contacts]


def _contacts_of(suppliers: list[tuple]) -> list[list[dict]]:
	"""Return the contacts of each supplier, given as DocType and name. At most two queries."""
	names_of: dict[str, set[str]] = {}
	for party_type, party in suppliers:
		if party_type and party:
			names_of.setdefault(party_type, set()).add(cstr(party))
	if not names_of:
		return [[] for _supplier in suppliers]
	contact, link = frappe.qb.DocType("Contact"), frappe.qb.DocType("Dynamic Link")
	query = frappe.qb.from_(link).join(contact).on(contact.name == link.parent)
	query = query.select(
		contact.name, contact.first_name, contact.full_name, contact.email_id, contact.user
	).select(link.link_doctype, link.link_name)
	is_of_one = Criterion.any(
		(link.link_doctype == party_type) & link.link_name.isin(sorted(names))
		for party_type, names in names_of.items()
	)
	query = query.where((link.parenttype == "Contact") & is_of_one)
	rows = query.orderby(contact.is_primary_contact, order=frappe.qb.desc).orderby(contact.name)
	contacts: dict[tuple, list[dict]] = {}
	for row in _with_addresses(rows.run(as_dict=True)):
		contacts.setdefault((row.link_doctype, row.link_name), []).append(row)
	return [contacts.get((party_type, cstr(party)), []) for party_type, party in suppliers]


def _supplier(doc, plan_or_workflow) -> tuple[str | None, str | None]:
	"""Return DocType and name of the document's supplier."""
	fieldname = plan_or_workflow.get("supplier_field") or DEFAULT_SUPPLIER_FIELD
	field = frappe.get_meta(doc.get("doctype")).get_field(fieldname)
	if not field or field.fieldtype not in ("Link", "Dynamic Link"):
		return None, None
	party_type = doc.get(field.options) if field.fieldtype == "Dynamic Link" else field.options
	return party_type, doc.get(fieldname)


def _with_addresses(contacts: list[dict]) -> list[dict]:
	"""Give contacts without a primary address the first of their other addresses."""
	names_without_address = [row.name for row in contacts if not row.email_id]
	if not names_without_address:
		return contacts
	addresses: dict[str, str] = {}
	for row in frappe.get_all(
		"Contact Email",
		filters={"parenttype": "Contact", "parent": ("in", names_without_address), "email_id": ("is", "set")},
		fields=["parent", "email_id"],
		order_by="is_primary desc, idx asc",
	):
		addresses.setdefault(row.parent, row.email_id)
	for row in contacts:
		row.email_id = row.email_id or addresses.get(row.name)
	return contacts


def _contact_key(contact: dict) -> str | None:
	"""Return what identifies the account of a contact: its user, otherwise its address."""
	return contact.user or contact.email_id


def _contact_person(contact: dict, users: dict[str, dict]) -> dict | None:
	"""Return a contact as a person; None without an address or with a disabled account."""
	person = _person_named(_contact_key(contact), users)
	if person and not person["user"]:
		person["full_name"] = contact.full_name or contact.first_name or person["full_name"]
	return person and person | {"contact": contact.name}


def _person_named(name: str | None, users: dict[str, dict]) -> dict | None:
	"""Return the person with a user id or e-mail address; None for a disabled user, Guest, or a text without address."""
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
	"""Leave out Guest, and Administrator unless there is nobody else."""
	people = [person for person in people if person["user"] != GUEST]
	return [person for person in people if person["user"] != ADMINISTRATOR] or people


def _unique(people: Iterable[dict | None]) -> list[dict]:
	"""Return each person once, identified by user or address; the first entry counts."""
	seen: set[str] = set()
	unique = []
	for person in people:
		keys = {key for key in (person["user"], person["email"]) if key} if person else set()
		if keys and not keys & seen:
			unique.append(person)
		seen |= keys
	return unique
