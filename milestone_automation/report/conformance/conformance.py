"""How plans deviate from their workflow: skipped, repeated, out of order or late milestones, with days."""

from collections import Counter

from frappe import _
from frappe.utils import getdate, nowdate

from milestone_automation.desk.report_columns import column, count, document_columns
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import conformance, plan_stages
from milestone_automation.engine.store import undoings


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report.

	Args:
		filters: dict or its JSON: `workflow` and `reference_name`.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	rows = get_data(ReportFilters(filters))
	return get_columns(), rows, None, get_chart(rows)


def get_columns() -> list[dict]:
	return [
		*document_columns(),
		column(_("Workflow"), "workflow", "Link", "Milestone Workflow", 160),
		column(_("Milestone"), "stage_name", width=180),
		column(_("Deviation"), "deviation", width=120),
		# The deviation is translated; links need to know.
		column(_("Repeated"), "is_repeated", "Check", width=0) | {"hidden": 1},
		count(_("Days"), "days"),
		count(_("Times"), "times"),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	stages = list(plan_stages.read(chosen.plans()))
	findings = conformance.check(stages, undoings.by_stage(), getdate(nowdate()))
	return [
		{
			"reference_type": finding.stage.reference_type,
			"reference_name": finding.stage.reference_name,
			"workflow": finding.stage.workflow,
			"stage_name": finding.stage.stage_name,
			"deviation": _(finding.deviation.value),
			"is_repeated": int(finding.deviation is conformance.Deviation.REPEATED),
			"days": finding.days,
			"times": finding.times,
		}
		for finding in findings
	]


def get_chart(rows: list[dict]) -> dict | None:
	totals = Counter(row["deviation"] for row in rows)
	if not totals:
		return None
	labels = sorted(totals)
	return {
		"data": {
			"labels": labels,
			"datasets": [{"name": _("Milestones"), "values": [totals[label] for label in labels]}],
		},
		"type": "bar",
		"colors": ["#e86c13"],
	}
