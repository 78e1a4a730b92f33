"""The stays behind the numbers of Milestone Bottlenecks and Process Map: which document had a value, from when to when."""

from frappe import _
from frappe.utils import get_fullname, now_datetime

from milestone_automation.desk.report_columns import column, days, document_columns, in_days
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.base import calendars
from milestone_automation.engine.review import plan_stages, stage_stays, standing, stays
from milestone_automation.engine.review.scope import Scope

# What a browser shows without effort.
MOST_ROWS = 10_000
SHOWN_IN_CHART = 20


@for_its_reader
def execute(filters=None):
	"""Return columns, rows, a note where there are more, and the chart of the report.

	Args:
		filters: dict or its JSON: `workflow`, or `document_type` and `track_field`; the dates `from_date` and `to_date`;
			`value` (a milestone's name with a workflow), `next_value`, and as 1 or 0 `next_is_empty`, `returns_only`,
			`open_only` and `working_time`.

	Raises:
		frappe.MandatoryError: there is neither a workflow nor a tracked field.
		frappe.ValidationError: a filter has an invalid value.
		frappe.PermissionError: the user may read no document of the DocType, or not the field.
	"""
	chosen = ReportFilters(filters)
	if chosen.text("workflow"):
		return _undone(chosen) if chosen.flag("returns_only") else _of_workflow(chosen)
	scope = chosen.scope()
	if chosen.flag("returns_only"):
		stay_rows = _returns(scope, chosen.text("value") or "")
		total = len(stay_rows)
	else:
		stay_rows, total = _longest(scope, chosen)
	return _shown([_row(stay, scope.reference_type) for stay in stay_rows[:MOST_ROWS]], total)


def _of_workflow(chosen: ReportFilters) -> tuple:
	"""Return columns, rows, note and chart of the times for the milestones of a workflow."""
	calendar, now = calendars.for_site() if chosen.flag("working_time") else None, now_datetime()
	name, period, is_open = chosen.text("value"), chosen.period(), chosen.flag("open_only")
	timed_stays = [
		(stay.seconds(now, calendar), stay)
		for stay in stage_stays.find(plan_stages.read(chosen.plans()))
		if name in (None, stay.stage.stage_name)
		and (stay.until is None if is_open else stay.ended_in(*period))
	]
	timed_stays.sort(key=lambda pair: (-pair[0], pair[1].stage.name))
	return _shown(
		[_row_of_stage(seconds, stay) for seconds, stay in timed_stays[:MOST_ROWS]], len(timed_stays)
	)


def _undone(chosen: ReportFilters) -> tuple:
	"""Return columns, rows, note and chart of how often the milestones of a workflow were undone."""
	name, plans = chosen.text("value"), chosen.plans()
	rows = [row for row in plan_stages.read(plans) if name in (None, row.stage_name)]
	undoings = stage_stays.undoings(rows, plans, *chosen.period())
	return _shown([_row_of_undoing(undoing) for undoing in undoings[:MOST_ROWS]], len(undoings))


def _row_of_undoing(undoing: stage_stays.Undoing) -> dict:
	stage = undoing.stage
	return {
		"reference_type": stage.reference_type,
		"reference_name": stage.reference_name,
		"value": stage.stage_name,
		"since": undoing.done_on,
		"days": None,
		"user": get_fullname(undoing.done_by) if undoing.done_by else "",
	}


def _row_of_stage(seconds: int, stay: stage_stays.StageStay) -> dict:
	stage = stay.stage
	return {
		"reference_type": stage.reference_type,
		"reference_name": stage.reference_name,
		"value": stage.stage_name,
		"since": stay.since,
		"until": stay.until,
		"days": in_days(seconds),
		"user": get_fullname(stage.reached_by) if stage.reached_by else "",
	}


def _shown(rows: list[dict], total: int) -> tuple:
	note = _("The longest {0} of {1} stays.").format(MOST_ROWS, total) if total > len(rows) else None
	return get_columns(), rows, note, get_chart(rows)


def get_columns() -> list[dict]:
	return [
		*document_columns(),
		column(_("Value"), "value", width=170),
		column(_("Next Value"), "next_value", width=170),
		column(_("Since"), "since", "Datetime", width=170),
		column(_("Until"), "until", "Datetime", width=170),
		days(_("Days"), "days"),
		column(_("User"), "user", width=180),
	]


def _longest(scope: Scope, chosen: ReportFilters) -> tuple[list[stays.Stay], int]:
	calendar = calendars.for_site() if chosen.flag("working_time") else None
	next_value = "" if chosen.flag("next_is_empty") else chosen.text("next_value")
	between = (chosen.text("value"), next_value)
	return stays.longest(scope, MOST_ROWS, *between, calendar), stays.count(scope, *between)


def _returns(scope: Scope, value: str) -> list[stays.Stay]:
	return [
		stays.Stay(name, value, None, reached_on, None, None, user)
		for name, reached_on, user in standing.returns(scope, value)
	]


def _row(stay: stays.Stay, reference_type: str) -> dict:
	return {
		"reference_type": reference_type,
		"reference_name": stay.reference_name,
		"value": stay.value,
		"next_value": stay.next_value,
		"since": stay.since,
		"until": stay.until,
		"days": in_days(stay.seconds),
		"user": get_fullname(stay.user) if stay.user else "",
	}


def get_chart(rows: list[dict]) -> dict | None:
	shown = [row for row in rows if row["days"] is not None][:SHOWN_IN_CHART]
	if not shown:
		return None
	return {
		"data": {
			"labels": [row["reference_name"] for row in shown],
			"datasets": [{"name": _("Days"), "values": [round(row["days"], 2) for row in shown]}],
		},
		"type": "bar",
		"colors": ["#e86c13"],
	}
