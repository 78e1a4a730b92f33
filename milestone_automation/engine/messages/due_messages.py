"""Which messages are due for a plan, to whom, and as what: owner, stand-in, assignee, escalation."""

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
	MessageKind.NO_NEXT_DATE: "date_asked_on",
}


@dataclass(frozen=True)
class Delivery:
	"""One message for one recipient, and why they get it; without recipient where there is nobody to tell."""

	message: MessagePlan
	recipient: Recipient | None
	reason: tuple[str, str]

	@property
	def key(self) -> str:
		return outbox.stored_key(self.message.key(self.recipient.identity if self.recipient else ""))

	@property
	def step(self) -> tuple:
		"""What is noted as done by one stamp: it goes on once all recipients of all its messages have theirs."""
		message = self.message
		stamp = message.occurrence or STAGE_STAMP.get(message.kind) or (message.kind, message.task)
		return message.stage, stamp


def due_keys(plans: list[str], now: datetime) -> set[str]:
	"""Return the keys of all messages that hold for some plans now, those that people have been told already too.

	Read as the sweep reads, with a constant number of queries, but nothing is locked: a plan that somebody is at
	counts as it was. On a quiet day of a plan's calendar its keys are not in it, nor are those of a plan at fault.

	Args:
		plans: names; those that are not active have no keys.
		now: naive, in the site's time zone.

	Returns:
		set[str]: as `Delivery.key` and as kept in Milestone Message.
	"""
	batch = plan_batch.read(plans, now, lock=False)
	found = list(deliveries_in(batch).values())
	for stages in batch.stages.values():
		for stage in stages:
			_wind_back(stage)
	found += deliveries_in(batch).values()
	return {delivery.key for due, _waiting in found for delivery in due}


def _wind_back(stage) -> None:
	"""Let a stage be as before its last reminder, whose place the next one has taken."""
	sent = max(int(stage.reminders_sent or 0) - 1, 0)
	stage.update(reminders_sent=sent, last_reminder_on=None, recipients_waiting=1)


def deliveries_in(batch: plan_batch.Batch) -> dict[str, tuple]:
	"""Return by plan what is due and what must wait for its recipient's time of day."""
	found = {}
	for plan in batch.plans:
		what = f"Milestone sweep of {plan.reference_type} {plan.reference_name}"
		ours = guard.run_guarded(what, _of_plan, batch, plan)
		if ours is not None:
			found[plan.name] = ours
	return found


def _of_plan(batch: plan_batch.Batch, plan) -> tuple[list[Delivery], list[Delivery]]:
	"""Return (due, waiting) of one plan; starts the round of stages anew that are held again."""
	stages, tasks, rules = batch.stages[plan.name], batch.tasks[plan.name], batch.rules[plan.name]
	for stage in schedule.blocked_again(stages, tasks, bool(plan.strict_order)):
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
	"""Return whom a message goes to and why, each person once."""
	stage = named_row(batch.stages[plan.name], message.stage)
	if message.audience is Audience.ASSIGNEES:
		task = named_row(batch.tasks[plan.name], message.task)
		found = [(_assignee(batch.directory, row), ("assignee", "")) for row in task.assignees]
	elif message.audience is Audience.ESCALATION:
		reason = ("escalation", plan.escalation_role)
		found = [(person, reason) for person in batch.directory.members(plan.escalation_role)]
	else:
		found = _stage_audience(batch.directory, stage)
	return list({person.identity: (person, reason) for person, reason in reversed(found) if person}.values())[
		::-1
	]


def _assignee(directory: Directory, row) -> Recipient | None:
	return directory.person(row.user or row.email, row.full_name)


def _stage_audience(directory: Directory, stage) -> list[tuple[Recipient, tuple[str, str]]]:
	asked, word = stage_owners(directory, stage)
	others = [
		directory.person(name) for name in assignees.split_names(stage.notify_users)
	] + directory.members(stage.notify_role)
	return [(person, (word, "")) for person in asked] + [(person, ("notify", "")) for person in others]


def stage_owners(directory: Directory, stage) -> tuple[list[Recipient], str]:
	"""Return who is asked for a stage, and whether as owner or standing in for one."""
	by_role = directory.members(stage.owner_role) if stage.owner_kind == "Role" else []
	owner = directory.person(stage.stage_owner)
	owners = by_role or [person for person in [owner] if person and person.user]
	return (owners, "owner") if owners else (directory.substitutes(), "substitute")


def named_row(rows: Iterable, name: str):
	return next(row for row in rows if row.name == name)


def told(keys: set[str]) -> set[str]:
	"""Return those of the keys that have a message already."""
	if not keys:
		return set()
	filters = {"message_key": ("in", sorted(keys))}
	return set(frappe.get_all("Milestone Message", filters=filters, pluck="message_key"))
