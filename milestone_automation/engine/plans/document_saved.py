"""What happens to the plan of a saved document: it is started, updated, or taken over from the amended document."""

from frappe.utils import cint

from milestone_automation.engine.base import guard
from milestone_automation.engine.plans import amending, following, starting
from milestone_automation.engine.rules.vocabulary import PlanStatus
from milestone_automation.engine.store import watched


def on_document_change(doc) -> None:
	"""Start the plan of a document that matches a workflow now, or update its plan to the new values.

	If no watched field has changed this costs one query.

	Args:
		doc: the document, after its values were written.
	"""
	plan = watched.loaded(doc)
	if not plan:
		if cint(doc.docstatus) != 2 and not watched.is_amendment(doc):
			starting.start_if_matching(doc)
		elif watched.is_amendment(doc):
			guard.run_guarded(
				f"Milestone plan of {doc.doctype} {doc.name}: carry over", amending.carry_over, doc
			)
		return
	changed = watched.changed_values(plan, doc)
	if changed and plan.status != PlanStatus.CANCELLED:
		following.follow(plan, doc, changed)
