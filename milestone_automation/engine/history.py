"""Milestones already recorded follow their document: its new name, its deletion."""

import frappe


def follow_rename(doctype: str, old, new) -> None:
	"""Move the milestones of a renamed document to its new name."""
	milestone = frappe.qb.DocType("Milestone")
	(
		frappe.qb.update(milestone)
		.set(milestone.reference_name, str(new))
		.where(milestone.reference_type == doctype)
		.where(milestone.reference_name == str(old))
		.where(milestone.reference_deleted == 0)
		.run()
	)


def mark_deleted(doctype: str, name) -> None:
	"""Keep the milestones of a deleted document, marked: a new document of that name starts afresh."""
	milestone = frappe.qb.DocType("Milestone")
	(
		frappe.qb.update(milestone)
		.set(milestone.reference_deleted, 1)
		.where(milestone.reference_type == doctype)
		.where(milestone.reference_name == str(name))
		.run()
	)


def adopt() -> None:
	"""Complete milestones that core recorded: reached when and by whom their row was made."""
	milestone = frappe.qb.DocType("Milestone")
	(
		frappe.qb.update(milestone)
		.set(milestone.reached_on, milestone.creation)
		.set(milestone.reached_by, milestone.owner)
		.where(milestone.reached_on.isnull())
		.run()
	)
