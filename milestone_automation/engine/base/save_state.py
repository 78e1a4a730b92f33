"""What is remembered while documents are saved: the one place, so that no flag has a name of its own elsewhere.

Everything here lives as long as the request or job (`frappe.local`); nothing of it is read from another process.
"""

import frappe

# On frappe.local: plans that are being changed, by name; and how often this process wrote each plan.
PLANS_BEING_CHANGED = "milestone_plans_being_changed"
PLAN_WRITES = "milestone_plan_writes"


def plans_being_changed() -> dict:
	"""Return the plans that `changing` holds open now, by name."""
	return _of_request(PLANS_BEING_CHANGED)


def plan_writes() -> dict[str, int]:
	"""Return how often this process has written each plan, so that a plan in memory knows whether it is the newest."""
	return _of_request(PLAN_WRITES)


def _of_request(name: str) -> dict:
	if not hasattr(frappe.local, name):
		setattr(frappe.local, name, {})
	return getattr(frappe.local, name)
