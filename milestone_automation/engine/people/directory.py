"""Who can be reached how: users and addresses with language, time zone and what they want to get.

`Directory.read` reads all that a batch of plans needs with a constant number of queries.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import frappe
from frappe.utils import cint
from pypika.functions import Lower

DIGEST_DEFAULT = "milestone_digest"  # the user default that turns single mails into one a day
STAND_IN_ROLES = ("Milestone Manager", "System Manager")  # asked where a stage has no owner any more
NO_MAILBOX = {"admin@example.com", "guest@example.com"}  # what Frappe gives its own two accounts


@dataclass(frozen=True)
class Recipient:
	"""One person a message goes to.

	Attributes:
		user: id of an enabled user, or None.
		email: address, lower case, or None.
		language: code, the site's where the person has none.
		zone: name of the time zone, the site's where the person has none.
		is_desk_user: may open the desk.
		wants_mail, wants_notification, wants_digest: what may be sent.
		unsubscribed_from: pairs of DocType and name of documents about which no mail is wanted.
	"""

	user: str | None
	full_name: str
	email: str | None
	language: str
	zone: str
	is_desk_user: bool = False
	wants_mail: bool = True
	wants_notification: bool = False
	wants_digest: bool = False
	unsubscribed_from: frozenset = frozenset()

	@property
	def identity(self) -> str:
		"""What messages know the person by."""
		return self.user or self.email or ""


class Directory:
	"""The people of a batch of plans; made by `read`."""

	def __init__(self):
		self.by_name: dict[str, Recipient | None] = {}  # by user id and by address; None: a disabled user
		self.by_role: dict[str, list[Recipient]] = {}
		self.zones: dict[str, datetime.tzinfo] = {}

	@classmethod
	def read(cls, names: Iterable[str | None], roles: Iterable[str | None]) -> "Directory":
		"""Read everybody that these user ids, addresses and roles name. At most six queries.

		Args:
			names: user ids and e-mail addresses.
			roles: role names; those of the stand-ins are added.
		"""
		directory = cls()
		names = {name.strip().lower() for name in names if name}
		roles = {role for role in roles if role} | set(STAND_IN_ROLES)
		named, members = _users_named(names), _users_of_roles(roles)
		users = {row.name: row for row in [*named, *members]}
		wishes = _Wishes.read(list(users), _addresses(names, users.values()))
		people = {name: wishes.recipient_of_user(row) for name, row in users.items()}
		directory._add_users(named, members, people)
		for address in names - set(directory.by_name):
			directory.by_name[address] = wishes.recipient_of_address(address) if "@" in address else None
		return directory

	def _add_users(self, named: list, members: list, people: dict[str, Recipient | None]) -> None:
		for row in named:
			self.by_name[row.name.lower()] = people[row.name]
			self.by_name.setdefault((row.email or row.name).lower(), people[row.name])
		for row in members:
			if people[row.name]:
				self.by_role.setdefault(row.role, []).append(people[row.name])

	def person(self, name: str | None, full_name: str | None = None) -> Recipient | None:
		"""Return who a user id or address means; None for a disabled user and for nobody.

		Args:
			full_name: what an address without account is called.
		"""
		found = self.by_name.get((name or "").strip().lower())
		if found and not found.user and full_name:
			return Recipient(**{**found.__dict__, "full_name": full_name})
		return found

	def members(self, role: str | None) -> list[Recipient]:
		"""Return the enabled users of a role, Administrator only if nobody else has it."""
		people = self.by_role.get(role or "", [])
		return [person for person in people if person.user != "Administrator"] or people

	def stand_ins(self) -> list[Recipient]:
		"""Return who is asked where a stage has no owner that can be."""
		return next((people for role in STAND_IN_ROLES if (people := self.members(role))), [])


def _addresses(names: set[str], users: Iterable) -> list[str]:
	"""Return the addresses among names and of users."""
	texts = names | {(row.email or "").lower() for row in users}
	return sorted(text for text in texts if "@" in text)


@dataclass
class _Wishes:
	"""What people said about messages, in Frappe's own places."""

	no_mail: set
	no_notification: set
	digest: set
	unsubscribed: set
	unsubscribed_from: dict
	language: str
	zone: str

	@classmethod
	def read(cls, users: list[str], addresses: list[str]) -> "_Wishes":
		settings = frappe.get_all(
			"Notification Settings",
			filters={"name": ("in", users)},
			fields=["name", "enabled", "enable_email_notifications"],
		)
		unsubscribed, unsubscribed_from = _unsubscribed(addresses)
		return cls(
			no_mail={row.name for row in settings if not row.enable_email_notifications},
			no_notification={row.name for row in settings if not row.enabled},
			digest=_users_with_digest(users),
			unsubscribed=unsubscribed,
			unsubscribed_from=unsubscribed_from,
			language=frappe.get_system_settings("language") or "en",
			zone=frappe.get_system_settings("time_zone") or "UTC",
		)

	def recipient_of_user(self, row) -> Recipient | None:
		if not row.enabled or row.name == "Guest":
			return None
		email = (row.email or "").lower() or None
		has_mail = (
			bool(email) and email not in NO_MAILBOX | self.unsubscribed and row.name not in self.no_mail
		)
		return Recipient(
			user=row.name,
			full_name=row.full_name or row.name,
			email=email,
			language=row.language or self.language,
			zone=row.time_zone or self.zone,
			is_desk_user=row.user_type == "System User",
			wants_mail=has_mail,
			wants_notification=row.user_type == "System User" and row.name not in self.no_notification,
			wants_digest=has_mail and row.name in self.digest,
			unsubscribed_from=frozenset(self.unsubscribed_from.get(email, ())),
		)

	def recipient_of_address(self, address: str) -> Recipient:
		is_open = address not in self.unsubscribed
		return Recipient(
			None,
			address,
			address,
			self.language,
			self.zone,
			wants_mail=is_open,
			unsubscribed_from=frozenset(self.unsubscribed_from.get(address, ())),
		)


USER_COLUMNS = ("name", "full_name", "email", "enabled", "language", "time_zone", "user_type")


def _users_named(names: set[str]) -> list:
	if not names:
		return []
	user = frappe.qb.DocType("User")
	wanted = sorted(names | {"Administrator"}) if "administrator" in names else sorted(names)
	query = frappe.qb.from_(user).select(*(user[column] for column in USER_COLUMNS))
	return query.where(user.name.isin(wanted) | user.email.isin(wanted)).run(as_dict=True)


def _users_of_roles(roles: set[str]) -> list:
	user, has_role = frappe.qb.DocType("User"), frappe.qb.DocType("Has Role")
	query = frappe.qb.from_(has_role).join(user).on(user.name == has_role.parent)
	query = query.select(has_role.role, *(user[column] for column in USER_COLUMNS))
	query = query.where(has_role.parenttype == "User").where(has_role.role.isin(sorted(roles)))
	return query.where(user.enabled == 1).orderby(user.name).run(as_dict=True)


def _users_with_digest(users: list[str]) -> set[str]:
	rows = frappe.get_all(
		"DefaultValue",
		filters={"parent": ("in", users), "defkey": DIGEST_DEFAULT},
		fields=["parent", "defvalue"],
	)
	return {row.parent for row in rows if cint(row.defvalue)}


def _unsubscribed(addresses: list[str]) -> tuple[set[str], dict[str, set]]:
	"""Return who wants no mail of this site, by Email Unsubscribe or Contact, and who wants none of which documents.

	Args:
		addresses: lower case. What is stored may be written otherwise.
	"""
	if not addresses:
		return set(), {}
	found, documents = _unsubscribed_contacts(addresses), defaultdict(set)
	table = frappe.qb.DocType("Email Unsubscribe")
	query = frappe.qb.from_(table).where(Lower(table.email).isin(addresses))
	query = query.select(table.email, table.global_unsubscribe, table.reference_doctype, table.reference_name)
	for email, is_global, doctype, name in query.run():
		if is_global:
			found.add(email.lower())
		elif name:
			documents[email.lower()].add((doctype, name))
	return found, documents


def _unsubscribed_contacts(addresses: list[str]) -> set[str]:
	contact, other = frappe.qb.DocType("Contact"), frappe.qb.DocType("Contact Email")
	query = frappe.qb.from_(contact).left_join(other)
	query = query.on((other.parent == contact.name) & (other.parenttype == "Contact"))
	query = query.select(contact.email_id, other.email_id).where(contact.unsubscribed == 1)
	query = query.where(Lower(contact.email_id).isin(addresses) | Lower(other.email_id).isin(addresses))
	return {address.lower() for pair in query.run() for address in pair if address}
