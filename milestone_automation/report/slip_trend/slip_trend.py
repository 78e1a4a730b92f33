"""Milestone trend analysis: how the key date of each milestone moved over time."""

import frappe
from frappe import _

from milestone_automation.desk.report_columns import column, count, document_columns
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import baselines, date_changes, plan_stages


@for_its_reader
def execute(filters=None):
	"""Return columns and rows of the report, or what to choose; its script draws the chart from `points`.

	Args:
		filters: dict or its JSON: `workflow` or `reference_name`, and `baseline`, the name of a Milestone Baseline.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
		frappe.DoesNotExistError: there is no such baseline for the user.
	"""
	chosen = ReportFilters(filters)
	baseline = chosen.baseline()
	if not chosen.text("reference_name") and not chosen.text("workflow"):
		return get_columns(baseline), [], _("Choose a workflow or a document.")
	return get_columns(baseline), get_data(chosen, baseline)


def get_columns(baseline: baselines.Baseline | None = None) -> list[dict]:
	compared = [
		column(_("Baseline"), "baseline", "Date"),
		count(_("Against Baseline (Days)"), "since_baseline", 170),
	]
	return [
		*document_columns(),
		column(_("Milestone"), "stage_name", width=180),
		column(_("Planned"), "planned", "Date"),
		column(_("Key Date"), "due", "Date"),
		column(_("Reached On"), "reached", "Date"),
		count(_("Slip (Days)"), "slip", 110),
		*(compared if baseline else ()),
		count(_("Moves"), "moves"),
		column(_("Last Reason"), "reason", width=220),
		column(_("Points"), "points", width=0) | {"hidden": 1},
	]


def get_data(chosen: ReportFilters, baseline: baselines.Baseline | None = None) -> list[dict]:
	stages = list(plan_stages.read(chosen.plans()))
	moves: dict[str, list] = {stage.name: [] for stage in stages}
	for change in date_changes.read(stages):
		moves[change.stage].append(change)
	then = baselines.dates_then(stages, moves, baseline)
	return [_row(stage, moves[stage.name], then) for stage in stages if stage.planned or moves[stage.name]]


def _row(stage: plan_stages.StageRow, changes: list[date_changes.DateChange], then: dict) -> dict:
	points = date_changes.trend(stage, changes)
	return {
		"reference_type": stage.reference_type,
		"reference_name": stage.reference_name,
		"stage_name": stage.stage_name,
		"planned": stage.planned,
		"due": stage.due,
		"reached": stage.reached,
		"slip": stage.slip,
		"moves": sum(1 for change in changes if change.days),
		"reason": next((change.reason for change in reversed(changes) if change.reason), ""),
		**baselines.compared(stage, then),
		"points": frappe.as_json([[str(day), str(due)] for day, due in points], indent=None),
	}
