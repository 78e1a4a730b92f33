"""Reliability of suppliers: on-time rate, moved dates, days to answer, and a grade."""

from frappe import _
from frappe.utils import getdate, nowdate

from milestone_automation.desk.report_columns import column, count, days, percent
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import date_changes, on_time, plan_stages, responses, scorecard


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report.

	Args:
		filters: dict or its JSON: `workflow`, `reference_name`, the dates `from_date` and `to_date`, and `early_days`
			and `late_days` that still count as on time.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	rows = get_data(ReportFilters(filters))
	return get_columns(), rows, None, get_chart(rows)


def get_columns() -> list[dict]:
	return [
		column(_("Supplier"), "supplier", width=200),
		column(_("Grade"), "grade", width=80),
		percent(_("On Time %"), "rate", 100),
		count(_("Reached"), "reached"),
		count(_("Late"), "late"),
		count(_("Open and Overdue"), "overdue", 140),
		days(_("Mean Days Late"), "mean_days", 130),
		count(_("Moved Dates"), "moved", 110),
		count(_("Moved Out"), "moved_out", 100),
		days(_("Days to Answer"), "answer_days", 120),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	stages = list(plan_stages.read(chosen.plans()))
	tolerance = on_time.Tolerance(chosen.days("early_days"), chosen.days("late_days"))
	period = chosen.period()
	measured = on_time.measure(stages, "Supplier", getdate(nowdate()), tolerance, *period)
	changes = list(date_changes.read(stages))
	answers = responses.days(stages, *period)
	scores = scorecard.score(measured, stages, date_changes.within(changes, *period), answers)
	return [_row(score) for score in scores]


def _row(score: scorecard.Score) -> dict:
	punctuality = score.punctuality
	return {
		"supplier": score.supplier,
		"grade": score.grade,
		"rate": None if punctuality.rate is None else punctuality.rate * 100,
		"reached": punctuality.reached,
		"late": punctuality.late,
		"overdue": punctuality.overdue,
		"mean_days": punctuality.mean_days,
		"moved": score.moved,
		"moved_out": score.moved_out,
		"answer_days": score.answer_days,
	}


def get_chart(rows: list[dict]) -> dict | None:
	shown = [row for row in rows if row["rate"] is not None][:12]
	if not shown:
		return None
	return {
		"data": {
			"labels": [row["supplier"] for row in shown],
			"datasets": [{"name": _("On Time %"), "values": [round(row["rate"], 1) for row in shown]}],
		},
		"type": "bar",
		"colors": ["#30a66d"],
	}
