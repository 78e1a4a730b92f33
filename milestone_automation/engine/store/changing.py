"""The one way to change a plan: load it with a lock, collect changes, work out its sums once, write it once."""

from collections.abc import Iterator
from contextlib import contextmanager

from milestone_automation.engine.base import guard, save_state
from milestone_automation.engine.rules.vocabulary import PlanEvent, PlanStatus
from milestone_automation.engine.store import plan_log, plan_rows, step_outbox, sums, sweep_requests


@contextmanager
def changing(plan: str | plan_rows.Plan, count_tasks: bool = True) -> Iterator[plan_rows.Plan]:
	"""Open a plan for changes with `set_stage` and `set_plan`; at the end its sums are worked out and it is written.

	Inside another change of the same plan, the outer one finishes for both. After an error nothing of the plan is
	written. Open forms and the sweep are notified after the commit.

	Args:
		plan: name of the plan, or a plan loaded with its lock.
		count_tasks: whether to count the open tasks (one query, unless they were read already). Without it the health
			of each stage stays the same until the next sweep.

	Yields:
		Plan: locked until the end of the transaction.

	Raises:
		frappe.DoesNotExistError: there is no such plan.
		ConflictError: somebody else is changing it.
	"""
	name = plan if isinstance(plan, str) else plan.name
	under_way = save_state.plans_being_changed()
	if name in under_way:
		yield under_way[name]
		return
	plan = plan_rows.load_by_name(plan, lock=True) if isinstance(plan, str) else plan
	under_way[name] = plan
	try:
		with guard.translate_conflicts():
			yield plan
			if not plan.is_unchanged:
				_finish(plan, count_tasks)
	except BaseException:
		plan.mark_stale()
		raise
	finally:
		under_way.pop(name, None)


def refresh(plan: str) -> None:
	"""Update the sums of a plan after its tasks changed.

	Args:
		plan: name of the plan.

	Raises:
		frappe.DoesNotExistError, ConflictError: as `changing`.
	"""
	with changing(plan):
		pass


def _finish(plan: plan_rows.Plan, count_tasks: bool) -> None:
	status_before = plan.status
	count_tasks = count_tasks and not plan.has_true_counts
	sums.add_up(plan, count_tasks or plan.has_read_tasks or bool(plan.has_changed_tasks))
	if status_before == PlanStatus.COMPLETED and plan.status == PlanStatus.ACTIVE:
		plan.check_may_reopen()
	plan.write()
	if status_before == PlanStatus.ACTIVE and plan.status == PlanStatus.COMPLETED:
		plan_log.write(plan, PlanEvent.PLAN_COMPLETED)
		if not plan.was_completed_before:
			step_outbox.note_completed(plan)
	sums.tell_desk(plan)
	if plan.status != PlanStatus.CANCELLED:
		sweep_requests.request(plan.name)
