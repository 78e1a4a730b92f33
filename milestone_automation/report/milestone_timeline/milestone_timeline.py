"""Planned, current and actual dates of milestones on a time axis, one row for each document."""

from datetime import date
from itertools import groupby

import frappe
from frappe import _

from milestone_automation.desk.report_columns import column, count, document_columns, forecast_columns
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import baselines, date_changes, plan_stages
from milestone_automation.engine.rules import health

# What a browser shows without effort.
MOST_ROWS = 10_000
# So many does its script draw (reports/timeline.js); only these come with all their dates.
MOST_DRAWN = 150


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and a note where there are more; the report's script draws the chart from `stages`.

	Args:
		filters: dict or its JSON: `workflow`, `reference_name`, `running_only` (1 for active plans), and `baseline`,
			the name of a Milestone Baseline.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
		frappe.DoesNotExistError: there is no such baseline for the user.
	"""
	chosen = ReportFilters(filters)
	baseline = chosen.baseline()
	all_rows = get_data(chosen, baseline)
	rows = sorted(all_rows, key=_urgency)[:MOST_ROWS]
	note = None
	if len(all_rows) > len(rows):
		note = _("The {0} of {1} documents that are due first. Choose filters to see the others.").format(
			MOST_ROWS, len(all_rows)
		)
	for place, row in enumerate(rows):
		row["stages"] = frappe.as_json(row["stages"], indent=None) if place < MOST_DRAWN else None
	return get_columns(baseline), rows, note


def _urgency(row: dict) -> tuple:
	"""Return what a row is sorted by: what is late or due next comes first, what is done last."""
	return not row["stage_name"], row["due"] or date.max, row["reference_name"]


def get_columns(baseline: baselines.Baseline | None = None) -> list[dict]:
	compared = [
		column(_("Baseline End"), "baseline_end", "Date"),
		count(_("Against Baseline (Days)"), "since_baseline", 170),
	]
	return [
		*document_columns(),
		column(_("Health"), "health", width=90),
		column(_("Current Milestone"), "stage_name", width=170),
		column(_("Planned"), "planned", "Date"),
		column(_("Key Date"), "due", "Date"),
		*forecast_columns(),
		column(_("Last Reached On"), "reached", "Date", width=130),
		count(_("Slip (Days)"), "slip", 110),
		column(_("Planned End"), "planned_end", "Date"),
		column(_("Current End"), "current_end", "Date"),
		column(_("Forecast End"), "forecast_end", "Date"),
		*(compared if baseline else ()),
		column(_("Stages"), "stages", width=0) | {"hidden": 1},
	]


def get_data(chosen: ReportFilters, baseline: baselines.Baseline | None = None) -> list[dict]:
	read = plan_stages.read(chosen.plans(running_only=chosen.flag("running_only")))
	if not baseline:
		return [_row(list(stages)) for _plan, stages in groupby(read, key=lambda row: row.plan)]
	rows = list(read)
	moves: dict[str, list] = {row.name: [] for row in rows}
	for change in date_changes.read(rows):
		moves[change.stage].append(change)
	plans = [list(stages) for _plan, stages in groupby(rows, key=lambda row: row.plan)]
	then = baselines.dates_then(rows, moves, baseline)
	return [_row(stages) | _against(stages, then) for stages in plans]


def _against(stages: list[plan_stages.StageRow], dates_then: dict[str, date | None]) -> dict:
	"""Return the last date of a plan at the baseline, and the days from it to the last one now."""
	then = max((day for stage in stages if (day := dates_then[stage.name])), default=None)
	now = max((stage.reached or stage.due for stage in stages if stage.reached or stage.due), default=None)
	return {"baseline_end": then, "since_baseline": (now - then).days if now and then else None}


def _row(stages: list[plan_stages.StageRow]) -> dict:
	# What is skipped comes last: nobody waits for it.
	open_stages = sorted((row for row in stages if not row.is_reached), key=lambda row: row.is_skipped)
	current = open_stages[0] if open_stages else stages[-1]
	return {
		"reference_type": current.reference_type,
		"reference_name": current.reference_name,
		"health": health.plan_health([stage.health or "On Track" for stage in stages]).value,
		"stage_name": current.stage_name if open_stages else "",
		"planned": current.planned,
		"due": current.due,
		"forecast": current.forecast,
		"forecast_p80": current.forecast_p80,
		"chance": current.chance,
		"forecast_end": max((stage.forecast for stage in open_stages if stage.forecast), default=None),
		"reached": max((stage.reached for stage in stages if stage.reached), default=None),
		"stages": [_dot(stage) for stage in stages],
		**_ends(stages),
	}


def _ends(stages: list[plan_stages.StageRow]) -> dict:
	"""Return slip, planned end and current end of the stages that have both dates."""
	dated = [stage for stage in stages if stage.planned and stage.due]
	return {
		"slip": max((stage.slip for stage in dated), default=None),
		"planned_end": max((stage.planned for stage in dated), default=None),
		"current_end": max((stage.reached or stage.due for stage in dated), default=None),
	}


def _dot(stage: plan_stages.StageRow) -> dict:
	return {
		"name": stage.stage_name,
		"health": stage.health,
		"planned": stage.planned and str(stage.planned),
		"due": stage.due and str(stage.due),
		"reached": stage.reached and str(stage.reached),
		"forecast": stage.forecast and str(stage.forecast),
		"forecast_p80": stage.forecast_p80 and str(stage.forecast_p80),
		"chance": stage.chance,
	}
