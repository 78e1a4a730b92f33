"""A circuit breaker: a step of a workflow that fails for one document after the other is not tried for all the others.

Steps are the same that say the same at the same place of a workflow, in the name of the same author: who mends the
workflow begins anew. After a rest one document tries again.
"""

from datetime import datetime, timedelta

import frappe
from frappe import _
from frappe.utils import get_datetime, now_datetime

from milestone_automation.engine.rules.vocabulary import StepStatus
from milestone_automation.engine.store.step_outbox import DOCTYPE

# So many documents in a row, the last ones.
TRIPPED_BY = 5
REST = timedelta(days=1)
TRIED = (StepStatus.DONE.value, StepStatus.FAILED.value, StepStatus.PENDING.value)


def rests_until(step_key: str) -> datetime | None:
	"""Return until when a step is not tried; None if it is.

	Args:
		step_key: as `step_outbox.step_key` gives it.
	"""
	table = frappe.qb.DocType(DOCTYPE)
	query = frappe.qb.from_(table).select(table.status, table.finished_on).where(table.step_key == step_key)
	query = query.where(table.finished_on.isnotnull() & table.status.isin(TRIED))
	last = query.orderby(table.finished_on, order=frappe.qb.desc).limit(TRIPPED_BY).run(as_dict=True)
	if len(last) < TRIPPED_BY or any(row.status == StepStatus.DONE for row in last):
		return None
	end = get_datetime(last[0].finished_on) + REST
	return end if end > now_datetime() else None


def close(step_key: str) -> None:
	"""Let the documents that wait for the end of a rest be tried again: the step was done for one.

	Args:
		step_key: as `step_outbox.step_key` gives it.
	"""
	table, now = frappe.qb.DocType(DOCTYPE), now_datetime()
	is_held = (table.status == StepStatus.PENDING.value) & (table.attempts == 0) & (table.next_attempt > now)
	frappe.qb.update(table).set(table.next_attempt, now).where((table.step_key == step_key) & is_held).run()


def reason() -> str:
	"""Return why a step is not tried, as a sentence."""
	return _(
		"This step failed for the last {0} documents, so it waits. Mend its cause, then use Run Again."
	).format(TRIPPED_BY)
