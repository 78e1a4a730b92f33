"""The critical path of a plan with branches: by how many days each of its stages can move."""

from collections.abc import Callable, Sequence

from frappe.utils import cint, getdate

from milestone_automation.engine.rules import network, order
from milestone_automation.engine.rules.vocabulary import KeyDateRule
from milestone_automation.engine.rules.working_days import WorkCalendar


def floats(stages: Sequence, calendar: Callable[[], WorkCalendar]) -> list[int | None]:
	"""Return the float of each stage of a plan with branches, in calendar days.

	Args:
		stages: rows of a plan, or of a plan before it is written, in order.
		calendar: function that returns the working days of the document; called only where they are counted.

	Returns:
		list: by position; 0 for a stage on the critical path; None for one that is reached, skipped or without a date, and
		for all stages of a chain, where it would say nothing new.
	"""
	of_plan = network.Network.of(stages)
	if of_plan.is_chain:
		return [None] * len(stages)
	upcoming = {id(row) for row in order.upcoming(stages)}
	days = [_day(row) if id(row) in upcoming else None for row in stages]
	leads = [_lead(row) for row in stages]
	# The days off of a document take a query.
	counts_working_days = any(lead and lead[1] for lead in leads)
	return network.floats(of_plan, days, leads, calendar() if counts_working_days else WorkCalendar())


def _day(row):
	return getdate(row.get("key_date")) if row.get("key_date") else None


def _lead(row) -> tuple[int, bool] | None:
	if row.get("key_date_rule") != KeyDateRule.AFTER_PREVIOUS_MILESTONE or row.get("date_by_hand"):
		return None
	return cint(row.get("offset_days")), bool(row.get("working_days"))
