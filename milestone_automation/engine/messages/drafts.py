"""Letters from what is due: several messages of one kind to one person are one letter, with what that person may read."""

from collections import defaultdict

import frappe

from milestone_automation.engine.messages import due_messages, letters, plan_batch
from milestone_automation.engine.people import rights
from milestone_automation.engine.people.directory import Recipient
from milestone_automation.engine.rules import criteria, order, schedule
from milestone_automation.engine.rules.vocabulary import MessageKind

# Combined by plan, not by stage: several tasks of one person make one mail.
BY_PLAN = (MessageKind.TASK_DUE, MessageKind.TASK_OVERDUE)


def letters_of(
	batch: plan_batch.Batch, plan, deliveries: list[due_messages.Delivery], in_bundle: bool = False
) -> list[letters.Letter]:
	"""Combine deliveries of one kind to one person into letters.

	Args:
		batch: the plan's batch.
		plan: row of the plan.
		deliveries: what is to be told in it.
		in_bundle: whether a message and its reminders are one letter, worded as the earliest of them: whoever gets a
			bundle reads both for the first time.
	"""
	groups = defaultdict(list)
	for delivery in deliveries:
		message = delivery.message
		stage = "" if message.kind in BY_PLAN else message.stage
		kind, occurrence = message.kind, message.occurrence
		if in_bundle:
			kind, occurrence = MessageKind.PROMPT if kind is MessageKind.REMINDER else kind, 0
		groups[kind, stage, occurrence, delivery.recipient.identity].append(delivery)
	ordered = [sorted(group, key=lambda delivery: delivery.message.occurrence) for group in groups.values()]
	return [_letter(batch, plan, group) for group in ordered]


def _letter(batch: plan_batch.Batch, plan, group: list[due_messages.Delivery]) -> letters.Letter:
	first, stages = group[0], batch.stages[plan.name]
	stage = due_messages.named_row(stages, first.message.stage)
	owners, _reason = due_messages.stage_owners(batch.directory, stage)
	tasks = _tasks_to_name(batch, plan, stage, group)
	is_hidden = tasks is None
	if is_hidden and not rights.is_outside_owner(stage, first.recipient.identity):
		# Nothing of the document is shown, neither fields nor tasks, and an answer would be refused.
		stage = frappe._dict(stage, custom_message="")
		owners = [person for person in owners if person.identity != first.recipient.identity]
	return letters.Letter(
		kind=first.message.kind,
		recipient=first.recipient,
		plan=plan,
		stage=stage,
		day=batch.day(first.recipient),
		reason=first.reason,
		tasks=tasks or [],
		criteria=[] if is_hidden else _criteria_to_name(batch, plan, stage),
		keys=[(delivery.key, delivery.message.task) for delivery in group],
		occurrence=first.message.occurrence,
		may_answer=first.recipient.identity in {person.identity for person in owners},
		owners=[person.full_name for person in owners],
		askers=_askers(owners, first.recipient),
		previous_stage="" if is_hidden else _previous_stage(stages, stage),
	)


def _askers(owners: list[Recipient], recipient: Recipient) -> list[str]:
	return [person.full_name for person in owners if person.is_desk_user and person != recipient]


def _previous_stage(stages: list, stage) -> str:
	earlier = order.reached_before(stages, stage)
	return earlier[-1].stage_name if earlier else ""


def _tasks_to_name(batch: plan_batch.Batch, plan, stage, group: list[due_messages.Delivery]) -> list | None:
	"""Return the tasks of a letter; None if its recipient may not read the document."""
	tasks = batch.tasks[plan.name]
	if group[0].message.task:
		names = dict.fromkeys(delivery.message.task for delivery in group)
		return [due_messages.named_row(tasks, name) for name in names]
	if not _may_read(plan, group[0].recipient):
		return None
	stages = batch.stages[plan.name]
	return schedule.open_required_tasks(stages, stage, tasks, bool(plan.earlier_tasks_block))


def _criteria_to_name(batch: plan_batch.Batch, plan, stage) -> list:
	"""Return how the exit criteria of a stage stand, after the unmet ones of earlier stages that block it too."""
	stages = batch.stages[plan.name]
	earlier = order.earlier_open(stages, stage) if plan.earlier_tasks_block else []
	of_earlier = [
		verdict for row in earlier for verdict in criteria.blocking(batch.criteria.get(row.name, ()))
	]
	return of_earlier + batch.criteria.get(stage.name, [])


def _may_read(plan, recipient: Recipient) -> bool:
	"""Return whether a recipient may read the document of a plan; people without an account may not."""
	if not recipient.user:
		return False
	return rights.can_read_document(plan.reference_type, plan.reference_name, recipient.user)
