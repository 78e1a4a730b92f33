"""Which messages of a plan are due, and who gets them: owners, substitutes, assignees, escalation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import frappe

from milestone_automation.engine.base import guard
from milestone_automation.engine.messages import outbox, plan_batch
from milestone_automation.engine.people import assignees
from milestone_automation.engine.people.directory import Directory, Recipient
from milestone_automation.engine.rules import schedule
from milestone_automation.engine.rules.schedule import Audience, MessagePlan
from milestone_automation.engine.rules.vocabulary import MessageKind

STAGE_STAMP = {
	MessageKind.PROMPT: "prompted_on",
	MessageKind.BLOCKED: "held_told_on",
	MessageKind.BLOCKED_OWNER: "held_told_on",
	MessageKind.ESCALATION: "escalated_on",
	MessageKind.WARNING: "warned_on",
	MessageKind.CHECK_IN: "check_in_sent_on",
	MessageKind.NO_NEXT_DATE: "date_asked_on",
}


@dataclass(frozen=True)
class Delivery:
	"""One message to one recipient and the reason; without a recipient if there is nobody to tell."""

	message: MessagePlan
	recipient: Recipient | None
	reason: tuple[str, str]

	@property
	def key(self) -> str:
		"""Key under which the message is stored."""
		return outbox.stored_key(self.message.key(self.recipient.identity if self.recipient else ""))

	@property
	def step(self) -> tuple:
		"""The stage and stamp that count as done once all recipients of all its messages have theirs."""
		message = self.message
		stamp = message.occurrence or STAGE_STAMP.get(message.kind) or (message.kind, message.task)
		return message.stage, stamp


@dataclass(frozen=True)
class Current:
	"""One delivery that applies now, with its plan and the batch that this was read with."""

	batch: plan_batch.Batch
	plan: frappe._dict
	delivery: Delivery


def current(plans: list[str], now: datetime) -> tuple[dict[str, Current], dict, set[str]]:
	"""Return all messages that apply to some plans now, also those that were sent already.

	This reads like the sweep, with a constant number of queries, but without locks. Plans have none on their days off
	(if messages wait then) and after an error.

	Args:
		plans: names of plans; those that are not active have no messages.
		now: naive, in the site's time zone.

	Returns:
		tuple: the messages by key, as in `Delivery.key` and Milestone Message; the working days of the plans whose
		messages wait on days off, by name of the plan; and the active plans of which nobody can say now what applies:
		those with an error, those that have to catch up with their document first, those on hold, and all while messages
		are switched off.
	"""
	batch = plan_batch.read(plans, now, lock=False)
	deliveries = deliveries_in(batch)
	for stages in batch.stages.values():
		for stage in stages:
			_undo_last_reminder(stage)
	before = deliveries_in(batch)
	judged = {
		plan.name
		for plan in batch.plans
		if plan.name in deliveries
		and plan.name in before
		and batch.rules[plan.name].send
		and not plan.on_hold_since
	}
	quiet = {name: rules.quiet for name, rules in batch.rules.items() if rules.quiet}
	return _due(batch, before) | _due(batch, deliveries), quiet, batch.active - judged


def _due(batch: plan_batch.Batch, deliveries: dict) -> dict[str, Current]:
	plans = {plan.name: plan for plan in batch.plans}
	return {
		delivery.key: Current(batch, plans[name], delivery)
		for name, (due, _waiting) in deliveries.items()
		for delivery in due
	}


def _undo_last_reminder(stage) -> None:
	"""Set a stage in memory back to before its last reminder, which still applies until the next one."""
	reminders_sent = max(int(stage.reminders_sent or 0) - 1, 0)
	stage.update(reminders_sent=reminders_sent, last_reminder_on=None, recipients_waiting=1)


def deliveries_in(batch: plan_batch.Batch) -> dict[str, tuple[list[Delivery], list[Delivery]]]:
	"""Return by plan the deliveries that are due, and those that wait for their recipient's time of day.

	Plans with an error are logged and left out.

	Args:
		batch: as `plan_batch.read` gives it; stages that are blocked again start their new round in it.
	"""
	deliveries = {}
	for plan in batch.plans:
		what = f"Milestone sweep of {plan.reference_type} {plan.reference_name}"
		of_plan = guard.run_guarded(what, _deliveries_of_plan, batch, plan)
		if of_plan is not None:
			deliveries[plan.name] = of_plan
	return deliveries


def _deliveries_of_plan(batch: plan_batch.Batch, plan) -> tuple[list[Delivery], list[Delivery]]:
	"""Return what is due and what waits in one plan; stages that are blocked again start a new round."""
	stages, tasks, rules = batch.stages[plan.name], batch.tasks[plan.name], batch.rules[plan.name]
	blocked_again = (
		[] if plan.on_hold_since else schedule.blocked_again(stages, tasks, bool(plan.earlier_tasks_block))
	)
	for stage in blocked_again:
		stage.new_round = {**schedule.NEW_ROUND, "asked_round": (stage.asked_round or 0) + 1}
		stage.update(stage.new_round)
	due, waiting = [], []
	for message in schedule.scheduled(plan, stages, tasks, rules):
		for recipient, reason in _audience(batch, plan, message) or [(None, ("", ""))]:
			day = batch.day(recipient)
			if message.first_day > day:
				waiting.append(Delivery(message, recipient, reason))
			elif message.is_due(day) and (not rules.quiet or rules.quiet.is_working_day(day)):
				due.append(Delivery(message, recipient, reason))
	return due, waiting


def _audience(batch: plan_batch.Batch, plan, message: MessagePlan) -> list[tuple[Recipient, tuple[str, str]]]:
	"""Return the recipients of a message, each once, with the reason why they get it."""
	stage = named_row(batch.stages[plan.name], message.stage)
	if message.audience is Audience.ASSIGNEES:
		task = named_row(batch.tasks[plan.name], message.task)
		audience = [(_assignee(batch.directory, row), ("assignee", "")) for row in task.assignees]
	elif message.audience is Audience.ESCALATION:
		reason = ("escalation", plan.escalation_role)
		audience = [(person, reason) for person in batch.directory.members(plan.escalation_role)]
	elif message.audience is Audience.OWNER:
		owners, why = stage_owners(batch.directory, stage)
		audience = [(person, (why, "")) for person in owners]
	else:
		audience = _stage_audience(batch.directory, stage)
	unique = {}
	for person, reason in audience:
		if person:
			unique.setdefault(person.identity, (person, reason))
	return list(unique.values())


def _assignee(directory: Directory, row) -> Recipient | None:
	person = directory.person(row.user or row.email, row.full_name)
	# Of an account that was deleted by force only the address is left; that makes nobody an outsider.
	return None if row.user and person and not person.user else person


def _stage_audience(directory: Directory, stage) -> list[tuple[Recipient, tuple[str, str]]]:
	owners, reason = stage_owners(directory, stage)
	others = [
		directory.person(name) for name in assignees.split_names(stage.notify_users)
	] + directory.members(stage.notify_role)
	return [(person, (reason, "")) for person in owners] + [(person, ("notify", "")) for person in others]


def stage_owners(directory: Directory, stage) -> tuple[list[Recipient], str]:
	"""Return who is asked for a stage, and whether they are owners or substitutes.

	Args:
		directory: with everybody whom the stage names.
		stage: row with its owner: `owner_kind`, `stage_owner`, `owner_role`, `outside_owner` and `outside_owner_name`.

	Returns:
		tuple: recipients, none if there are not even substitutes, and "owner" or "substitute".
	"""
	by_role = directory.members(stage.owner_role) if stage.owner_kind == "Role" else []
	owner = directory.person(stage.stage_owner)
	outside = directory.person(stage.outside_owner, stage.outside_owner_name)
	# Who has no account and wants no mail cannot be asked at all.
	from_outside = [outside] if outside and (outside.user or outside.wants_mail) else []
	owners = by_role or [person for person in [owner] if person and person.user] or from_outside
	return (owners, "owner") if owners else (directory.substitutes(), "substitute")


def named_row(rows: Iterable, name: str):
	"""Return the row with this name.

	Args:
		rows: with `name`.
		name: of one of them.

	Raises:
		StopIteration: none has it.
	"""
	return next(row for row in rows if row.name == name)


def stored_keys(keys: set[str]) -> set[str]:
	"""Return the keys for which a message exists.

	Args:
		keys: as `outbox.stored_key` returns them.
	"""
	if not keys:
		return set()
	filters = {"message_key": ("in", sorted(keys))}
	return set(frappe.get_all("Milestone Message", filters=filters, pluck="message_key"))
