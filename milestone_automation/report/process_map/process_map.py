"""Steps from value to value: how often, and how long before each. The script of the report draws the map."""

from frappe import _

from milestone_automation.desk.report_columns import column, count, days, in_days
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.base import calendars
from milestone_automation.engine.review import stays


@for_its_reader
def execute(filters=None):
	"""Return columns and rows of the report, one row for each step.

	Args:
		filters: dict or its JSON: `document_type`, `track_field`, the dates `from_date` and `to_date`, and
			`working_time` (1 to count working time).

	Raises:
		frappe.MandatoryError: the DocType or the field is missing.
		frappe.ValidationError: a filter has an invalid value.
		frappe.PermissionError: the user may read no document of the DocType, or not the field.
	"""
	return get_columns(), get_data(ReportFilters(filters))


def get_columns() -> list[dict]:
	return [
		column(_("From Value"), "from_value", width=180),
		column(_("To Value"), "value", width=180),
		count(_("Steps"), "count"),
		days(_("Mean (Days)"), "mean", 110),
		days(_("Median (Days)"), "median", 120),
		days(_("90 % Within (Days)"), "p90", 150),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	calendar = calendars.for_site() if chosen.flag("working_time") else None
	steps = sorted(stays.by_step(chosen.scope(), calendar), key=lambda step: (-step.count, step.key))
	return [
		{
			"from_value": step.key[0],
			"value": step.key[1],
			"count": step.count,
			"mean": in_days(step.mean),
			"median": in_days(step.median),
			"p90": in_days(step.p90),
		}
		for step in steps
	]
