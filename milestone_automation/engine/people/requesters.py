"""Who asks people from outside for something: a person here, and the company of the document."""

from collections.abc import Iterable
from typing import NamedTuple

import frappe
from frappe import _

from milestone_automation.engine.people import assignees, plan_documents

NOBODY_IN_PARTICULAR = (assignees.ADMINISTRATOR, assignees.GUEST)


class Requester(NamedTuple):
	"""Who asks.

	Attributes:
		person: name of the owner of the milestone, or its role, where that is somebody here; else of who created the
			document. Empty where nobody is known.
		company: of the document; empty where it has none.
	"""

	person: str
	company: str

	@property
	def sentence(self) -> str:
		"""The sentence for a page; empty where nothing is known."""
		if self.person and self.company:
			return _("Requested by {0}, {1}").format(self.person, self.company)
		return _("Requested by {0}").format(self.person or self.company) if any(self) else ""


def of_rows(rows: Iterable, documents: plan_documents.Documents | None = None) -> list[Requester]:
	"""Return who asks for each of some tasks or milestones, with one query for each DocType and one more.

	Args:
		rows: with `reference_type` and `reference_name`, and `stage_owner` and `owner_role` of the milestone.
		documents: theirs, where they are read already.
	"""
	rows = list(rows)
	if documents is None:
		documents = plan_documents.read(rows, ("owner", "company"))
	owners = [row.get("stage_owner") for row in rows]
	names = _desk_names([*owners, *(document.owner for document in documents.values())])
	return [_requester(row, documents, names) for row in rows]


def _requester(row, documents: plan_documents.Documents, names: dict[str, str]) -> Requester:
	document = documents.get(plan_documents.key_of(row), frappe._dict())
	person = names.get(row.get("stage_owner")) or _(row.get("owner_role") or "")
	if not person and document.owner not in NOBODY_IN_PARTICULAR:
		person = names.get(document.owner)
	return Requester(person or "", document.company or "")


def _desk_names(users: Iterable[str | None]) -> dict[str, str]:
	"""Return the names of those of some users who work in the Desk. At most one query."""
	user_names = sorted({user for user in users if user})
	if not user_names:
		return {}
	filters = {"name": ("in", user_names), "enabled": 1, "user_type": assignees.SYSTEM_USER}
	rows = frappe.get_all("User", filters=filters, fields=["name", "full_name"])
	return {row.name: row.full_name or row.name for row in rows}
