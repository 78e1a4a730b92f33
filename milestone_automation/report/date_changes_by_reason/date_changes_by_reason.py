"""Why key dates moved: how often each reason was given, and the days moved."""

from frappe import _

from milestone_automation.desk.report_columns import column, count
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import date_changes, plan_stages

SHOWN_IN_CHART = 10


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report.

	Args:
		filters: dict or its JSON: `workflow`, `reference_name`, and the dates `from_date` and `to_date` between which
			key dates were changed.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	rows = get_data(ReportFilters(filters))
	return get_columns(), rows, None, get_chart(rows)


def get_columns() -> list[dict]:
	return [
		column(_("Reason"), "reason", width=320),
		column(_("No Reason Given"), "without_reason", "Check", width=0) | {"hidden": 1},
		count(_("Changes"), "count"),
		count(_("Documents"), "documents", 110),
		count(_("Days Moved Out"), "days_out", 140),
		count(_("Days Pulled In"), "days_in", 130),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	stages = list(plan_stages.read(chosen.plans()))
	changes = date_changes.within(date_changes.read(stages), *chosen.period())
	documents = {stage.name: (stage.reference_type, stage.reference_name) for stage in stages}
	return [
		{
			"reason": total.reason or _("No Reason Given"),
			"without_reason": int(not total.reason),
			"count": total.count,
			"documents": total.documents,
			"days_out": total.days_out,
			"days_in": total.days_in,
		}
		for total in date_changes.by_reason(changes, documents)
	]


def get_chart(rows: list[dict]) -> dict | None:
	shown = rows[:SHOWN_IN_CHART]
	if not shown:
		return None
	return {
		"data": {
			"labels": [row["reason"] for row in shown],
			"datasets": [
				{"name": _("Days Moved Out"), "values": [row["days_out"] for row in shown]},
				{"name": _("Days Pulled In"), "values": [row["days_in"] for row in shown]},
			],
		},
		"type": "bar",
		"colors": ["#e03636", "#30a66d"],
	}
