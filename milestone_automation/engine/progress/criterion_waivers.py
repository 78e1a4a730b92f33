"""Waiving an exit criterion of a stage, and taking the waiver back: with a reason, kept on the stage and in the log."""

import json

import frappe
from frappe import _
from frappe.utils import escape_html, now_datetime

from milestone_automation.engine.people import criterion_texts
from milestone_automation.engine.progress import gate
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.criteria import CriterionState
from milestone_automation.engine.rules.vocabulary import PlanEvent, StageStatus
from milestone_automation.engine.store import exit_criteria, plan_log, plan_rows
from milestone_automation.engine.store.changing import changing


def waive(plan: str, stage: str, criterion: str, reason: str) -> None:
	"""Waive an exit criterion: it no longer blocks its stage although it is not met.

	Args:
		plan: name of the plan.
		stage: row name or name of the stage.
		criterion: its key.
		reason: why; required and logged.

	Raises:
		frappe.ValidationError: there is no reason, the stage is reached, or the criterion is met or waived already.
		frappe.DoesNotExistError: the stage has no such criterion.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		row, verdict = _open_stage(plan, stage, criterion)
		text = escape_html(_text(plan, verdict))
		if verdict.state is CriterionState.WAIVED:
			frappe.throw(_("{0} is already waived.").format(text))
		if verdict.state is CriterionState.MET:
			frappe.throw(_("{0} is met, so there is nothing to waive.").format(text))
		waiver = {"reason": reason, "by": frappe.session.user, "on": str(now_datetime())}
		_set(plan, row, criteria.waivers(row.waived_criteria) | {criterion: waiver})
		_log(plan, PlanEvent.CRITERION_WAIVED, row, verdict, reason)


def reopen(plan: str, stage: str, criterion: str, reason: str) -> None:
	"""Take back the waiver of an exit criterion: it blocks its stage again until it is met.

	Args:
		plan, stage, criterion, reason: as in `waive`.

	Raises:
		frappe.ValidationError: there is no reason, the stage is reached, or the criterion is not waived.
		frappe.DoesNotExistError: the stage has no such criterion.
	"""
	reason = plan_log.check_reason(reason)
	with changing(plan) as plan:
		row, verdict = _open_stage(plan, stage, criterion)
		waived = criteria.waivers(row.waived_criteria)
		if not waived.pop(criterion, None):
			frappe.throw(
				_("{0} is not waived, so there is nothing to undo.").format(escape_html(_text(plan, verdict)))
			)
		_set(plan, row, waived)
		_log(plan, PlanEvent.CRITERION_REOPENED, row, verdict, reason)


def count_open(plan: plan_rows.Plan) -> None:
	"""Judge the exit criteria of a plan that is being changed; no query where no open stage has any.

	Args:
		plan: locked.
	"""
	for stage, verdicts in zip(plan.stages, exit_criteria.of_open_stages(plan, plan.stages), strict=True):
		plan.set_stage(stage, open_criteria=len(criteria.blocking(verdicts)))


def _open_stage(plan: plan_rows.Plan, stage: str, criterion: str) -> tuple:
	"""Return an open stage, and how one of its criteria stands now."""
	plan.check_is_active()
	row = plan.stage(stage)
	if row.status == StageStatus.REACHED:
		frappe.throw(_("{0} is already reached. Undo it first.").format(row.stage_name))
	[verdicts] = exit_criteria.of_open_stages(plan, [row])
	verdict = next((one for one in verdicts if one.criterion.key == criterion), None)
	if not verdict:
		frappe.throw(
			_("{0} has no such exit criterion. Reload the page to see those it has.").format(row.stage_name),
			frappe.DoesNotExistError,
		)
	return row, verdict


def _text(plan: plan_rows.Plan, verdict: criteria.Verdict) -> str:
	return criterion_texts.describe(verdict.criterion, plan.reference_type)


def _log(plan: plan_rows.Plan, event: PlanEvent, row, verdict: criteria.Verdict, reason: str) -> None:
	details = gate.criteria_texts(plan.reference_type, [verdict])
	plan_log.write(plan, event, stage=row, reason=reason, details=details)


def _set(plan: plan_rows.Plan, row, waived: dict) -> None:
	plan.set_stage(row, waived_criteria=json.dumps(waived) if waived else None)
	count_open(plan)
