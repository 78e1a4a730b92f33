"""Answers to prompts and check-ins: reached, not yet, or on track. Called by the API and by the pages behind links in mails."""

from datetime import date

import frappe
from frappe import _
from frappe.model.workflow import apply_workflow, get_transitions, get_workflow_name, has_approval_access
from frappe.utils import cint, getdate

from milestone_automation.engine.base import clock, languages, save_state
from milestone_automation.engine.people import rights
from milestone_automation.engine.progress import proposals, rescheduling, stages
from milestone_automation.engine.rules.vocabulary import DateChangeSource, PlanEvent, StageStatus
from milestone_automation.engine.store import plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


def answer_reached(plan: str, stage: str, reached_on: str | None = None, by: str | None = None) -> None:
	"""Answer a prompt with yes. If a field's value reaches the stage, the document gets that value.

	A document that has passed the stage, to a later one of the same field, keeps its value.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		reached_on: ISO date, not in the future for the user; today by default.
		by: user id or address of the stage's owner from outside, whom a signed link proves; such an owner needs no right
			to the document and does not change it. By default the session user answers.

	Raises:
		frappe.PermissionError: the user neither owns the stage nor manages plans.
		GateError: required tasks are open.
		frappe.ValidationError: the plan is cancelled, the stage is reached already, the date is in the future, or the
			document refuses the value.
	"""
	plan, row = _load_answerable(plan, stage, by)
	plan.check_is_active()
	stages.check_is_open(row)
	day = clock.parse_day(reached_on) if reached_on else clock.today_of_user()
	if not by and stages.waits_for_value(plan, row):
		_reach_by_value(plan, row, day)
	else:
		stages.confirm(plan.name, row.name, day, by=_without_account(by))


def answer_not_yet(
	plan: str,
	stage: str,
	new_date: str,
	reason: str | None = None,
	note: str | None = None,
	later_stages: str | None = None,
	by: str | None = None,
) -> None:
	"""Answer a prompt with no: the stage gets a new key date, or one is proposed.

	Where managers decide, and for an owner from outside, it is proposed.

	Args:
		plan, stage: as in `answer_reached`.
		new_date: ISO date after today, other than the key date.
		reason: one of `reasons` or another text; reason or note is required.
		note: further text.
		later_stages: "Shift Too" or "Keep Order", for a plan that asks.
		by: as in `answer_reached`.

	Raises:
		frappe.PermissionError: the user neither owns the stage nor manages plans.
		frappe.ValidationError: there is no reason, the date is not in the future or before an earlier stage, or
			`later_stages` is missing.
	"""
	plan, row = _load_answerable(plan, stage, by)
	day = _future_day(row, new_date)
	text = ": ".join(part.strip() for part in (reason, note) if part and part.strip())
	if not text and not row.key_date:
		text = _("First date.")
	must_propose = bool(by) or proposals.must_propose(plan)
	with changing(plan.name) as plan:
		if must_propose:
			proposals.propose(plan.name, row.name, day, text, by=by)
		else:
			rescheduling.reschedule(
				plan.name, row.name, day, text, source=DateChangeSource.PROMPT, answer=later_stages or None
			)
		# Who sets a date need not be asked whether it holds before long.
		if cint(row.check_in_days):
			plan.set_stage(plan.stage(row.name), on_track_on=clock.today_of_user())


def answer_on_track(plan: str, stage: str, by: str | None = None) -> None:
	"""Answer a check-in with yes: the key date of the stage holds.

	Args:
		plan, stage, by: as in `answer_reached`.

	Raises:
		frappe.PermissionError: the user neither owns the stage nor manages plans.
		frappe.ValidationError: the plan is cancelled, the stage is reached already, or its key date is not to come.
	"""
	plan, row = _load_answerable(plan, stage, by)
	plan.check_is_active()
	stages.check_is_open(row)
	today = clock.today_of_user()
	if not row.key_date or getdate(row.key_date) < today:
		frappe.throw(
			_("{0} has no key date to come. Say when it was reached, or choose a date.").format(
				row.stage_name
			)
		)
	with changing(plan.name) as plan:
		row = plan.stage(row.name)
		if row.on_track_on and getdate(row.on_track_on) == today:
			plan.leave_unchanged()
			return
		plan.set_stage(row, on_track_on=today)
		plan_log.write(plan, PlanEvent.CONFIRMED_ON_TRACK, stage=row, done_by=by)


def reasons() -> list[str]:
	"""Return the site's reasons for a new date, not translated."""
	rows = frappe.get_cached_doc("Milestone Settings").get("date_reasons") or []
	return [row.reason for row in rows]


def _without_account(who: str | None) -> str | None:
	"""Return the address of somebody without an account; None for a user, who acts as the session user."""
	return None if who == frappe.session.user else who


def _load_answerable(plan: str, stage: str, by: str | None = None) -> tuple:
	"""Return plan and stage; refuse whoever may not answer for the stage."""
	name, plan = plan, plan_rows.load_by_name(plan, is_optional=True)
	if plan and by and rights.is_outside_owner(plan.stage(stage), by):
		return plan, plan.stage(stage)
	is_seen = plan and rights.can_read_document(plan.reference_type, plan.reference_name)
	if not plan or not (is_seen or rights.sees_everything()):
		rights.refuse_hidden("Milestone Plan", name)
	row = plan.stage(stage)
	if not may_answer(plan, row):
		frappe.throw(
			_("Only the owner of {0} and Milestone Managers may answer for it.").format(row.stage_name),
			frappe.PermissionError,
		)
	return plan, row


def may_answer(plan, row, user: str | None = None) -> bool:
	"""Tell whether a user may answer for a stage.

	Args:
		plan, row: rows of the plan and the stage.
		user: the session user by default.
	"""
	document = frappe._dict(doctype=plan.reference_type, name=plan.reference_name)
	return rights.can_act_on_stage(row, document, user)


def _reach_by_value(plan, row, day: date) -> None:
	"""Set the value that reaches the stage in the document and save it as this user."""
	doc = plan.reference_doc()
	_check_day(row, day)
	save_state.transaction().days_given[row.name] = day
	if row.track_field == _workflow_field(doc.doctype):
		_take_transition(doc, row)
	else:
		doc.set(row.track_field, row.track_value)
		doc.save()
	# Frappe silently resets a field that the user may not change.
	if plan_rows.load_by_name(plan.name).stage(row.name).status != StageStatus.REACHED:
		frappe.throw(
			_(
				"Nothing was saved: setting {0} to {1} did not reach {2}. You may not be allowed to change this field. Please change it in {3} itself, or ask somebody who can."
			).format(
				_(doc.meta.get_label(row.track_field) or row.track_field),
				_(row.track_value),
				row.stage_name,
				_document(doc),
			)
		)


def _workflow_field(doctype: str) -> str | None:
	"""Return the state field of a DocType's Frappe Workflow, if it has one."""
	workflow = get_workflow_name(doctype)
	return frappe.get_cached_value("Workflow", workflow, "workflow_state_field") if workflow else None


def _take_transition(doc, row) -> None:
	"""Apply the action of Frappe's Workflow that leads to the state which reaches the stage.

	Setting the state alone would skip what the action does, for example submitting the document.
	"""
	state, user = doc.get(row.track_field), frappe.session.user
	# Frappe uses the last of several transitions with the same action.
	possible = {one.action: one for one in (get_transitions(doc) if state else [])}
	for action, transition in possible.items():
		if transition.next_state == row.track_value and has_approval_access(user, doc, transition):
			apply_workflow(doc, action)
			return
	frappe.throw(
		_(
			"{0} is in the state {1}, and you have no action that leads to {2}. Apply the action in {0} itself, or ask somebody who can."
		).format(_document(doc), _(state) if state else "''", _(row.track_value))
	)


def _document(doc) -> str:
	return f"{_(doc.doctype)} {doc.name}"


def _check_day(row, day: date) -> None:
	if day > clock.latest_today():
		frappe.throw(
			_("{0} cannot be reached on {1}. Date cannot be in the future.").format(
				row.stage_name, languages.day_text(day)
			)
		)


def _future_day(row, new_date: str | None) -> date:
	day = clock.parse_day(new_date) if new_date else None
	if not day or day <= clock.today_of_user():
		frappe.throw(_("Choose a date after today. You will not be asked again before that date."))
	if row.key_date and day == getdate(row.key_date):
		frappe.throw(
			_("{0} is already expected on {1}. Choose another date.").format(
				row.stage_name, languages.day_text(day)
			)
		)
	return day
