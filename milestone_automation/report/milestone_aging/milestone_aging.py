"""How long open documents have had their current value, compared with earlier documents."""

from frappe import _
from frappe.utils import now_datetime

from milestone_automation.desk.report_columns import column, days, document_columns, forecast_columns, in_days
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import aging, plan_stages


@for_its_reader
def execute(filters=None):
	"""Return columns and rows of the report; its script draws the chart.

	Args:
		filters: dict or its JSON: `document_type`, `track_field`, the dates `from_date` and `to_date` of the earlier
			stays, and `value` for the documents that have this one only.

	Raises:
		frappe.MandatoryError: the DocType or the field is missing.
		frappe.ValidationError: a filter has an invalid value.
		frappe.PermissionError: the user may read no document of the DocType, or not the field.
	"""
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
		column(_("Next Milestone"), "stage_name", width=160),
		column(_("Health"), "health", width=100),
		column(_("Key Date"), "due", "Date"),
		*forecast_columns(),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	scope = chosen.scope()
	documents = aging.measure(scope, now_datetime(), chosen.text("value"))
	return [_row(document, scope.reference_type) for document in documents]


def _row(document: aging.Aged, reference_type: str) -> dict:
	half, most, nearly_all = (in_days(document.lines.get(line)) for line in aging.LINES)
	return {
		"reference_type": reference_type,
		"reference_name": document.reference_name,
		"value": document.value,
		"age": in_days(document.age),
		"line_50": half,
		"line_80": most,
		"line_95": nearly_all,
		"passed": _("{0} % of others").format(round(document.passed * 100)) if document.passed else "",
		**_ahead(document.next),
	}


def _ahead(stage: plan_stages.NextStage | None) -> dict:
	"""Return the columns of a document's next milestone; empty without a plan."""
	if not stage:
		return {}
	return {
		"stage_name": stage.stage_name,
		"health": stage.health,
		"due": stage.due,
		"forecast": stage.forecast,
		"forecast_p80": stage.forecast_p80,
		"chance": stage.chance,
	}
