"""The sweep: what is due in the plans goes to people. (Being written.)"""

import frappe


def request(plan: str) -> None:
	"""Have a plan looked at as soon as the running transaction is committed."""
	frappe.enqueue(
		"milestone_automation.engine.sweep.sweep_plan",
		queue="short",
		enqueue_after_commit=True,
		job_id=f"milestone-sweep-{plan}",
		deduplicate=True,
		plan=plan,
	)


def sweep_plan(plan: str) -> None:
	"""Not there yet."""
