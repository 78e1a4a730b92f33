"""Next steps: the actions that run when something happens to a stage or plan. None is lost, and none is done twice.

The transaction in which it happens writes a *Milestone Next Step* for each action (`store/step_outbox.py`), and a job runs
them after the commit. What a job has not done, `run_left` finds. What an action writes and that it is done are one
transaction; that an attempt has begun is committed before, so that a step which kills its worker is given up in the end.

A workflow defines actions as a JSON list of objects with the name in `action`, the event in `when`, the condition in
`condition`, and the arguments. Other apps add some with the hook `milestone_actions`, see
`engine/workflows/action_registry.py`, or hear of milestones, see `other_apps.py`.
"""

import json
from datetime import datetime, timedelta

import frappe
from frappe import _
from frappe.utils import cint, get_datetime, now_datetime, strip_html

from milestone_automation.engine.base import bulk, guard, jobs, locks
from milestone_automation.engine.people import rights
from milestone_automation.engine.progress import gate, other_apps, step_author, step_breaker
from milestone_automation.engine.rules.vocabulary import (
	PlanEvent,
	PlanStatus,
	StageStatus,
	StepEvent,
	StepStatus,
)
from milestone_automation.engine.store import app_events, plan_log, plan_rows, step_outbox, sweep_requests

DOCTYPE = step_outbox.DOCTYPE
# An action may reach a stage of another document, whose actions reach the next; a loop ends here.
MAX_DEPTH = 5
DEPTH_FLAG = step_outbox.DEPTH_FLAG
# How long after the first, second ... failure comes the next attempt; after the last one the step has failed.
RETRY_AFTER = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
# Who has begun and is not back by then was killed: longer than a job may take.
LEASE = timedelta(minutes=30)
# How often a step is tried at once that meets somebody else at the same document.
CONFLICTS = 3
# Steps that one run of the scheduler does.
AT_ONCE = 200
OPEN = (StepStatus.PENDING.value, StepStatus.RUNNING.value)
REASON_LENGTH = 1000


# Undoing and refusing


def note_undone(plan, stage) -> None:
	"""Skip the steps of a stage that is being reopened, and note whom to tell of it.

	Args:
		plan: row of the plan.
		stage: row of the stage, as it was reached.

	Raises:
		ConflictError: one of its steps runs at this moment.
	"""
	heard = app_events.steps(StepEvent.REACHED, plan.reference_type)
	if stage.next_actions or any(heard):
		_skip(stage, undone_reason())
	step_outbox.note_undone(plan, stage)


def note_refused(plan: str, stage: str) -> None:
	"""Background job: note the steps of a stage that the gate has refused, if it still would.

	Args:
		plan: name of the plan.
		stage: row name of the stage.

	Raises:
		ConflictError: somebody else is changing the plan.
	"""
	loaded = plan_rows.load_by_name(plan, lock=True, is_optional=True)
	row = loaded and next((one for one in loaded.stages if one.name == stage), None)
	is_open = row and gate.is_running(loaded) and row.status != StageStatus.REACHED
	if is_open and not loaded.on_hold_since and gate.in_the_way(loaded, row):
		step_outbox.note_blocked(loaded, row)


def _skip(stage, reason: str) -> None:
	table = frappe.qb.DocType(DOCTYPE)
	query = frappe.qb.update(table).where((table.plan_stage == stage.name) & table.status.isin(OPEN))
	values = {"status": StepStatus.SKIPPED.value, "next_attempt": None, "error": reason}
	for column, value in values.items():
		query = query.set(table[column], value)
	with guard.translate_conflicts():
		query.run()


# Running


def run(names: list[str], by_hand: bool = False) -> None:
	"""Background job: run some steps in order, each in its own transactions. One that fails keeps no other from running.

	Args:
		names: of Milestone Next Step; what is done already, or is not due, is left out.
		by_hand: whether somebody has asked for them, so that neither a wait nor the circuit breaker counts.
	"""
	for name in names:
		_run_one(name, by_hand)


def run_left(now: datetime | None = None) -> None:
	"""Scheduler job: run the steps whose job was lost or killed, and those whose next attempt has come.

	Args:
		now: naive, in the site's time zone; the current time by default.
	"""
	table = frappe.qb.DocType(DOCTYPE)
	query = frappe.qb.from_(table).select(table.name).where(table.status.isin(OPEN))
	query = query.where(table.next_attempt <= (now or now_datetime()))
	query = query.orderby(table.next_attempt).orderby(table.creation).orderby(table.step).limit(AT_ONCE)
	run(query.run(pluck=True))


def run_again(name: str) -> None:
	"""Have a step that failed, or waits for its next attempt, run now. It runs as its author, as ever.

	Args:
		name: of the Milestone Next Step.

	Raises:
		frappe.ValidationError: it is done, runs, or was skipped.
		frappe.PermissionError: there is no such step.
		ConflictError: somebody else does so at this moment.
	"""
	row = _locked(name) or rights.refuse_hidden(DOCTYPE, name)
	if row.status not in (StepStatus.PENDING, StepStatus.FAILED):
		frappe.throw(
			_("This step is {0}. Only a step that failed or waits can run again.").format(_(row.status))
		)
	_write(name, status=StepStatus.PENDING, attempts=0, next_attempt=now_datetime(), error=None)
	jobs.queue_follow_up(
		f"{__name__}.run", f"milestone-next-steps-{name}-by-hand", names=[name], by_hand=True
	)


def run_now(plan: str, stage: str, depth: int = 1) -> None:
	"""Background job of earlier versions, which had no outbox: such a job may wait in the queue during an upgrade.

	Args:
		plan: name of the plan.
		stage: row name of the stage.
		depth: 1, or one more than the job whose action reached the stage.

	Raises:
		frappe.DoesNotExistError: there is no such plan or stage.
		ConflictError: somebody else is changing the plan.
	"""
	plan = plan_rows.load_by_name(plan, lock=True)
	row = plan.stage(stage)
	if row.status != StageStatus.REACHED or frappe.db.exists(DOCTYPE, {"plan_stage": row.name}):
		return
	before, frappe.flags[DEPTH_FLAG] = frappe.flags.get(DEPTH_FLAG), depth - 1
	try:
		step_outbox.note_reached(plan, row)
	finally:
		frappe.flags[DEPTH_FLAG] = before


def _run_one(name: str, by_hand: bool) -> None:
	"""Run a step in transactions of its own. A conflict is tried again at once, any other fault later."""
	row = None
	for turn in range(1, CONFLICTS + 1):
		try:
			row = row or _begin(name, by_hand)
			# The attempt counts, whatever becomes of this process.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit
			if row:
				_do(row)
				# What the step has written, and that it is done.
				frappe.db.commit()  # nosemgrep: frappe-manual-commit
			return
		except Exception as error:
			fault = frappe.get_traceback()
			frappe.db.rollback()
			if guard.is_conflict(error) and turn < CONFLICTS:
				continue
			_fail(row or frappe._dict(name=name), error, fault)
			# That it has failed; the next step begins anew.
			frappe.db.commit()  # nosemgrep: frappe-manual-commit
			return


def _begin(name: str, by_hand: bool) -> frappe._dict | None:
	"""Note that an attempt begins, and return the step; None if there is nothing to do now."""
	row, now = _locked(name), now_datetime()
	is_running = row and row.status == StepStatus.RUNNING
	is_due = row and (row.next_attempt is None or get_datetime(row.next_attempt) <= now)
	if not row or row.status not in OPEN or not (is_due or (by_hand and not is_running)):
		return None
	if _runs_in_a_loop(row):
		reason = _("The next steps run in a loop: each reaches the milestone of another one.")
		_write(name, status=StepStatus.SKIPPED, next_attempt=None, error=reason)
		guard.log_fault(f"Milestone plan {row.plan}: next steps run in a loop", row.stage_name)
		return None
	rests_until = None if by_hand else step_breaker.rests_until(row.step_key)
	if rests_until:
		_write(name, status=StepStatus.PENDING, next_attempt=rests_until, error=step_breaker.reason())
		return None
	row.update(status=StepStatus.RUNNING, attempts=cint(row.attempts) + 1)
	_write(name, status=row.status, attempts=row.attempts, started_on=now, next_attempt=now + LEASE)
	return row


def _runs_in_a_loop(row) -> bool:
	"""Tell whether an action is too deep in a chain of actions. Telling another app ends a chain."""
	return cint(row.depth) > MAX_DEPTH and not app_events.is_step(row.action)


def _do(row) -> None:
	"""Do what a step says and note that it is done, in the running transaction."""
	locked_row = _locked(row.name)
	if not locked_row or (locked_row.status, cint(locked_row.attempts)) != (StepStatus.RUNNING, row.attempts):
		return  # undone or deleted meanwhile, or taken over
	plan = plan_rows.load_by_name(row.plan, is_optional=True)
	stage = plan and next((one for one in plan.stages if one.name == row.plan_stage), None)
	reason = _why_not(row, plan, stage)
	if not reason and _is_free_again(row, plan, stage):
		# Should it be blocked again before its key date moves, that is another occasion.
		_write(row.name, occasion_key=None)
		reason = _("The milestone was no longer blocked when the step ran.")
	if reason:
		_write(row.name, status=StepStatus.SKIPPED, next_attempt=None, error=reason)
		return
	if not _act(row, plan, stage):
		reason = _("The document did not meet its condition.")
		_write(row.name, status=StepStatus.SKIPPED, next_attempt=None, error=reason)
		return
	_write(row.name, status=StepStatus.DONE, next_attempt=None, error=None, finished_on=now_datetime())
	step_breaker.close(row.step_key)
	if not app_events.is_step(row.action):
		plan_log.write(plan, PlanEvent.NEXT_STEP, stage=stage, details=_("{0}: done").format(row.action))


def _act(row, plan, stage) -> bool:
	"""Run an action, or tell another app; return whether the condition of the step was met."""
	before, frappe.flags[DEPTH_FLAG] = frappe.flags.get(DEPTH_FLAG), row.depth
	try:
		if app_events.is_step(row.action):
			other_apps.tell(_action_of(row), plan, stage)
			return True
		return step_author.run(_action_of(row), row.author, plan, stage)[0]
	finally:
		frappe.flags[DEPTH_FLAG] = before


def _why_not(row, plan, stage) -> str:
	"""Return why a step is no longer run, as a sentence; empty if it is."""
	if not stage:
		return _("The milestone is no longer in the plan.")
	event = _event_of(row)
	if event is StepEvent.UNDONE:
		is_reached = stage.status == StageStatus.REACHED
		return _("The milestone was reached again before the step ran.") if is_reached else ""
	if plan.status == PlanStatus.CANCELLED:
		return _("The plan was cancelled before the step ran.")
	if event is StepEvent.PLAN_COMPLETED:
		is_completed = plan.status == PlanStatus.COMPLETED
		is_of_now = is_completed and row.occasion in (None, "", step_outbox.completed_occasion(row.plan))
		return "" if is_of_now else _("The plan was reopened before the step ran.")
	if event in step_outbox.LASTING:
		return _why_not_lasting(row, stage)
	return "" if stage.status == StageStatus.REACHED else undone_reason()


def _event_of(row) -> StepEvent:
	"""Return what a step waited for. One from before an upgrade has no event: its stage was reached, or undone."""
	if row.event:
		return StepEvent(row.event)
	is_of_undone = row.action == app_events.ACTIONS[StepEvent.UNDONE]
	return StepEvent.UNDONE if is_of_undone else StepEvent.REACHED


def _why_not_lasting(row, stage) -> str:
	"""Return why a step of a stage that was blocked or overdue is no longer run."""
	if stage.status == StageStatus.REACHED:
		return _("The milestone was reached before the step ran.")
	if step_outbox.is_over(row, stage):
		return _("The key date of the milestone was moved before the step ran.")
	return ""


def _is_free_again(row, plan, stage) -> bool:
	"""Tell whether a step waited for a block that is over."""
	return _event_of(row) is StepEvent.BLOCKED and not gate.still_refuses(plan, stage)


def undone_reason() -> str:
	"""Return why the steps of a stage that was reopened do not run."""
	return _("The milestone was reopened before the step ran.")


def _action_of(row) -> dict:
	action = json.loads(row.arguments or "null")
	if not isinstance(action, dict):
		frappe.throw(_("Next Steps must be a JSON list. Save them again in the workflow."))
	return action


def _fail(row, error: Exception, fault: str) -> None:
	"""Note an attempt that failed. A refusal by rights is final, any other fault is tried again, some times."""
	guard.log_fault(f"Milestone next step {row.name}: {row.action} of {row.stage_name}", fault)
	locked_row = _locked(row.name)
	if not locked_row or (locked_row.status, cint(locked_row.attempts)) != (StepStatus.RUNNING, row.attempts):
		return
	now, attempts = now_datetime(), row.attempts
	is_refused = isinstance(error, frappe.PermissionError) and not app_events.is_step(row.action)
	is_final = is_refused or attempts > len(RETRY_AFTER)
	was_resting = bool(step_breaker.rests_until(row.step_key))
	_write(
		row.name,
		status=StepStatus.FAILED if is_final else StepStatus.PENDING,
		next_attempt=None if is_final else now + RETRY_AFTER[attempts - 1],
		finished_on=now,
		error=words_of(error),
	)
	frappe.clear_messages()
	if attempts == 1:
		_log(row, PlanEvent.NEXT_STEP, _("{0}: failed").format(row.action))
	if not was_resting and step_breaker.rests_until(row.step_key):
		# Everybody who may read the document reads its log; why the step fails is for managers.
		sweep_requests.alert(_log(row, PlanEvent.NEXT_STEP_STOPPED, row.action))


def _log(row, event: PlanEvent, details: str) -> str:
	plan = frappe._dict(name=row.plan, reference_type=row.reference_type, reference_name=row.reference_name)
	stage = frappe._dict(name=row.plan_stage, stage_name=row.stage_name)
	return plan_log.write(plan, event, stage=stage, details=details)


def words_of(error: Exception) -> str:
	"""Return what an error says to people; what was never meant for them stays in the Error Log.

	Args:
		error: what a next step has raised.

	Returns:
		str: plain text of a refusal, cut to `REASON_LENGTH` characters; of any other error its class only.
	"""
	if isinstance(error, (frappe.ValidationError, frappe.PermissionError)) and str(error).strip():
		return strip_html(str(error))[:REASON_LENGTH]
	return _("{0}. The Error Log has the details.").format(type(error).__name__)


def _locked(name: str) -> frappe._dict | None:
	table = frappe.qb.DocType(DOCTYPE)
	rows = locks.run_locked(frappe.qb.from_(table).select(table.star).where(table.name == name))
	return rows[0] if rows else None


def _write(name: str, **values) -> None:
	values = {key: getattr(value, "value", value) for key, value in values.items()}
	bulk.update_rows(DOCTYPE, {name: values})
