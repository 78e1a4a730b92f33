"""Tells at once what somebody has to know: the managers of a workflow what got past its gate, when the gate could not be
checked, when one of its next steps is no longer tried, and that a date is proposed; whoever proposed it, what was
decided; somebody from outside, what a colleague has handed over to them.

The log of the plan says what happened; each entry is told once, by the unique key of its message.
"""

from dataclasses import replace
from datetime import timedelta

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import bulk, guard
from milestone_automation.engine.messages import due_messages, letters, outbox
from milestone_automation.engine.people import assigned, colleagues, rights
from milestone_automation.engine.people.directory import Directory, Recipient
from milestone_automation.engine.rules.vocabulary import MessageKind, PlanEvent, StageStatus, TaskStatus

DECISIONS = (PlanEvent.DATE_ACCEPTED.value, PlanEvent.DATE_DECLINED.value)
HANDED_OVER = (PlanEvent.TASK_HANDED_OVER.value, PlanEvent.MILESTONE_HANDED_OVER.value)
EVENTS = (
	PlanEvent.REACHED_WITHOUT_TASKS.value,
	PlanEvent.REACHED_WITHOUT_CRITERIA.value,
	PlanEvent.REACHED_OUT_OF_ORDER.value,
	PlanEvent.GATE_FAILED.value,
	PlanEvent.NEXT_STEP_STOPPED.value,
	PlanEvent.DATE_PROPOSED.value,
	*DECISIONS,
	*HANDED_OVER,
)
# Older entries are history, also for a site whose workers were down.
TOLD_WITHIN = timedelta(days=3)
# Entries that one hourly job tells.
AT_ONCE = 200


def send_waiting() -> None:
	"""Tell what no job has told yet. One query where there is nothing."""
	log = frappe.qb.DocType("Milestone Plan Log")
	query = frappe.qb.from_(log).select(log.name).where(log.event.isin(EVENTS)).where(log.told_on.isnull())
	query = query.where(log.done_on > now_datetime() - TOLD_WITHIN).orderby(log.done_on).limit(AT_ONCE)
	for entry in query.run(pluck=True):
		guard.run_guarded(f"Milestone plan log {entry}: alert", send, entry)


def send(entry: str) -> None:
	"""Tell one entry of a plan's log. A background job, and part of the hourly one.

	Args:
		entry: name of a Milestone Plan Log.

	Raises:
		Exception: the database's error for a message that another job stores at this moment.
	"""
	log = frappe.db.get_value("Milestone Plan Log", entry, "*", as_dict=True)
	plan = log and frappe.db.get_value("Milestone Plan", log.plan, "*", as_dict=True)
	if not plan or not frappe.get_cached_doc("Milestone Settings").get("messages_enabled"):
		return
	drafts = _handed_over(log, plan) if log.event in HANDED_OVER else _drafts(log, plan)
	told_keys = due_messages.stored_keys({letter.keys[0][0] for letter in drafts})
	notifications = [outbox.deliver(letter) for letter in drafts if letter.keys[0][0] not in told_keys]
	bulk.update_rows("Milestone Plan Log", {entry: {"told_on": now_datetime()}})
	for notification in notifications:
		if notification:
			outbox.show(notification)


def _drafts(log, plan) -> list[letters.Letter]:
	return [_letter(log, plan, recipient) for recipient in _recipients(log, plan)]


def _handed_over(log, plan) -> list[letters.Letter]:
	"""Return the letter to who has taken over a task or milestone; none once it is somebody else's or done."""
	who = log.details
	stage = frappe.db.get_value("Milestone Plan Stage", log.plan_stage, "*", as_dict=True)
	if not stage or stage.status == StageStatus.REACHED:
		return []
	tasks = [_task_taken_over(log.task, who)] if log.task else []
	is_theirs = all(tasks) if log.task else rights.is_outside_owner(stage, who)
	full_name = tasks[0].full_name if log.task and is_theirs else stage.outside_owner_name
	person = Directory.read([who], []).person(who, full_name) if is_theirs else None
	if not person:
		return []
	letter = _letter(frappe._dict(log, handed_over_by=_colleague(log, plan)), plan, person)
	letter.stage, letter.tasks, letter.may_answer = stage, tasks, not log.task
	letter.reason = ("assignee" if log.task else "owner", "")
	return [letter]


def _colleague(log, plan) -> str:
	"""Return the name of who has handed over, as their colleague may read it."""
	names = colleagues.identities(log.done_by)
	people = colleagues.of_plans([plan], log.details).get(plan.name, [])
	return next(
		(colleagues.shown_name(one) for one in people if colleagues.is_called(one, names)),
		colleagues.shown_name({"email": log.done_by}),
	)


def _task_taken_over(task: str, who: str):
	"""Return a task with the name of who has taken it over; None if they no longer have it."""
	row = frappe.db.get_value(
		"Milestone Task", {"name": task, "status": TaskStatus.OPEN.value}, "*", as_dict=True
	)
	people = assigned.rows_by_task([task])[task] if row else []
	theirs = [one for one in people if not one.done and who in assigned.identifiers_of(one)]
	return frappe._dict(row, full_name=theirs[0].full_name, people=[]) if theirs else None


def _recipients(log, plan) -> list[Recipient]:
	if log.event not in DECISIONS:
		return managers(plan)
	filters = {"plan": log.plan, "plan_stage": log.plan_stage, "answered_on": log.done_on}
	proposer = frappe.db.get_value("Milestone Date Change", filters, "proposed_by")
	person = proposer and Directory.read([proposer], []).person(proposer)
	return [person] if person and proposer != log.done_by else []


def managers(plan) -> list[Recipient]:
	"""Return who manages the workflow of a plan: its escalation role, else those who stand in for missing owners.

	Only people who may read the document are told.

	Args:
		plan: row with `escalation_role`, `reference_type` and `reference_name`.

	Returns:
		list: empty if nobody may read the document.
	"""
	directory = Directory.read([], [plan.escalation_role])
	for people in (directory.members(plan.escalation_role), directory.substitutes()):
		readers = [person for person in people if _may_read(plan, person)]
		if readers:
			return readers
	return []


def _may_read(plan, person: Recipient) -> bool:
	return rights.can_read_document(plan.reference_type, plan.reference_name, person.user)


def _letter(log, plan, recipient: Recipient) -> letters.Letter:
	key = f"{MessageKind.NOTICE.value}|{log.name}||0|{recipient.identity.lower()}"
	reason = ("escalation", plan.escalation_role) if plan.escalation_role else ("substitute", "")
	if log.event in DECISIONS:
		reason = ("proposer", "")
	return letters.Letter(
		kind=MessageKind.NOTICE,
		recipient=replace(recipient, wants_digest=False),
		plan=plan,
		stage=frappe._dict(name=log.plan_stage, stage_name=log.stage_name or ""),
		day=getdate(),
		reason=reason,
		keys=[(outbox.stored_key(key), log.task)],
		log=log,
	)
