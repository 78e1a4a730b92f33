"""Proposed dates: who may not move a key date proposes one, and a manager accepts, changes or declines it.

A proposal is a Milestone Date Change that is not in effect yet. A stage has one at a time; a newer one replaces it.
"""

from datetime import datetime

import frappe
from frappe import _
from frappe.utils import cint, getdate, now_datetime

from milestone_automation.engine.base import bulk, clock
from milestone_automation.engine.people import rights
from milestone_automation.engine.progress import rescheduling
from milestone_automation.engine.rules.vocabulary import (
	DateChangeSource,
	DateChangeStatus,
	PlanEvent,
	StageStatus,
)
from milestone_automation.engine.store import plan_log, plan_rows, sweep_requests
from milestone_automation.engine.store.changing import changing

CHANGE = "Milestone Date Change"
# A stage without a proposal.
NONE_PENDING = {"proposed_date": None, "proposal": None, "awaits_decision": 0}
TAKEN_OVER = ("proposed_by", "proposed_on", "proposed_date")


def must_propose(plan) -> bool:
	"""Tell whether the session user may only propose dates of a plan that they act on.

	Args:
		plan: row with `owners_propose`.
	"""
	return bool(cint(plan.owners_propose)) and not rights.can_manage()


def propose(plan: str, stage: str, new_date, reason: str, by: str | None = None) -> None:
	"""Propose a key date of an open stage; its managers are told.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: date or ISO text, after today.
		reason: why; required.
		by: user id or e-mail address of who proposes it; the session user by default.

	Raises:
		frappe.ValidationError: the plan is cancelled, the stage is reached, the reason is missing, or the date is not
			after today, or is the key date already.
		frappe.DoesNotExistError: there is no such plan or stage.
	"""
	reason = plan_log.check_reason(reason)
	day = clock.parse_day(new_date) if new_date else None
	if not day or day <= clock.today_of_user():
		frappe.throw(_("Choose a date after today."))
	with changing(plan) as plan:
		plan.check_is_active()
		row = plan.stage(stage)
		if row.status == StageStatus.REACHED:
			frappe.throw(_("{0} is reached, so no date can be proposed.").format(row.stage_name))
		if row.key_date and getdate(row.key_date) == day:
			frappe.throw(
				_("{0} is already expected on {1}. Choose another date.").format(
					row.stage_name, frappe.format(day, "Date")
				)
			)
		withdraw(plan, row, _("A newer proposal has replaced it."), by)
		now, who = now_datetime(), by or frappe.session.user
		(name,) = bulk.insert_rows(
			CHANGE,
			[
				rescheduling.date_change(plan, row, row.key_date, day, reason, DateChangeSource.PROPOSAL)
				| {
					"status": DateChangeStatus.PROPOSED.value,
					"changed_by": who,
					"changed_on": now,
					"proposed_by": who,
					"proposed_on": now,
					"proposed_date": day,
				}
			],
		)
		# Its owner has answered; the assignee of a task says nothing for them.
		has_answered = not by or rights.is_outside_owner(row, by)
		plan.set_stage(row, proposed_date=day, proposal=name, awaits_decision=int(has_answered))
		text = f"{who}: {day.isoformat()}"
		entry = plan_log.write(
			plan, PlanEvent.DATE_PROPOSED, stage=row, reason=reason, details=text, done_by=by
		)
		sweep_requests.alert(entry)


def accept(
	plan: str, stage: str, new_date=None, answer: str | None = None, keep_anchored: bool = False
) -> None:
	"""Move a key date to the proposed day, or to another one that is chosen instead.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		new_date: date or ISO text; the proposed one by default.
		answer, keep_anchored: as in `rescheduling.reschedule`.

	Raises:
		frappe.ValidationError: the plan is cancelled, nothing is proposed, or the date is not possible, see
			`rescheduling.move`.
		frappe.DoesNotExistError: there is no such plan or stage.
	"""
	with changing(plan) as plan:
		plan.check_is_active()
		row, proposal = _pending(plan, stage)
		day = clock.parse_day(new_date) if new_date else getdate(proposal.proposed_date)
		rescheduling.move(
			plan, row, day, proposal.reason, DateChangeSource.PROPOSAL, answer, True, keep_anchored
		)
		if row.awaits_decision and day == getdate(proposal.proposed_date):
			plan.set_stage(row, on_track_on=getdate(proposal.proposed_on))
		stamp = _settle(plan, row, proposal, DateChangeStatus.ACCEPTED)
		_tell(plan, PlanEvent.DATE_ACCEPTED, row, stamp, details=day.isoformat())


def decline(plan: str, stage: str, reason: str) -> None:
	"""Decline the proposed date of a stage; the key date stays.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reason: why; required. Whoever proposed the date reads it.

	Raises:
		frappe.ValidationError: nothing is proposed, or the reason is missing.
		frappe.DoesNotExistError: there is no such plan or stage.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		row, proposal = _pending(plan, stage)
		stamp = _settle(plan, row, proposal, DateChangeStatus.DECLINED, reason)
		day = getdate(proposal.proposed_date).isoformat()
		_tell(plan, PlanEvent.DATE_DECLINED, row, stamp, reason=reason, details=day)


def withdraw(plan, stage, why: str, by: str | None = None, stamp: datetime | None = None) -> None:
	"""Decline the proposal of a stage that nobody has to answer now; nothing happens without one.

	Args:
		plan: locked, being changed.
		stage: row of the stage.
		why: kept with the proposal.
		by: as in `propose`.
		stamp: when; now by default.
	"""
	if not stage.proposal:
		return
	values = {
		"status": DateChangeStatus.DECLINED.value,
		"answered_by": by or frappe.session.user,
		"answered_on": stamp or now_datetime(),
		"answer": why,
	}
	bulk.update_rows(CHANGE, {stage.proposal: values})
	plan.set_stage(stage, **NONE_PENDING)


def end_all(plan, stamp: datetime) -> None:
	"""Decline the proposals of a plan that is being cancelled; whoever has proposed them is told.

	Who takes the cancellation back finds them declined: what was proposed may no longer hold by then.

	Args:
		plan: locked, being changed.
		stamp: when it is cancelled.
	"""
	why = _("The plan was cancelled. If it goes on, please propose the date again.")
	for stage in plan.stages:
		if stage.proposal:
			day = getdate(stage.proposed_date).isoformat()
			withdraw(plan, stage, why, stamp=stamp)
			_tell(plan, PlanEvent.DATE_DECLINED, stage, stamp, reason=why, details=day)


def shown(stage) -> dict | None:
	"""Return the proposal of a stage for the desk: date, by whom, when and why; one query, none without a proposal.

	Args:
		stage: row with `proposal`.

	Returns:
		dict | None: `proposed_date`, `proposed_by`, `proposed_on` and `reason`.
	"""
	if not stage.proposal:
		return None
	fields = ["proposed_date", "proposed_by", "proposed_on", "reason"]
	return frappe.db.get_value(CHANGE, stage.proposal, fields, as_dict=True)


def _pending(plan: plan_rows.Plan, stage: str) -> tuple:
	row = plan.stage(stage)
	proposal = row.proposal and frappe.db.get_value(CHANGE, row.proposal, "*", as_dict=True)
	if not proposal:
		frappe.throw(_("No date is proposed for {0}.").format(row.stage_name))
	return row, proposal


def _settle(plan, row, proposal, status: DateChangeStatus, answer: str = ""):
	"""Keep the answer; an accepted proposal becomes one with the date change that it led to. Returns when."""
	now = now_datetime()
	values = {
		"status": status.value,
		"answered_by": frappe.session.user,
		"answered_on": now,
		"answer": answer,
	}
	name = proposal.name
	if status is DateChangeStatus.ACCEPTED:
		change = _change_of(plan, row)
		if change:
			values |= {field: proposal[field] for field in TAKEN_OVER}
			frappe.db.delete(CHANGE, {"name": proposal.name})
			name = change
		else:  # it is on that day already
			values |= {"old_date": row.key_date, "new_date": row.key_date, "changed_on": now}
	bulk.update_rows(CHANGE, {name: values})
	plan.set_stage(row, **NONE_PENDING)
	return now


def _change_of(plan, row) -> str | None:
	"""Return the date change of a stage that was just made for its proposal."""
	filters = {
		"plan": plan.name,
		"plan_stage": row.name,
		"source": DateChangeSource.PROPOSAL.value,
		"status": DateChangeStatus.ACCEPTED.value,
		"answered_on": ("is", "not set"),
	}
	return frappe.db.get_value(CHANGE, filters)


def _tell(plan, event: PlanEvent, row, stamp, **texts) -> None:
	"""Log an answer; whoever proposed the date is told."""
	sweep_requests.alert(plan_log.write(plan, event, stage=row, done_on=stamp, **texts))
