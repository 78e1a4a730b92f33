"""Open documents by how long they have stood where they are, held against the lines of that value."""

from frappe import _
from frappe.utils import now_datetime

from milestone_automation.desk.report_columns import column, days, document_columns, in_days
from milestone_automation.desk.report_filters import ReportFilters
from milestone_automation.engine.review import aging


def execute(filters=None):
	"""Return columns and rows of the report; the picture is drawn by its script."""
	chosen = ReportFilters(filters)
	return get_columns(), get_data(chosen)


def get_columns() -> list[dict]:
	return [
		*document_columns(),
		column(_("Value"), "value", width=170),
		days(_("Age (Days)"), "age", 110),
		days(_("50 % Gone By (Days)"), "line_50", 150),
		days(_("80 % Gone By (Days)"), "line_80", 150),
		days(_("95 % Gone By (Days)"), "line_95", 150),
		column(_("Older Than"), "passed", width=120),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	scope = chosen.scope()
	return [_row(found, scope.reference_type) for found in aging.measure(scope, now_datetime())]


def _row(found: aging.Aged, reference_type: str) -> dict:
	half, most, nearly_all = (in_days(found.lines[line]) for line in aging.LINES)
	return {
		"reference_type": reference_type,
		"reference_name": found.reference_name,
		"value": found.value,
		"age": in_days(found.age),
		"line_50": half,
		"line_80": most,
		"line_95": nearly_all,
		"passed": _("{0} % of others").format(round(found.passed * 100)) if found.passed else "",
	}
