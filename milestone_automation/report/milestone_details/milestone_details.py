"""The milestones behind the numbers of other reports: how each stands against its key date, moves and answers."""

from collections import Counter

from frappe import _
from frappe.utils import get_fullname, getdate, nowdate

from milestone_automation.desk.report_columns import column, count, days, document_columns
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import details, on_time, plan_stages, week
from milestone_automation.engine.review.on_time import Result
from milestone_automation.engine.review.week import Section

# What a browser shows without effort.
MOST_ROWS = 10_000
# Of Milestone Weekly Summary.
ALL_SECTIONS = ""
SECTIONS = (ALL_SECTIONS, *(section.value for section in Section))
COLORS = {
	Result.EARLY: "#70b6f0",
	Result.ON_TIME: "#30a66d",
	Result.LATE: "#e03636",
	Result.OVERDUE: "#e86c13",
}


@for_its_reader
def execute(filters=None):
	"""Return columns, rows, a note where there are more, and the chart of the report.

	Args:
		filters: dict or its JSON, see `find`.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	all_details = find(ReportFilters(filters))
	rows = [_row(detail) for detail in all_details[:MOST_ROWS]]
	note = None
	if len(all_details) > len(rows):
		note = _("The first {0} of {1} milestones. Choose filters to see the others.").format(
			MOST_ROWS, len(all_details)
		)
	return get_columns(), rows, note, get_chart(all_details)


def get_columns() -> list[dict]:
	return [
		*document_columns(),
		column(_("Workflow"), "workflow", "Link", "Milestone Workflow", 150),
		column(_("Milestone"), "stage_name", width=160),
		column(_("Health"), "health", width=90),
		column(_("Planned"), "planned", "Date"),
		column(_("Key Date"), "due", "Date"),
		column(_("Reached On"), "reached", "Date"),
		count(_("Days Late"), "lateness"),
		column(_("Result"), "result", width=100),
		column(_("Owner"), "owner", width=160),
		column(_("Supplier"), "supplier", width=140),
		count(_("Changes"), "changes"),
		count(_("Moves"), "moves"),
		count(_("Days Moved Out"), "days_out", 140),
		count(_("Days Pulled In"), "days_in", 130),
		days(_("Days to Answer"), "answer_days", 120),
	]


def find(chosen: ReportFilters) -> list[details.Detail]:
	"""Return the milestones that the filters choose.

	Args:
		chosen: `workflow`, `reference_name`; the dates `from_date` and `to_date`; `shown` (one of `details.SHOWN`),
			`group_by` (one of `on_time.GROUPS`), `group` or `without_group`, `reason` or `without_reason`, `section`,
			and `early_days` and `late_days` that still count as on time.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	start, end = chosen.period()
	selection = details.Selection(
		shown=chosen.choice("shown", details.SHOWN, "All"),
		group_by=chosen.choice("group_by", on_time.GROUPS, "Milestone"),
		group="" if chosen.flag("without_group") else chosen.text("group"),
		reason="" if chosen.flag("without_reason") else chosen.text("reason"),
		start=start,
		end=end,
	)
	tolerance = on_time.Tolerance(chosen.days("early_days"), chosen.days("late_days"))
	today, stages = getdate(nowdate()), list(plan_stages.read(chosen.plans()))
	if section := chosen.choice("section", SECTIONS, ALL_SECTIONS):
		stages = week.stages_in(stages, Section(section), today)
	return list(details.find(stages, selection, today, tolerance))


def _row(detail: details.Detail) -> dict:
	stage, waited = detail.stage, detail.answer_days
	return {
		"reference_type": stage.reference_type,
		"reference_name": stage.reference_name,
		"workflow": stage.workflow,
		"stage_name": stage.stage_name,
		"health": stage.health,
		"planned": stage.planned,
		"due": stage.due,
		"reached": stage.reached,
		"lateness": stage.lateness,
		"result": _(detail.result.value) if detail.result else "",
		"owner": get_fullname(stage.owner) if stage.owner else _(stage.role),
		"supplier": stage.supplier,
		"changes": len(detail.changes),
		"moves": len(detail.moves),
		"days_out": detail.days_out,
		"days_in": detail.days_in,
		"answer_days": sum(waited) / len(waited) if waited else None,
	}


def get_chart(all_details: list[details.Detail]) -> dict | None:
	totals = Counter(detail.result for detail in all_details if detail.result)
	if not totals:
		return None
	shown_results = [result for result in Result if totals[result]]
	return {
		"data": {
			"labels": [_(result.value) for result in shown_results],
			"datasets": [{"name": _("Milestones"), "values": [totals[result] for result in shown_results]}],
		},
		"type": "percentage",
		"colors": [COLORS[result] for result in shown_results],
	}
