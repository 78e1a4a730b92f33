"""The sweep: what is due in the plans goes to people, every message once.

`run` is called by the scheduler every hour and finds plans by their `next_check`; `request` has one plan looked at as
soon as a change of it is committed. Both end in `handle`, which looks at the state of plans, never at events: what was
missed is seen the next time, what was answered meanwhile is not sent.

Exactly once: a batch of plans is locked (rows that somebody else holds are left to them), a message's row with its
unique key is written in the same transaction as its mail, and a batch is committed as a whole. Killed at any point,
the batch is as if never begun; two sweeps at once do not meet, and should they all the same, the key keeps the second
message out.
"""

from collections import defaultdict
from datetime import datetime

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import guard
from milestone_automation.engine.messages import due_messages, letters, outbox, plan_batch
from milestone_automation.engine.people import rights
from milestone_automation.engine.people.directory import Recipient
from milestone_automation.engine.rules import schedule
from milestone_automation.engine.rules.vocabulary import MessageKind, MessageStatus
from milestone_automation.engine.store import sums

BATCH = 50  # plans of one transaction: they stay locked while their messages are written
TASK_STAMP = {MessageKind.TASK_DUE: "due_reminder_on", MessageKind.TASK_OVERDUE: "overdue_reminder_on"}
# Told by plan, not by stage: several tasks of one person make one mail.
BY_PLAN = (MessageKind.TASK_DUE, MessageKind.TASK_OVERDUE)


def sweep_plan(plan: str) -> None:
	"""Look at one plan: what has become due goes out. A background job; the worker commits.

	Where somebody else is at the plan just then, the next hour finds what is left.
	"""
	handle([plan], now_datetime())


def sweep_plans(names: list[str], now: datetime | None = None) -> None:
	"""Look at some plans, a batch a transaction.

	Args:
		names: of plans.
		now: as in `run`.
	"""
	for start in range(0, len(names), BATCH):
		frappe.db.commit()  # nosemgrep: each batch is a transaction of its own, begun after its rows are unlocked
		_handle_or_log(names[start : start + BATCH], now or now_datetime())
	frappe.db.commit()  # nosemgrep: what was queued must not wait for what comes after


def _handle_or_log(names: list[str], now: datetime) -> None:
	"""Handle a batch; one that meets somebody else's change is undone and left to the next sweep."""
	try:
		handle(names, now)
	except Exception:
		fault = frappe.get_traceback()
		frappe.db.rollback()  # nosemgrep: the batch is a transaction of its own, see sweep_plans
		guard.log_fault("Milestone sweep: a batch was left to the next hour", fault)


# A batch


def handle(names: list[str], now: datetime) -> None:
	"""Send what is due in some plans and bring their sums up to date; the caller commits.

	A plan at fault is logged and left as it was; the others go on.

	Args:
		names: of plans; those somebody else holds, or that are not active, are passed over.
		now: naive, in the site's time zone.
	"""
	batch = plan_batch.read(names, now)
	if not batch.plans:
		return
	deliveries = due_messages.deliveries_in(batch)
	batch.told = due_messages.told({delivery.key for found in deliveries.values() for delivery in found[0]})
	changes = plan_batch.Changes()
	for plan in batch.plans:
		if plan.name not in deliveries:
			continue
		what = f"Milestone sweep of {plan.reference_type} {plan.reference_name}"
		own = guard.run_guarded(what, _handle_plan, batch, plan, *deliveries[plan.name])
		if own:
			changes.add(own)
	changes.write()


# One plan


def _handle_plan(
	batch: plan_batch.Batch, plan, due: list[due_messages.Delivery], waiting: list[due_messages.Delivery]
) -> plan_batch.Changes:
	"""Send what is due in one plan and return what is to be written to its rows."""
	fresh = [delivery for delivery in due if delivery.recipient and delivery.key not in batch.told]
	partly = {delivery.step for delivery in due} & {delivery.step for delivery in waiting}
	early = _early_reminders(fresh)
	for letter in _letters(batch, plan, [delivery for delivery in fresh if delivery not in early]):
		outbox.deliver(letter)
	# Once everybody has a reminder its stamp says so; until then a row keeps those from getting it who need it not.
	for letter in _letters(batch, plan, [delivery for delivery in early if delivery.step in partly]):
		_leave_out(letter)
	changes = plan_batch.Changes()
	_stamp(batch, plan, due, partly, changes)
	_update_sums(batch, plan, changes)
	return changes


def _early_reminders(fresh: list[due_messages.Delivery]) -> list[due_messages.Delivery]:
	"""Return the reminders of those who are told for the first time just now: a new owner, a new assignee."""
	first = {
		(delivery.message.stage, delivery.message.task, delivery.recipient.identity)
		for delivery in fresh
		if delivery.message.kind in (MessageKind.PROMPT, MessageKind.BLOCKED)
		and not delivery.message.occurrence
	}
	return [
		delivery
		for delivery in fresh
		if delivery.message.occurrence
		and (delivery.message.stage, delivery.message.task, delivery.recipient.identity) in first
	]


def _leave_out(letter: letters.Letter) -> None:
	content = letters.compose(letter)
	values = {"subject": content.subject[:255], "why": content.reason, "channel": None}
	outbox.keep(letter, values | {"status": MessageStatus.SKIPPED})


def _letters(batch: plan_batch.Batch, plan, fresh: list[due_messages.Delivery]) -> list[letters.Letter]:
	"""Put deliveries of one kind to one person together."""
	groups = defaultdict(list)
	for delivery in fresh:
		message = delivery.message
		about = "" if message.kind in BY_PLAN else message.stage
		groups[message.kind, about, message.occurrence, delivery.recipient.identity].append(delivery)
	return [_letter(batch, plan, group) for group in groups.values()]


def _letter(batch: plan_batch.Batch, plan, group: list[due_messages.Delivery]) -> letters.Letter:
	first, stages, tasks = group[0], batch.stages[plan.name], batch.tasks[plan.name]
	stage = due_messages.named_row(stages, first.message.stage)
	owners, _word = due_messages.stage_owners(batch.directory, stage)
	if first.message.task:
		about = [due_messages.named_row(tasks, delivery.message.task) for delivery in group]
	elif _may_read(plan, first.recipient):
		about = schedule.open_required_tasks(stages, stage, tasks, bool(plan.strict_order))
	else:
		# What the document says is not for them: neither its fields nor its tasks, and answering would be refused.
		about, stage = [], frappe._dict(stage, custom_message="")
		owners = [person for person in owners if person.identity != first.recipient.identity]
	earlier = [row for row in stages if row.idx < stage.idx]
	return letters.Letter(
		kind=first.message.kind,
		recipient=first.recipient,
		plan=plan,
		stage=stage,
		day=batch.day(first.recipient),
		reason=first.reason,
		tasks=about,
		keys=[(delivery.key, delivery.message.task) for delivery in group],
		occurrence=first.message.occurrence,
		may_answer=first.recipient.identity in {person.identity for person in owners},
		owners=[person.full_name for person in owners],
		previous_stage=earlier[-1].stage_name if earlier else "",
	)


def _may_read(plan, recipient: Recipient) -> bool:
	"""Return whether a recipient may read a plan's document; nobody without an account may."""
	if not recipient.user:
		return False
	return rights.can_read_document(plan.reference_type, plan.reference_name, recipient.user)


def _stamp(
	batch: plan_batch.Batch,
	plan,
	due: list[due_messages.Delivery],
	partly: set[tuple],
	changes: plan_batch.Changes,
) -> None:
	"""Note on stages and tasks what has gone out; a reminder counts once all its recipients have it.

	Args:
		partly: steps of which some messages must wait for their recipient's time of day.
	"""
	for stage in batch.stages[plan.name]:
		changes.stages[stage.name].update(stage.pop("new_round", {}) | stage.pop("found_owner", {}))
		ours = [delivery for delivery in due if delivery.message.stage == stage.name]
		values = {"recipients_waiting": int(any(name == stage.name for name, _stamp in partly))}
		for delivery in ours:
			if not (delivery.message.occurrence and delivery.step in partly):
				values.update(_stage_stamp(batch, delivery))
		if any(stamp in values for stamp in schedule.ROUND_STAMPS):
			values["asked_round"] = schedule.round_of(stage)
		_set(changes.stages, stage, values)
	for delivery in due:
		if delivery.message.kind in TASK_STAMP and not delivery.message.is_stamped:
			task = due_messages.named_row(batch.tasks[plan.name], delivery.message.task)
			_set(changes.tasks, task, {TASK_STAMP[delivery.message.kind]: batch.day(delivery.recipient)})


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
	"""Change a row here, and note for writing what is really new."""
	new = {name: value for name, value in values.items() if (row.get(name) or None) != (value or None)}
	row.update(new)
	changes[row.name].update(new)


def _update_sums(batch: plan_batch.Batch, plan, changes: plan_batch.Changes) -> None:
	"""Update the sums of a plan, its health and its next check."""
	stages, tasks, rules = batch.stages[plan.name], batch.tasks[plan.name], batch.rules[plan.name]
	today = getdate(batch.now)
	counts = sums.count_by_stage(stages, tasks, today)
	new_sums = sums.stage_sums(stages, *counts, plan.strict_order, today, rules.warning_lead_days)
	for stage, values in zip(stages, new_sums, strict=True):
		_set(changes.stages, stage, values)
	old_health = plan.health
	check = schedule.next_check(plan, stages, tasks, rules, today)
	_set(changes.plans, plan, sums.summary_of(stages) | {"next_check": check})
	if plan.health != old_health:
		sums.tell_desk(plan)
