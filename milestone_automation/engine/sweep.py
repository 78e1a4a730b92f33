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
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import frappe
from frappe.utils import getdate, now_datetime

from milestone_automation import permissions
from milestone_automation.engine import (
	assignees,
	bulk,
	calendars,
	digest,
	guard,
	messages,
	plans,
	recipients,
	schedule,
)
from milestone_automation.engine.recipients import Directory, Recipient
from milestone_automation.engine.schedule import Audience, MessagePlan
from milestone_automation.engine.vocabulary import (
	MessageKind,
	MessageStatus,
	OwnerKind,
	PlanStatus,
	StageStatus,
	TaskStatus,
)

BATCH = 50  # plans of one transaction: they stay locked while their messages are written
INLINE = 200  # plans the scheduler's own job takes; more are handed to background jobs
JOB = 500  # plans of one background job

PLAN_COLUMNS = (
	"name",
	"reference_type",
	"reference_name",
	"workflow",
	"status",
	"health",
	"current_stage",
	"next_date",
	"next_check",
	"strict_order",
	"escalation_role",
	"escalate_after_days",
)
STAGE_STAMP = {
	MessageKind.PROMPT: "prompted_on",
	MessageKind.HELD: "held_told_on",
	MessageKind.HELD_OWNER: "held_told_on",
	MessageKind.ESCALATION: "escalated_on",
	MessageKind.WARNING: "warned_on",
	MessageKind.NO_NEXT_DATE: "date_asked_on",
}
TASK_STAMP = {MessageKind.TASK_DUE: "due_reminder_on", MessageKind.TASK_OVERDUE: "overdue_reminder_on"}
# Told by plan, not by stage: several tasks of one person make one mail.
BY_PLAN = (MessageKind.TASK_DUE, MessageKind.TASK_OVERDUE)


@dataclass
class Batch:
	"""Some plans with all that is needed to decide about them.

	Attributes:
		now: naive, in the site's time zone.
		at: time of day at which messages go out, since midnight.
		plans: rows, locked.
		stages, tasks: rows by plan; tasks carry `assignees` (rows) and `people` (names of those not done).
		directory: who can be reached how.
		told: keys of messages there are already.
	"""

	now: datetime
	at: timedelta
	plans: list = field(default_factory=list)
	stages: dict = field(default_factory=dict)
	tasks: dict = field(default_factory=dict)
	rules: dict = field(default_factory=dict)
	directory: Directory | None = None
	told: set = field(default_factory=set)

	def day(self, recipient: Recipient | None) -> date:
		"""Return the day whose messages are due for this recipient; for nobody, the site's."""
		return recipients.message_day(self.now, recipient.zone if recipient else None, self.at)


@dataclass(frozen=True)
class Delivery:
	"""One message for one recipient, and why they get it; without recipient where there is nobody to tell."""

	message: MessagePlan
	recipient: Recipient | None
	reason: tuple[str, str]

	@property
	def key(self) -> str:
		return messages.stored_key(self.message.key(self.recipient.identity if self.recipient else ""))

	@property
	def step(self) -> tuple:
		"""What is noted as done by one stamp: it goes on once all recipients of all its messages have theirs."""
		message = self.message
		stamp = message.occurrence or STAGE_STAMP.get(message.kind) or (message.kind, message.task)
		return message.stage, stamp


@dataclass
class Changes:
	"""New values of rows, collected over a batch and written together."""

	plans: dict = field(default_factory=lambda: defaultdict(dict))
	stages: dict = field(default_factory=lambda: defaultdict(dict))
	tasks: dict = field(default_factory=lambda: defaultdict(dict))

	def add(self, other: "Changes") -> None:
		for mine, theirs in (
			(self.plans, other.plans),
			(self.stages, other.stages),
			(self.tasks, other.tasks),
		):
			for name, values in theirs.items():
				mine[name].update(values)

	def write(self) -> None:
		bulk.update_rows("Milestone Plan Stage", self.stages)
		bulk.update_rows("Milestone Task", self.tasks)
		bulk.update_rows("Milestone Plan", self.plans)


# Ways in


def request(plan: str) -> None:
	"""Have a plan looked at as soon as the running transaction is committed. Several requests make one job."""
	frappe.enqueue(
		"milestone_automation.engine.sweep.sweep_plan",
		queue="short",
		enqueue_after_commit=True,
		job_id=f"milestone-sweep-{plan}",
		deduplicate=True,
		plan=plan,
	)


def sweep_plan(plan: str) -> None:
	"""Look at one plan: what has become due goes out. A background job; the worker commits.

	Where somebody else is at the plan just then, the next hour finds what is left.
	"""
	handle([plan], now_datetime())


def run(now: datetime | None = None) -> None:
	"""Look at every plan that is due, then send digests. Called by the scheduler every hour.

	Args:
		now: naive, in the site's time zone; the present moment by default.
	"""
	now = now or now_datetime()
	horizon = recipients.latest_message_day(now)
	names = due_plans(horizon, INLINE + 1)
	if len(names) > INLINE:
		hand_over(due_plans(horizon))
	else:
		sweep_plans(names, now)
	digest.run(now, wait_for_sweep=len(names) > INLINE)
	messages.note_sent()


def due_plans(horizon: date, limit: int | None = None) -> list[str]:
	"""Return the names of active plans to look at by this day, the longest waiting first."""
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(plan).select(plan.name).where(plan.next_check <= horizon)
	query = query.where(plan.status == PlanStatus.ACTIVE.value).orderby(plan.next_check).orderby(plan.name)
	return (query.limit(limit) if limit else query).run(pluck=True)


def hand_over(names: list[str]) -> None:
	"""Give plans to background jobs, some hundred each. What is queued already is not queued again."""
	for start in range(0, len(names), JOB):
		chunk = names[start : start + JOB]
		frappe.enqueue(
			"milestone_automation.engine.sweep.sweep_plans",
			queue="long",
			timeout=3600,
			job_id=f"milestone-sweep-{chunk[0]}-{chunk[-1]}",
			deduplicate=True,
			names=chunk,
		)


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


def recheck_all() -> None:
	"""Have every active plan looked at by the next sweep; for changed settings. One statement."""
	_recheck().run()


def recheck(plan: str) -> None:
	"""Have a plan looked at at once, and by the next sweep should the job be lost."""
	with guard.conflicts_told():
		_recheck().where(frappe.qb.DocType("Milestone Plan").name == plan).run()
	request(plan)


def _recheck():
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.update(plan).set(plan.next_check, getdate(now_datetime()))
	return query.where(plan.status == PlanStatus.ACTIVE.value)


def on_user_change(doc, method=None) -> None:
	"""Hook: whom messages go to changes with a user's account and roles; the next sweep looks at the plans concerned.

	Args:
		doc: the User.
		method: on_update.
	"""
	before = doc.get_doc_before_save()
	was, now = _roles_of(before), _roles_of(doc)
	roles, is_turned = was ^ now, not before or bool(before.enabled) != bool(doc.enabled)
	if is_turned:
		roles = was | now
	if is_turned or roles:
		guard.run_guarded(
			f"Milestone sweep after a change of {doc.name}", _recheck_plans_of, doc, roles, is_turned
		)


def _roles_of(user) -> set[str]:
	return {row.role for row in user.roles} if user else set()


def _recheck_plans_of(user, roles: set[str], is_turned: bool) -> None:
	names = _plans_of_roles(sorted(roles)) if roles else set()
	if is_turned:
		names |= _plans_of_person(sorted({user.name, user.email or user.name}))
	plan = frappe.qb.DocType("Milestone Plan")
	names = sorted(names)
	for start in range(0, len(names), JOB):
		_recheck().where(plan.name.isin(names[start : start + JOB])).run()


def _plans_of_roles(roles: list[str]) -> set[str]:
	"""Return the active plans whose messages go to one of these roles."""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	named = stage.owner_role.isin(roles) | stage.notify_role.isin(roles) | plan.escalation_role.isin(roles)
	return set(_open_stages(plan, stage).where(named).run(pluck=True))


def _plans_of_person(names: list[str]) -> set[str]:
	"""Return the active plans that name somebody, and those with a stage whose owner could not be found."""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	by_field = stage.owner_kind.isin([OwnerKind.USER_FIELD.value, OwnerKind.DOCUMENT_OWNER.value])
	nobody = by_field & (stage.stage_owner.isnull() | (stage.stage_owner == ""))
	named = stage.stage_owner.isin(names) | stage.owner_user.isin(names) | nobody
	found = set(_open_stages(plan, stage).where(named).run(pluck=True))
	task, person = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType("Milestone Task Assignee")
	query = frappe.qb.from_(person).join(task).on(task.name == person.parent).select(task.plan).distinct()
	query = query.where(person.parenttype == "Milestone Task").where(task.status == TaskStatus.OPEN.value)
	return found | set(query.where(person.user.isin(names) | person.email.isin(names)).run(pluck=True))


def _open_stages(plan, stage):
	query = frappe.qb.from_(stage).join(plan).on(plan.name == stage.parent).select(plan.name).distinct()
	query = query.where(plan.status == PlanStatus.ACTIVE.value)
	return query.where(stage.status != StageStatus.REACHED.value)


# A batch


def handle(names: list[str], now: datetime) -> None:
	"""Send what is due in some plans and bring their sums up to date; the caller commits.

	A plan at fault is logged and left as it was; the others go on.

	Args:
		names: of plans; those somebody else holds, or that are not active, are passed over.
		now: naive, in the site's time zone.
	"""
	batch = read(names, now)
	if not batch.plans:
		return
	deliveries = _deliveries(batch)
	batch.told = _told({delivery.key for found in deliveries.values() for delivery in found[0]})
	changes = Changes()
	for plan in batch.plans:
		if plan.name not in deliveries:
			continue
		what = f"Milestone sweep of {plan.reference_type} {plan.reference_name}"
		own = guard.run_guarded(what, _handle_plan, batch, plan, *deliveries[plan.name])
		if own:
			changes.add(own)
	changes.write()


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
	batch = read(plans, now, lock=False)
	found = list(_deliveries(batch).values())
	for stages in batch.stages.values():
		for stage in stages:
			_wind_back(stage)
	found += _deliveries(batch).values()
	return {delivery.key for due, _waiting in found for delivery in due}


def _wind_back(stage) -> None:
	"""Let a stage be as before its last reminder, whose place the next one has taken."""
	sent = max(int(stage.reminders_sent or 0) - 1, 0)
	stage.update(reminders_sent=sent, last_reminder_on=None, recipients_waiting=1)


def read(names: list[str], now: datetime, lock: bool = True) -> Batch:
	"""Read all that is needed to decide about some plans, with a constant number of queries.

	Args:
		names: of plans; those that are not active are passed over.
		now: naive, in the site's time zone.
		lock: hold the plans until the transaction ends; those that somebody else holds are passed over.
	"""
	batch = Batch(now, recipients.sweep_time())
	batch.plans = _plans(names, lock)
	found = [plan.name for plan in batch.plans]
	if not found:
		return batch
	stages = _rows("Milestone Plan Stage", "parent", found, "idx", lock)
	tasks = _rows("Milestone Task", "plan", found, "task_order", lock, status=TaskStatus.OPEN.value)
	_add_assignees(tasks)
	batch.stages, batch.tasks = _by(stages, "parent"), _by(tasks, "plan")
	_find_owners(batch)
	batch.directory = Directory.read(*_named(batch, stages, tasks))
	batch.rules = _rules(batch.plans)
	batch.plans = [plan for plan in batch.plans if plan.name in batch.rules]
	return batch


def _plans(names: list[str], lock: bool) -> list:
	if not names:
		return []
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(plan).select(*(plan[column] for column in PLAN_COLUMNS))
	query = query.where(plan.name.isin(names)).where(plan.status == PlanStatus.ACTIVE.value)
	query = query.orderby(plan.name)
	if lock and frappe.db.db_type != "sqlite":
		# SQLite has one writer at a time anyway.
		query = query.for_update(skip_locked=True)
	return query.run(as_dict=True)


def _rows(doctype: str, column: str, names: list[str], order: str, lock: bool, **where) -> list:
	"""Return rows; with `lock` as they are committed now, whenever the transaction began."""
	table = frappe.qb.DocType(doctype)
	query = frappe.qb.from_(table).select(table.star).where(table[column].isin(names))
	for name, value in where.items():
		query = query.where(table[name] == value)
	if lock and frappe.db.db_type != "sqlite":
		query = query.for_update()
	return query.orderby(table[order]).run(as_dict=True)


def _add_assignees(tasks: list) -> None:
	people = frappe.get_all(
		"Milestone Task Assignee",
		filters={"parenttype": "Milestone Task", "parent": ("in", [task.name for task in tasks])},
		fields=["parent", "user", "full_name", "email", "done"],
		order_by="idx",
	)
	of_task = _by(people, "parent")
	for task in tasks:
		task.assignees = [person for person in of_task.get(task.name, []) if not person.done]
		task.people = [person.full_name or person.user or person.email for person in task.assignees]


def _by(rows: list, column: str) -> dict[str, list]:
	found = defaultdict(list)
	for row in rows:
		found[row[column]].append(row)
	return found


def _find_owners(batch: Batch) -> None:
	"""Look again for the owner of open stages that have none: the field that names one may be filled by now.

	Plans whose DocType is at fault (deleted, say) leave the batch.
	"""
	ownerless = [plan for plan in batch.plans if any(map(_has_no_owner, batch.stages[plan.name]))]
	for doctype, rows in _by(ownerless, "reference_type").items():
		what = f"Milestone sweep: owners of {doctype}"
		if not guard.run_guarded(what, _find_owners_in, batch, doctype, rows):
			batch.plans = [plan for plan in batch.plans if plan not in rows]


def _has_no_owner(stage) -> bool:
	return not stage.stage_owner and not stage.owner_role and stage.status != StageStatus.REACHED


def _find_owners_in(batch: Batch, doctype: str, rows: list) -> bool:
	filters = {"name": ("in", [plan.reference_name for plan in rows])}
	documents = {str(row.name): row for row in frappe.get_all(doctype, filters=filters, fields=["*"])}
	for plan in rows:
		document = frappe._dict(documents.get(plan.reference_name, {}), doctype=doctype)
		for stage in filter(_has_no_owner, batch.stages[plan.name]):
			stage.stage_owner = assignees.resolve_stage_owner(stage, document)
			if stage.stage_owner:
				stage.found_owner = {"stage_owner": stage.stage_owner}
	return True


def _named(batch: Batch, stages: list, tasks: list) -> tuple[list, list]:
	"""Return the names and the roles of everybody these rows mention."""
	names = [stage.stage_owner for stage in stages]
	names += [name for stage in stages for name in _also_notified(stage)]
	names += [name for task in tasks for person in task.assignees for name in (person.user, person.email)]
	roles = [stage[column] for stage in stages for column in ("owner_role", "notify_role")]
	return names, roles + [plan.escalation_role for plan in batch.plans]


def _also_notified(stage) -> list[str]:
	parts = (stage.notify_users or "").replace(",", "\n").replace(";", "\n").splitlines()
	return [part.strip() for part in parts if part.strip()]


def _rules(plan_rows: list) -> dict[str, schedule.Rules]:
	"""Return the rules for each plan: they differ by the calendar of its document, if at all.

	Plans whose DocType is at fault (deleted, say) are not in it.
	"""
	settings = frappe.get_cached_doc("Milestone Settings")
	if not settings.get("quiet_on_days_off"):
		rules = schedule.rules_from(settings)
		return {plan.name: rules for plan in plan_rows}
	found = {}
	for doctype, rows in _by(plan_rows, "reference_type").items():
		what = f"Milestone sweep: calendars of {doctype}"
		found |= guard.run_guarded(what, _rules_in, settings, doctype, rows) or {}
	return found


def _rules_in(settings, doctype: str, rows: list) -> dict[str, schedule.Rules]:
	return {
		row.name: schedule.rules_from(settings, calendars.for_document(values))
		for row, values in zip(rows, _calendar_values(doctype, rows), strict=True)
	}


def _calendar_values(doctype: str, rows: list) -> list[dict]:
	"""Return what names a document's calendar, for each row. One query."""
	meta = frappe.get_meta(doctype)
	columns = [column for column in ("company", "holiday_list") if meta.has_field(column)]
	if not columns:
		return [{} for _row in rows]
	filters = {"name": ("in", [row.reference_name for row in rows])}
	found = frappe.get_all(doctype, filters=filters, fields=["name", *columns])
	values = {str(row.name): row for row in found}
	return [values.get(row.reference_name, {}) for row in rows]


# What is due for whom


def _deliveries(batch: Batch) -> dict[str, tuple]:
	"""Return by plan what is due and what must wait for its recipient's time of day."""
	found = {}
	for plan in batch.plans:
		what = f"Milestone sweep of {plan.reference_type} {plan.reference_name}"
		ours = guard.run_guarded(what, _of_plan, batch, plan)
		if ours is not None:
			found[plan.name] = ours
	return found


def _of_plan(batch: Batch, plan) -> tuple[list[Delivery], list[Delivery]]:
	"""Return (due, waiting) of one plan; starts the round of stages anew that are held again."""
	stages, tasks, rules = batch.stages[plan.name], batch.tasks[plan.name], batch.rules[plan.name]
	for stage in schedule.held_again(stages, tasks, bool(plan.strict_order)):
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


def _audience(batch: Batch, plan, message: MessagePlan) -> list[tuple[Recipient, tuple[str, str]]]:
	"""Return whom a message goes to and why, each person once."""
	stage = _named_row(batch.stages[plan.name], message.stage)
	if message.audience is Audience.ASSIGNEES:
		task = _named_row(batch.tasks[plan.name], message.task)
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
	asked, word = _owners(directory, stage)
	others = [directory.person(name) for name in _also_notified(stage)] + directory.members(stage.notify_role)
	return [(person, (word, "")) for person in asked] + [(person, ("notify", "")) for person in others]


def _owners(directory: Directory, stage) -> tuple[list[Recipient], str]:
	"""Return who is asked for a stage, and whether as owner or standing in for one."""
	by_role = directory.members(stage.owner_role) if stage.owner_kind == "Role" else []
	owner = directory.person(stage.stage_owner)
	owners = by_role or [person for person in [owner] if person and person.user]
	return (owners, "owner") if owners else (directory.stand_ins(), "stand-in")


def _named_row(rows: Iterable, name: str):
	return next(row for row in rows if row.name == name)


def _told(keys: set[str]) -> set[str]:
	"""Return those of the keys that have a message already."""
	if not keys:
		return set()
	filters = {"message_key": ("in", sorted(keys))}
	return set(frappe.get_all("Milestone Message", filters=filters, pluck="message_key"))


# One plan


def _handle_plan(batch: Batch, plan, due: list[Delivery], waiting: list[Delivery]) -> Changes:
	"""Send what is due in one plan and return what is to be written to its rows."""
	fresh = [delivery for delivery in due if delivery.recipient and delivery.key not in batch.told]
	partly = {delivery.step for delivery in due} & {delivery.step for delivery in waiting}
	early = _early_reminders(fresh)
	for letter in _letters(batch, plan, [delivery for delivery in fresh if delivery not in early]):
		messages.deliver(letter)
	# Once everybody has a reminder its stamp says so; until then a row keeps those from getting it who need it not.
	for letter in _letters(batch, plan, [delivery for delivery in early if delivery.step in partly]):
		_leave_out(letter)
	changes = Changes()
	_stamp(batch, plan, due, partly, changes)
	_sum_up(batch, plan, changes)
	return changes


def _early_reminders(fresh: list[Delivery]) -> list[Delivery]:
	"""Return the reminders of those who are told for the first time just now: a new owner, a new assignee."""
	first = {
		(delivery.message.stage, delivery.message.task, delivery.recipient.identity)
		for delivery in fresh
		if delivery.message.kind in (MessageKind.PROMPT, MessageKind.HELD) and not delivery.message.occurrence
	}
	return [
		delivery
		for delivery in fresh
		if delivery.message.occurrence
		and (delivery.message.stage, delivery.message.task, delivery.recipient.identity) in first
	]


def _leave_out(letter: messages.Letter) -> None:
	content = messages.compose(letter)
	values = {"subject": content.subject[:255], "why": content.reason, "channel": None}
	messages.keep(letter, values | {"status": MessageStatus.LEFT_OUT})


def _letters(batch: Batch, plan, fresh: list[Delivery]) -> list[messages.Letter]:
	"""Put deliveries of one kind to one person together."""
	groups = defaultdict(list)
	for delivery in fresh:
		message = delivery.message
		about = "" if message.kind in BY_PLAN else message.stage
		groups[message.kind, about, message.occurrence, delivery.recipient.identity].append(delivery)
	return [_letter(batch, plan, group) for group in groups.values()]


def _letter(batch: Batch, plan, group: list[Delivery]) -> messages.Letter:
	first, stages, tasks = group[0], batch.stages[plan.name], batch.tasks[plan.name]
	stage = _named_row(stages, first.message.stage)
	owners, _word = _owners(batch.directory, stage)
	if first.message.task:
		about = [_named_row(tasks, delivery.message.task) for delivery in group]
	elif _may_read(plan, first.recipient):
		about = schedule.required_open(stages, stage, tasks, bool(plan.strict_order))
	else:
		# What the document says is not for them: neither its fields nor its tasks, and answering would be refused.
		about, stage = [], frappe._dict(stage, custom_message="")
		owners = [person for person in owners if person.identity != first.recipient.identity]
	earlier = [row for row in stages if row.idx < stage.idx]
	return messages.Letter(
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
	return permissions.can_read_document(plan.reference_type, plan.reference_name, recipient.user)


def _stamp(batch: Batch, plan, due: list[Delivery], partly: set[tuple], changes: Changes) -> None:
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
			task = _named_row(batch.tasks[plan.name], delivery.message.task)
			_set(changes.tasks, task, {TASK_STAMP[delivery.message.kind]: batch.day(delivery.recipient)})


def _stage_stamp(batch: Batch, delivery: Delivery) -> dict:
	message, day = delivery.message, batch.day(delivery.recipient)
	if message.occurrence:
		return {"reminders_sent": message.occurrence, "last_reminder_on": day}
	if message.is_stamped or message.kind not in STAGE_STAMP:
		return {}
	stamp = STAGE_STAMP[message.kind]
	if message.kind is MessageKind.PROMPT:
		return {stamp: batch.now, "reminders_sent": 0, "last_reminder_on": None}
	return {stamp: day}


def _set(changes: dict, row, values: dict) -> None:
	"""Change a row here, and note for writing what is really new."""
	new = {name: value for name, value in values.items() if (row.get(name) or None) != (value or None)}
	row.update(new)
	changes[row.name].update(new)


def _sum_up(batch: Batch, plan, changes: Changes) -> None:
	"""Bring health and next check of a plan up to date, by the rules `plans.refresh` has."""
	stages, tasks, rules = batch.stages[plan.name], batch.tasks[plan.name], batch.rules[plan.name]
	today = getdate(batch.now)
	for stage in stages:
		own = [task for task in tasks if task.plan_stage == stage.name]
		required = sum(1 for task in own if task.required)
		_set(changes.stages, stage, {"open_required": required})
	for stage in stages:
		own = [task for task in tasks if task.plan_stage == stage.name]
		overdue = sum(1 for task in own if task.due_date and getdate(task.due_date) < today)
		found = plans.stage_health(stage, stages, plan.strict_order, today, rules.warning_lead_days, overdue)
		_set(changes.stages, stage, {"health": found.value})
	before = plan.health
	check = schedule.next_check(plan, stages, tasks, rules, today)
	_set(changes.plans, plan, plans.summary_of(stages) | {"next_check": check})
	if plan.health != before:
		plans.tell_desk(plan)
