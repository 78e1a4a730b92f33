"""The sweep: sends the messages that are due in plans, each exactly once.

`hourly.run` finds plans by their `next_check` every hour; `sweep_requests.request` has one plan checked as soon as a
change is committed. Both call `handle`, which looks at the state of plans and not at events: what was missed is sent the
next time, and what was answered meanwhile is not sent.

Exactly once: the plans of a batch are locked (locked rows are skipped), the row of a message with its unique key is
written in the same transaction as its mail, and a batch is committed as a whole. If the process is killed, the batch is
as before. Two sweeps do not get the same plan; if they did, the unique key would stop the second message.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import groupby

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import guard
from milestone_automation.engine.messages import drafts, due_messages, letters, outbox, plan_batch
from milestone_automation.engine.rules import schedule
from milestone_automation.engine.rules.vocabulary import MessageKind, MessageStatus
from milestone_automation.engine.store import step_outbox, sums

BATCH = 50  # plans of one transaction, which stay locked while their messages are written
TASK_STAMP = {MessageKind.TASK_DUE: "due_reminder_on", MessageKind.TASK_OVERDUE: "overdue_reminder_on"}


def sweep_plan(plan: str) -> None:
	"""Background job: send what is due in one plan. The worker commits.

	If the plan is locked at that moment, the next hourly sweep does it.

	Args:
		plan: name of the plan.
	"""
	handle([plan], now_datetime())


def sweep_plans(
	names: list[str], now: datetime | None = None, show: Callable[[int, int], None] | None = None
) -> None:
	"""Send what is due in some plans, one transaction for each batch.

	Args:
		names: names of plans.
		now: naive, in the site's time zone; the current time by default.
		show: called with (done, total) after each batch.
	"""
	for start in range(0, len(names), BATCH):
		# Each batch is a transaction of its own, begun after the rows before it are unlocked.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
		_handle_or_log(names[start : start + BATCH], now or now_datetime())
		if show:
			show(min(start + BATCH, len(names)), len(names))
	# Queued mails must not wait for what comes after.
	frappe.db.commit()  # nosemgrep: frappe-manual-commit


def _handle_or_log(names: list[str], now: datetime) -> None:
	"""Handle a batch; if it fails, for example by a conflict, it is undone and left to the next sweep."""
	try:
		handle(names, now)
	except Exception:
		traceback = frappe.get_traceback()
		frappe.db.rollback()  # The batch is a transaction of its own, see `sweep_plans`.
		guard.log_fault("Milestone sweep: a batch was left to the next hour", traceback)


# A batch


def handle(names: list[str], now: datetime) -> None:
	"""Send what is due in some plans and update their sums; the caller commits.

	An error in one plan is logged and its changes are undone; the other plans go on.

	Args:
		names: names of plans; those that are locked or not active are skipped.
		now: naive, in the site's time zone.
	"""
	batch = plan_batch.read(names, now)
	if not batch.plans:
		return
	deliveries = due_messages.deliveries_in(batch)
	keys = {delivery.key for due, _waiting in deliveries.values() for delivery in due}
	batch.told = due_messages.stored_keys(keys)
	changes, notifications, happenings = plan_batch.Changes(), [], []
	for plan in batch.plans:
		if plan.name not in deliveries:
			continue
		what = f"Milestone sweep of {plan.reference_type} {plan.reference_name}"
		handled = guard.run_guarded(what, _handle_plan, batch, plan, *deliveries[plan.name])
		if handled:
			changes.add(handled[0])
			notifications += handled[1]
			happenings += handled[2]
	changes.write()
	_note_steps(happenings)
	for notification in notifications:
		outbox.show(notification)


def _note_steps(happenings: list[step_outbox.Happening]) -> None:
	"""Note what is to be done for stages that are blocked or overdue; where that fails, plan by plan."""
	what = "Milestone sweep: next steps"
	if not happenings or guard.run_guarded(what, step_outbox.note_lasting, happenings):
		return
	for _name, of_plan in groupby(happenings, key=lambda one: one.plan.name):
		guard.run_guarded(what, step_outbox.note_lasting, list(of_plan))


# One plan


def _handle_plan(
	batch: plan_batch.Batch, plan, due: list[due_messages.Delivery], waiting: list[due_messages.Delivery]
) -> tuple[plan_batch.Changes, list[outbox.DeskNotification], list[step_outbox.Happening]]:
	"""Send what is due in one plan; return changes of its rows, desk notifications to show, and what its steps wait for."""
	unsent = [delivery for delivery in due if delivery.recipient and delivery.key not in batch.told]
	partly_sent = _steps(due) & _steps(waiting)
	early = _early_reminders(unsent)
	letters_to_send = drafts.letters_of(
		batch, plan, [delivery for delivery in unsent if delivery not in early]
	)
	notifications = [notification for letter in letters_to_send if (notification := outbox.deliver(letter))]
	# The stamp says when everybody has a reminder; until then a row prevents a duplicate for people already told.
	for letter in drafts.letters_of(
		batch, plan, [delivery for delivery in early if delivery.step in partly_sent]
	):
		_skip(letter)
	changes = plan_batch.Changes()
	_stamp_stages(batch, plan, due, partly_sent, changes)
	_stamp_tasks(batch, plan, due, changes)
	_update_sums(batch, plan, changes)
	return changes, notifications, step_outbox.lasting(plan, batch.stages[plan.name], getdate(batch.now))


def _steps(deliveries: list[due_messages.Delivery]) -> set[tuple]:
	return {delivery.step for delivery in deliveries}


def _early_reminders(unsent: list[due_messages.Delivery]) -> list[due_messages.Delivery]:
	"""Return the reminders to people who get the first message only now: a new owner, a new assignee."""

	def subject(delivery: due_messages.Delivery) -> tuple:
		return delivery.message.stage, delivery.message.task, delivery.recipient.identity

	first_messages = {
		subject(delivery)
		for delivery in unsent
		if delivery.message.kind in (MessageKind.PROMPT, MessageKind.BLOCKED, MessageKind.BLOCKED_OWNER)
		and not delivery.message.occurrence
	}
	return [
		delivery for delivery in unsent if delivery.message.occurrence and subject(delivery) in first_messages
	]


def _skip(letter: letters.Letter) -> None:
	"""Store a message that is not sent."""
	content = letters.compose(letter)
	values = {"subject": content.subject[:255], "why": content.reason, "channel": None}
	outbox.keep(letter, values | {"status": MessageStatus.SKIPPED})


def _stamp_stages(
	batch: plan_batch.Batch,
	plan,
	due: list[due_messages.Delivery],
	partly_sent: set[tuple],
	changes: plan_batch.Changes,
) -> None:
	"""Stamp the stages with what was sent; a reminder counts once all its recipients have it.

	Args:
		partly_sent: steps of which some messages wait for their recipient's time of day.
	"""
	for stage in batch.stages[plan.name]:
		new_values = stage.pop("new_owner", {}) | stage.pop("new_criteria", {})
		changes.stages[stage.name].update(stage.pop("new_round", {}) | new_values)
		_set(changes.stages, stage, _stage_stamps(batch, stage, due, partly_sent))


def _stage_stamps(
	batch: plan_batch.Batch, stage, due: list[due_messages.Delivery], partly_sent: set[tuple]
) -> dict:
	"""Return the stamps of one stage; a reminder without all its recipients is not stamped yet."""
	values = {"recipients_waiting": int(any(name == stage.name for name, _stamp in partly_sent))}
	for delivery in due:
		is_partly_sent = delivery.message.occurrence and delivery.step in partly_sent
		if delivery.message.stage == stage.name and not is_partly_sent:
			values.update(_stage_stamp(batch, delivery))
	if any(stamp in values for stamp in schedule.ROUND_STAMPS):
		values["asked_round"] = schedule.round_of(stage)
	return values


def _stamp_tasks(
	batch: plan_batch.Batch, plan, due: list[due_messages.Delivery], changes: plan_batch.Changes
) -> None:
	for delivery in due:
		message = delivery.message
		if message.kind in TASK_STAMP and not message.is_stamped:
			task = due_messages.named_row(batch.tasks[plan.name], message.task)
			_set(changes.tasks, task, {TASK_STAMP[message.kind]: batch.day(delivery.recipient)})


def _stage_stamp(batch: plan_batch.Batch, delivery: due_messages.Delivery) -> dict:
	message, day = delivery.message, batch.day(delivery.recipient)
	if message.occurrence:
		return {"reminders_sent": message.occurrence, "last_reminder_on": day}
	if message.is_stamped or message.kind not in due_messages.STAGE_STAMP:
		return {}
	stamp = due_messages.STAGE_STAMP[message.kind]
	if message.kind is MessageKind.PROMPT:
		return {stamp: batch.now, "reminders_sent": 0, "last_reminder_on": None}
	return {stamp: day}


def _set(changes: dict, row, values: dict) -> None:
	"""Change a row in memory and collect the values that differ for writing."""
	new = {name: value for name, value in values.items() if (row.get(name) or None) != (value or None)}
	row.update(new)
	changes[row.name].update(new)


def _update_sums(batch: plan_batch.Batch, plan, changes: plan_batch.Changes) -> None:
	"""Update the sums of a plan, its health and its next check."""
	stages, tasks, rules = batch.stages[plan.name], batch.tasks[plan.name], batch.rules[plan.name]
	today = getdate(batch.now)
	counts = sums.count_by_stage(stages, tasks, today)
	new_sums = sums.stage_sums(plan, stages, counts, today, rules.warning_lead_days)
	for stage, values in zip(stages, new_sums, strict=True):
		_set(changes.stages, stage, values)
	old_health = plan.health
	check = schedule.next_check(plan, stages, tasks, rules, today)
	_set(changes.plans, plan, sums.summary_of(plan, stages) | {"next_check": check})
	if plan.health != old_health or any(
		changes.stages[row.name].get("open_criteria") is not None for row in stages
	):
		sums.tell_desk(plan)
