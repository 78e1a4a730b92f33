"""Frappe's call for the data of a dashboard chart, answered for our DocTypes here."""

import inspect
from typing import NoReturn

import frappe
from frappe import _
from frappe.desk.doctype.dashboard_chart import dashboard_chart

from milestone_automation.desk import core_calls, list_filters
from milestone_automation.engine.base import clock, parsing
from milestone_automation.engine.base.field_types import DAY_TYPES, NUMBER_TYPES
from milestone_automation.engine.people import rights

CHART = "Dashboard Chart"
# What is looked at of a stored chart.
STORED = ["document_type", "type", "chart_type", "timespan", "time_interval", "heatmap_year", "filters_json"]
FUNCTIONS = ("Count", "Sum", "Average")


def get_chart(arguments: dict) -> dict | None:
	"""Return the data of a dashboard chart.

	Frappe keeps what the first user got for everybody, and its heatmaps count all rows.

	Args:
		arguments: of `dashboard_chart.get`, by name.

	Raises:
		frappe.PermissionError: it shows rows that the user may not see.
		frappe.ValidationError: says what of a chart does not fit.
	"""
	call_arguments = {name: value for name, value in arguments.items() if value is not None}
	chart = _chart(call_arguments)
	if core_calls.passes_on(chart.document_type):
		return dashboard_chart.get(**call_arguments)
	if chart.type == "Heatmap" and not rights.sees_everything():
		core_calls.refuse()
	# Without its cache.
	return inspect.unwrap(dashboard_chart.get)(**_checked(chart, call_arguments))


def _chart(call_arguments: dict):
	"""Return the chart that is asked for: a stored one by its name, or one that is not stored yet."""
	if call_arguments.get("chart_name"):
		return (
			frappe.get_cached_value(CHART, call_arguments["chart_name"], STORED, as_dict=True)
			or frappe._dict()
		)
	try:
		values = parsing.as_json(call_arguments.get("chart"))
	except (ValueError, TypeError):
		values = None
	return frappe._dict(values) if values and isinstance(values, dict) else _refuse_value("chart")


def _checked(chart, call_arguments: dict) -> dict:
	"""Return the arguments for a chart over one of our DocTypes, with values that Frappe can work with."""
	doctype = chart.document_type
	filters = call_arguments.get("filters") or chart.filters_json
	checked = call_arguments | {"filters": core_calls.conditions_of(doctype, filters)}
	if not call_arguments.get("chart_name"):
		_check_options(chart)
		_check_columns(chart)
		checked["chart"] = {**chart, "filters_json": "[]"}
	for name in ("from_date", "to_date"):
		if call_arguments.get(name):
			checked[name] = str(clock.parse_day(call_arguments[name]))
	_check_period(chart, call_arguments)
	return checked


def _check_options(chart) -> None:
	for field in frappe.get_meta(CHART).get("fields", {"fieldtype": "Select"}):
		_check_option(field.fieldname, chart.get(field.fieldname))


def _check_option(fieldname: str, value) -> None:
	# Those of columns have none: the form fills them in.
	options = [one for one in (frappe.get_meta(CHART).get_options(fieldname) or "").split("\n") if one]
	if value and options and value not in options:
		frappe.throw(
			_("{0} must be one of: {1}.").format(fieldname, ", ".join(options)),
			title=_("Invalid Value"),
		)


def _check_columns(chart) -> None:
	"""Refuse columns that the user may not read, and those that cannot be counted with."""
	if chart.chart_type == "Group By":
		_check_function(chart.group_by_type)
		_column(chart, "group_by_based_on")
		_check_sum(chart, "aggregate_function_based_on")
		return
	if chart.type == "Heatmap":
		_check_function(chart.chart_type)
	if _column(chart, "based_on").fieldtype not in DAY_TYPES:
		_refuse_value("based_on")
	_check_sum(chart, "value_based_on")


def _check_function(name) -> None:
	if name not in FUNCTIONS:
		_refuse_value("chart")


def _check_sum(chart, fieldname: str) -> None:
	if chart.get(fieldname) and _column(chart, fieldname).fieldtype not in NUMBER_TYPES:
		_refuse_value(fieldname)


def _column(chart, fieldname: str):
	return list_filters.column_of(chart.document_type, chart.get(fieldname), chart.document_type)


def _check_period(chart, call_arguments: dict) -> None:
	for name in ("timespan", "time_interval"):
		_check_option(name, call_arguments.get(name))
		if (
			chart.chart_type != "Group By"
			and chart.type != "Heatmap"
			and not (call_arguments.get(name) or chart.get(name))
		):
			_refuse_value(name)
	year = call_arguments.get("heatmap_year") or chart.get("heatmap_year")
	if year:
		_check_year(year)


def _check_year(year) -> None:
	try:
		parsing.as_integer(year, clock.FIRST_YEAR, clock.LAST_YEAR)
	except (ValueError, TypeError, OverflowError):
		_refuse_value("heatmap_year")


def _refuse_value(name: str) -> NoReturn:
	frappe.throw(_("The chart has no {0} that Frappe can count by.").format(name), title=_("Invalid Value"))
