"""How long documents stay in each value of a tracked field, optionally compared with another period."""

from frappe import _
from frappe.utils import now_datetime

from milestone_automation.desk.report_columns import column, count, days, in_days, percent
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.base import calendars
from milestone_automation.engine.review import bottlenecks
from milestone_automation.engine.review.scope import Scope

SHOWN_IN_CHART = 12


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report."""
	chosen = ReportFilters(filters)
	rows = get_data(chosen)
	return get_columns(chosen), rows, None, get_chart(rows, chosen)


def get_columns(chosen: ReportFilters) -> list[dict]:
	columns = [
		column(_("Value"), "value", width=170),
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
			days(_("Median Before (Days)"), "median_before", 150),
			days(_("Median Change (Days)"), "median_change", 150),
		]
	return columns


def has_second_period(chosen: ReportFilters) -> bool:
	"""Return whether another period is chosen for comparison."""
	return bool(chosen.day("compare_from") or chosen.day("compare_to"))


def get_data(chosen: ReportFilters) -> list[dict]:
	scope = chosen.scope()
	calendar = calendars.for_site() if chosen.flag("working_time") else None
	now = now_datetime()
	rows = [_row(bottleneck) for bottleneck in bottlenecks.measure(scope, now, calendar)]
	if has_second_period(chosen):
		second = Scope(
			scope.reference_type,
			scope.track_field,
			scope.condition,
			chosen.day("compare_from"),
			chosen.day("compare_to"),
		)
		_add_comparison(rows, bottlenecks.measure(second, now, calendar))
	return rows


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


def _add_comparison(rows: list[dict], before: list[bottlenecks.Bottleneck]) -> None:
	earlier = {bottleneck.value: bottleneck.stays for bottleneck in before}
	for row in rows:
		finished = earlier.get(row["value"])
		row["count_before"] = finished.count if finished else 0
		row["median_before"] = in_days(finished.median) if finished else None
		if finished and row["median"] is not None:
			row["median_change"] = row["median"] - row["median_before"]


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
