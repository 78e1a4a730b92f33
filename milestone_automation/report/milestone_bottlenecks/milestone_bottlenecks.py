"""How long documents stay in each value of a tracked field, or plans take for each milestone of a workflow.

Optionally compared with another period.
"""

from dataclasses import replace
from datetime import date

from frappe import _
from frappe.utils import now_datetime

from milestone_automation.desk.report_columns import column, count, days, in_days, percent
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.base import calendars
from milestone_automation.engine.review import bottlenecks, plan_stages, stage_stays

SHOWN_IN_CHART = 12
# What is compared with a second period, and of what the change is shown.
COMPARED = ("count", "mean", "median", "p90", "share", "rework")
CHANGES = ("mean", "median", "p90")


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report.

	Args:
		filters: dict or its JSON: `workflow`, or `document_type` and `track_field`; `working_time` (1 or 0); the dates
			`from_date` and `to_date`, and `compare_from` and `compare_to` of a period to compare with.

	Raises:
		frappe.MandatoryError: there is neither a workflow nor a tracked field.
		frappe.ValidationError: a filter has an invalid value.
		frappe.PermissionError: the user may read no document of the DocType, or not the field.
	"""
	chosen = ReportFilters(filters)
	rows = get_data(chosen)
	return get_columns(chosen), rows, None, get_chart(rows, chosen)


def get_columns(chosen: ReportFilters) -> list[dict]:
	columns = [
		column(_("Milestone") if chosen.text("workflow") else _("Value"), "value", width=170),
		count(_("Stays"), "count"),
		days(_("Mean (Days)"), "mean"),
		days(_("Median (Days)"), "median", 110),
		days(_("90 % Within (Days)"), "p90", 140),
		percent(_("Share of Time"), "share", 120),
		count(_("Open Now"), "open_now"),
		days(_("Oldest (Days)"), "oldest", 110),
		days(_("Mean Age (Days)"), "mean_age", 130),
		count(_("Rework"), "rework"),
	]
	if has_second_period(chosen):
		columns += [
			count(_("Stays Before"), "count_before", 110),
			days(_("Mean Before (Days)"), "mean_before", 140),
			days(_("Mean Change (Days)"), "mean_change", 140),
			days(_("Median Before (Days)"), "median_before", 150),
			days(_("Median Change (Days)"), "median_change", 150),
			days(_("90 % Within Before (Days)"), "p90_before", 180),
			days(_("90 % Within Change (Days)"), "p90_change", 180),
			percent(_("Share of Time Before"), "share_before", 150),
			count(_("Rework Before"), "rework_before", 120),
		]
	return columns


def has_second_period(chosen: ReportFilters) -> bool:
	"""Return whether another period is chosen for comparison.

	Args:
		chosen: filters of the report.

	Raises:
		frappe.ValidationError: one of its dates cannot be read.
	"""
	return bool(chosen.day("compare_from") or chosen.day("compare_to"))


def get_data(chosen: ReportFilters) -> list[dict]:
	rows = [_row(bottleneck) for bottleneck in _measure(chosen, *chosen.period())]
	if has_second_period(chosen):
		before = _measure(chosen, *chosen.period("compare_from", "compare_to"))
		return _compared(rows, [_row(bottleneck) for bottleneck in before])
	return rows


def _measure(chosen: ReportFilters, start: date | None, end: date | None) -> list[bottlenecks.Bottleneck]:
	calendar = calendars.for_site() if chosen.flag("working_time") else None
	now = now_datetime()
	if chosen.text("workflow"):
		plans = chosen.plans()
		return stage_stays.measure(plan_stages.read(plans), plans, now, calendar, start, end)
	return bottlenecks.measure(replace(chosen.scope(), start=start, end=end), now, calendar)


def _row(bottleneck: bottlenecks.Bottleneck) -> dict:
	finished = bottleneck.stays
	return {
		"value": bottleneck.value,
		"count": finished.count if finished else 0,
		"mean": in_days(finished.mean) if finished else None,
		"median": in_days(finished.median) if finished else None,
		"p90": in_days(finished.p90) if finished else None,
		"share": bottleneck.share * 100,
		"open_now": bottleneck.open_now,
		"oldest": in_days(bottleneck.oldest),
		"mean_age": in_days(bottleneck.mean_age),
		"rework": bottleneck.rework,
	}


def _compared(rows: list[dict], before: list[dict]) -> list[dict]:
	"""Return the rows with the numbers of the second period, and after them the values that only that one has."""
	known = {row["value"] for row in rows}
	nothing = dict.fromkeys(COMPARED) | {"count": 0, "share": 0.0, "rework": 0}
	rows = rows + [row | nothing for row in before if row["value"] not in known]
	earlier = {row["value"]: row for row in before}
	return [row | _comparison(row, earlier.get(row["value"], nothing)) for row in rows]


def _comparison(row: dict, before: dict) -> dict:
	compared = {f"{name}_before": before[name] for name in COMPARED}
	for name in CHANGES:
		if row[name] is not None and before[name] is not None:
			compared[f"{name}_change"] = row[name] - before[name]
	return compared


def get_chart(rows: list[dict], chosen: ReportFilters) -> dict | None:
	shown = [row for row in rows if row["count"]][:SHOWN_IN_CHART]
	if not shown:
		return None
	datasets = [
		{"name": _("Median (Days)"), "values": [round(row["median"], 2) for row in shown]},
		{"name": _("90 % Within (Days)"), "values": [round(row["p90"], 2) for row in shown]},
	]
	return {
		"data": {"labels": [row["value"] for row in shown], "datasets": datasets},
		"type": "bar",
		"colors": ["#70b6f0", "#e86c13"],
	}
