"""The colleagues of somebody from outside: the other contacts of the supplier of a document whose contact they are.

Nobody else is told who a supplier's contacts are, and no address is.
"""

from collections.abc import Iterable

import frappe
from frappe.utils import cstr

from milestone_automation.engine.people import assignees, plan_documents, rights


def of_plans(
	plans: Iterable, who: str, documents: plan_documents.Documents | None = None
) -> dict[str, list[dict]]:
	"""Return by name of the plan the people to whom somebody from outside can hand over what they are asked for.

	One query for each DocType, and at most four more.

	Args:
		plans: rows of plans with `name`, `reference_type`, `reference_name` and `supplier_field`.
		who: user id or e-mail address that a signed link or the session proves.
		documents: of the plans, with all fields, where they are read already.

	Returns:
		dict: people as `assignees.resolve` returns them, each with their `contact`; empty where the supplier of the
		document does not have this person among its contacts.
	"""
	names = identities(who)
	plans = [plan for plan in plans if rights.stored_meta(plan.get("reference_type"))]
	documents = plan_documents.read(plans) if documents is None else documents
	documents_with_plans = []
	for plan in plans:
		nothing = frappe._dict(doctype=plan.get("reference_type"))
		documents_with_plans.append((documents.get(plan_documents.key_of(plan), nothing), plan))
	contacts = assignees.contacts_of_suppliers(documents_with_plans)
	return {plan.get("name"): _others(people, names) for plan, people in zip(plans, contacts, strict=True)}


def _others(people: list[dict], names: set[str]) -> list[dict]:
	others = [person for person in people if not is_called(person, names)]
	return others if len(others) < len(people) else []


def is_called(person, names: set[str]) -> bool:
	"""Tell whether a person, or the row of an assignee, has one of some ids and addresses in lower case.

	Args:
		person: a dict or row with `user` and `email`.
		names: as `identities` returns them.
	"""
	return bool(names & {cstr(person.get(key)).lower() for key in ("user", "email") if person.get(key)})


def identities(who: str) -> set[str]:
	"""Return what rows may call somebody, in lower case: user id and e-mail address.

	Args:
		who: user id or e-mail address.
	"""
	address = frappe.db.get_value("User", who, "email")
	return {cstr(name).lower() for name in (who, address) if name}


def shown_name(person) -> str:
	"""Return what a colleague is called on a page: never by their whole address.

	Args:
		person: a dict or row with `full_name` and `email`.
	"""
	name = cstr(person.get("full_name")).strip()
	if name and "@" not in name:
		return name
	mailbox, _at, domain = (name or cstr(person.get("email"))).partition("@")
	return f"{mailbox[:1]}…@{domain}"
