"""Recipients of messages: users and addresses with their language, time zone and notification preferences.

`Directory.read` reads everybody that a batch of plans needs, with a constant number of queries.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import frappe
from pypika.functions import Lower

from milestone_automation.engine.rules.vocabulary import Vocabulary

MAIL_DEFAULT = "milestone_mail"  # user default: a MailPreference; Daily without one
SUBSTITUTE_ROLES = ("Milestone Manager", "System Manager")  # asked if a stage no longer has an owner
PLACEHOLDER_ADDRESSES = {"admin@example.com", "guest@example.com"}  # of Frappe's standard accounts


class MailPreference(Vocabulary):
	"""How often somebody gets mails; stored as a default of the user."""

	EACH = "Each"
	DAILY = "Daily"
	BELL_ONLY = "Bell Only"


@dataclass(frozen=True)
class Recipient:
	"""One person who gets messages.

	Attributes:
		user: id of an enabled user, or None.
		full_name: name to show.
		email: address in lower case, or None.
		language: language code; the site's if the person has none.
		zone: name of the time zone; the site's if the person has none.
		is_desk_user: whether the person may open the desk.
		wants_mail, wants_notification: which kinds of message may be sent.
		wants_digest: whether mails are bundled, at most one a day; so it is for everybody who has not chosen otherwise.
		unsubscribed_from: (DocType, name) of the documents about which the person wants no mail.
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
		"""User id or e-mail address that identifies the person in messages."""
		return self.user or self.email or ""


class Directory:
	"""The recipients of a batch of plans; made by `read`."""

	def __init__(self):
		self.by_name: dict[str, Recipient | None] = {}  # by user id and by address; None for a disabled user
		self.by_role: dict[str, list[Recipient]] = {}
		self.zones: dict[str, datetime.tzinfo] = {}

	@classmethod
	def read(cls, names: Iterable[str | None], roles: Iterable[str | None]) -> "Directory":
		"""Read everybody with these user ids, addresses and roles, with at most six queries.

		Args:
			names: user ids and e-mail addresses.
			roles: role names; those of the substitutes are added.
		"""
		names = {name.strip().lower() for name in names if name}
		named_users = _users_named(names)
		members = _users_of_roles({role for role in roles if role} | set(SUBSTITUTE_ROLES))
		users = {row.name: row for row in [*named_users, *members]}
		preferences = NotificationPreferences.read(users, names)
		people = {name: preferences.recipient_of_user(row) for name, row in users.items()}
		directory = cls()
		directory._add_users(named_users, people)
		directory._add_members(members, people)
		directory._add_addresses(names, preferences)
		return directory

	def _add_users(self, rows: list, people: dict) -> None:
		for row in rows:
			self.by_name[row.name.lower()] = people[row.name]
			self.by_name.setdefault((row.email or row.name).lower(), people[row.name])

	def _add_members(self, rows: list, people: dict) -> None:
		for row in rows:
			if people[row.name]:
				self.by_role.setdefault(row.role, []).append(people[row.name])

	def _add_addresses(self, names: set[str], preferences: "NotificationPreferences") -> None:
		for name in names - set(self.by_name):
			self.by_name[name] = preferences.recipient_of_address(name) if "@" in name else None

	def person(self, name: str | None, full_name: str | None = None) -> Recipient | None:
		"""Return the recipient with a user id or address; None for a disabled or unknown user.

		Args:
			name: user id or e-mail address that was given to `read`.
			full_name: name to show for an address without an account.
		"""
		person = self.by_name.get((name or "").strip().lower())
		if person and not person.user and full_name:
			return replace(person, full_name=full_name)
		return person

	def members(self, role: str | None) -> list[Recipient]:
		"""Return the enabled users with a role; Administrator only if nobody else has it.

		Args:
			role: name of a role that was given to `read`, or of a substitute; nobody has None.
		"""
		people = self.by_role.get(role or "", [])
		return [person for person in people if person.user != "Administrator"] or people

	def substitutes(self) -> list[Recipient]:
		"""Return who is asked for a stage without an owner who can be asked."""
		return next((people for role in SUBSTITUTE_ROLES if (people := self.members(role))), [])


@dataclass
class NotificationPreferences:
	"""Notification preferences of people, as Frappe stores them."""

	no_mail: set
	no_notification: set
	chosen: dict
	unsubscribed: set
	unsubscribed_from: dict
	language: str
	zone: str

	@classmethod
	def read(cls, users: dict, names: set[str]) -> "NotificationPreferences":
		"""Read the preferences with at most four queries.

		Args:
			users: rows of User by name.
			names: user ids and addresses in lower case; those that are addresses count.
		"""
		addresses = names | {(row.email or "").lower() for row in users.values()}
		user_ids = list(users)
		settings = frappe.get_all(
			"Notification Settings",
			filters={"name": ("in", user_ids)},
			fields=["name", "enabled", "enable_email_notifications"],
		)
		unsubscribed, unsubscribed_from = _unsubscribed(
			sorted(address for address in addresses if "@" in address)
		)
		return cls(
			no_mail={row.name for row in settings if not row.enable_email_notifications},
			no_notification={row.name for row in settings if not row.enabled},
			chosen=_chosen(user_ids),
			unsubscribed=unsubscribed,
			unsubscribed_from=unsubscribed_from,
			language=frappe.get_system_settings("language") or "en",
			zone=frappe.get_system_settings("time_zone") or "UTC",
		)

	def recipient_of_user(self, row) -> Recipient | None:
		"""Return the recipient for a row of User; None if it is disabled.

		Args:
			row: of User, one of those given to `read`, with `USER_COLUMNS`.
		"""
		if not row.enabled or row.name == "Guest":
			return None
		email = (row.email or "").lower() or None
		is_desk_user = row.user_type == "System User"
		preference = self.chosen.get(row.name, MailPreference.DAILY)
		wants_mail = self._may_be_mailed(row.name, email) and preference != MailPreference.BELL_ONLY
		return Recipient(
			user=row.name,
			full_name=row.full_name or row.name,
			email=email,
			language=row.language or self.language,
			zone=row.time_zone or self.zone,
			is_desk_user=is_desk_user,
			wants_mail=wants_mail,
			wants_notification=is_desk_user and row.name not in self.no_notification,
			wants_digest=wants_mail and preference == MailPreference.DAILY,
			unsubscribed_from=frozenset(self.unsubscribed_from.get(email, ())),
		)

	def _may_be_mailed(self, user: str, email: str | None) -> bool:
		return (
			bool(email)
			and user not in self.no_mail
			and email not in PLACEHOLDER_ADDRESSES | self.unsubscribed
		)

	def recipient_of_address(self, address: str) -> Recipient:
		"""Return the recipient for an e-mail address without an account.

		Args:
			address: in lower case, one of those given to `read`.
		"""
		wants_mail = address not in self.unsubscribed
		return Recipient(
			None,
			address,
			address,
			self.language,
			self.zone,
			wants_mail=wants_mail,
			wants_digest=wants_mail,
			unsubscribed_from=frozenset(self.unsubscribed_from.get(address, ())),
		)


USER_COLUMNS = ("name", "full_name", "email", "enabled", "language", "time_zone", "user_type")


def _users_named(names: set[str]) -> list:
	if not names:
		return []
	user = frappe.qb.DocType("User")
	identifiers = sorted(names | {"Administrator"}) if "administrator" in names else sorted(names)
	query = frappe.qb.from_(user).select(*(user[column] for column in USER_COLUMNS))
	return query.where(user.name.isin(identifiers) | user.email.isin(identifiers)).run(as_dict=True)


def _users_of_roles(roles: set[str]) -> list:
	user, has_role = frappe.qb.DocType("User"), frappe.qb.DocType("Has Role")
	query = frappe.qb.from_(has_role).join(user).on(user.name == has_role.parent)
	query = query.select(has_role.role, *(user[column] for column in USER_COLUMNS))
	query = query.where(has_role.parenttype == "User").where(has_role.role.isin(sorted(roles)))
	return query.where(user.enabled == 1).orderby(user.name).run(as_dict=True)


def mail_preference(user: str) -> MailPreference:
	"""Return how often a user gets mails.

	Args:
		user: user id.

	Returns:
		MailPreference: Daily for who has not chosen. One query.
	"""
	return MailPreference(_chosen([user]).get(user, MailPreference.DAILY))


def _chosen(users: list[str]) -> dict[str, str]:
	"""Return what users have chosen; a choice that is none of ours counts as none."""
	rows = frappe.get_all(
		"DefaultValue",
		filters={"parent": ("in", users), "defkey": MAIL_DEFAULT},
		fields=["parent", "defvalue"],
	)
	return {row.parent: row.defvalue for row in rows if row.defvalue in list(MailPreference)}


def _unsubscribed(addresses: list[str]) -> tuple[set[str], dict[str, set]]:
	"""Return which addresses want no mail at all, and about which documents others want none.

	Args:
		addresses: in lower case; stored addresses are compared without case.
	"""
	if not addresses:
		return set(), {}
	unsubscribed, documents = _unsubscribed_contacts(addresses), defaultdict(set)
	table = frappe.qb.DocType("Email Unsubscribe")
	query = frappe.qb.from_(table).where(Lower(table.email).isin(addresses))
	query = query.select(table.email, table.global_unsubscribe, table.reference_doctype, table.reference_name)
	for email, is_global, doctype, name in query.run():
		if is_global:
			unsubscribed.add(email.lower())
		elif name:
			documents[email.lower()].add((doctype, name))
	return unsubscribed, documents


def _unsubscribed_contacts(addresses: list[str]) -> set[str]:
	contact, contact_email = frappe.qb.DocType("Contact"), frappe.qb.DocType("Contact Email")
	query = frappe.qb.from_(contact).left_join(contact_email)
	query = query.on((contact_email.parent == contact.name) & (contact_email.parenttype == "Contact"))
	query = query.select(contact.email_id, contact_email.email_id).where(contact.unsubscribed == 1)
	query = query.where(
		Lower(contact.email_id).isin(addresses) | Lower(contact_email.email_id).isin(addresses)
	)
	return {address.lower() for pair in query.run() for address in pair if address}
