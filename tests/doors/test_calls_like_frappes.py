"""Calls that stand in for Frappe's parse what is asked of our DocTypes, and serve no other one under our name."""

import json

import frappe
import pytest

from milestone_automation.engine.base import compat
from tests.support.guarded import ADMIN, CLERK, ORDER, make_order, make_workflow, stage

pytestmark = pytest.mark.one_database

TASK = "Milestone Task"
CHART = {
	"name": "Counted",
	"document_type": TASK,
	"chart_type": "Count",
	"type": "Line",
	"based_on": "creation",
	"timespan": "Last Year",
	"time_interval": "Monthly",
	"filters_json": "[]",
}
FRAPPES = {
	"get_count": "frappe.client.get_count",
	"get_group_by_count": "frappe.desk.listview.get_group_by_count",
	"get_linked_with": "frappe.desk.form.linked_with.get",
	"get_data_for_custom_field": "frappe.desk.query_report.get_data_for_custom_field",
	"get_tagged_docs": "frappe.desk.doctype.tag.tag.get_tagged_docs",
	"get_workflow_state_count": "frappe.workflow.doctype.workflow.workflow.get_workflow_state_count",
	"get_chart": "frappe.desk.doctype.dashboard_chart.dashboard_chart.get",
}
ABOUT = {
	"get_count": {},
	"get_group_by_count": {"current_filters": "[]", "field": "owner"},
	"get_data_for_custom_field": {"field": "owner"},
	"get_tagged_docs": {"tag": "x"},
	"get_workflow_state_count": {"workflow_state_field": "owner", "states": "[]"},
}


@pytest.fixture(scope="module")
def counted(served):
	"""A committed task of an order that the clerk may read."""
	with served.connect():
		make_workflow(
			"Counted",
			stages=[stage("Cut")],
			tasks=[{"stage": "Cut", "title": "Count cloth"}],
			condition="doc.title == 'Counted'",
		)
		make_order(title="Counted")
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	return served


def ask_frappe(served, user: str, name: str, **arguments):
	return served.client(user).post(f"/api/method/{FRAPPES[name]}", json=arguments)


@pytest.mark.parametrize("name", ABOUT)
def test_other_doctypes_are_frappes_to_answer(counted, name):
	own = counted.call(ADMIN, name, doctype="ToDo", **ABOUT[name])
	assert own.status_code == 403
	assert "You may not see this." in own.text
	assert ask_frappe(counted, ADMIN, name, doctype="ToDo", **ABOUT[name]).status_code == 200


def test_charts_of_other_doctypes_are_frappes_to_draw(counted):
	chart = json.dumps(CHART | {"document_type": "ToDo"})
	assert counted.call(ADMIN, "get_chart", chart=chart).status_code == 403
	assert ask_frappe(counted, ADMIN, "get_chart", chart=chart, no_cache=1).status_code == 200


@pytest.mark.parametrize(
	("name", "arguments", "message"),
	[
		("get_count", {"filters": "[[1]]"}, "filters must be a JSON list of filters"),
		(
			"get_count",
			{"filters": [["no_field", "=", 1]]},
			"Milestone Task has no field no_field to filter by.",
		),
		("get_count", {"filters": [["doctype", "=", "x"]]}, "has no field doctype to filter by."),
		("get_count", {"filters": {"due_date": "soon"}}, "The filter on due_date compares it with a value"),
		(
			"get_count",
			{"filters": {"due_date": [">", None]}},
			"The filter on due_date compares it with a value",
		),
		("get_count", {"filters": "[["}, "filters must be a JSON list of filters"),
		("get_count", {"doctype": ["x"]}, "doctype must be a name"),
		("search_links", {"filters": "[[1]]"}, "filters must be a JSON list of filters"),
		("search_links", {"page_length": "many"}, "page_length must be a whole number from 0 to 25000."),
		("get_group_by_count", {"current_filters": "[[1]]", "field": "status"}, "current_filters must be"),
		(
			"get_group_by_count",
			{"current_filters": "[]", "field": "sum(1)"},
			"has no field sum(1) to filter by.",
		),
		("get_data_for_custom_field", {"field": "name from"}, "has no field name from to filter by."),
		("get_data_for_custom_field", {"field": "title", "names": "{"}, "names must be a JSON list"),
		("get_workflow_state_count", {"workflow_state_field": "1", "states": "[]"}, "has no field 1"),
		(
			"get_workflow_state_count",
			{"workflow_state_field": "status", "states": "x"},
			"states must be a JSON",
		),
	],
)
def test_what_does_not_fit_is_refused_with_what_is_expected(counted, name, arguments, message):
	answer = counted.call(ADMIN, name, **({"doctype": TASK} | arguments))
	assert answer.status_code == 417, answer.text
	assert message in answer.json()["_server_messages"]


@pytest.mark.parametrize(
	"change",
	[
		{"based_on": "title"},
		{"based_on": "creation) --"},
		{"based_on": None},
		{"value_based_on": "title"},
		{"value_based_on": "1) from"},
		{"timespan": "For ever"},
		{"timespan": None},
		{"time_interval": None},
		{"time_interval": "Often"},
		{"chart_type": "Guess"},
		{"chart_type": "Group By", "group_by_type": "Count", "group_by_based_on": "x"},
		{"chart_type": "Group By", "group_by_type": None, "group_by_based_on": "status"},
		{"type": "Heatmap", "chart_type": None},
		{"type": "Heatmap", "heatmap_year": "soon"},
		{"filters_json": "[[1]]"},
	],
	ids=str,
)
def test_a_chart_that_cannot_be_drawn_is_refused(counted, change):
	answer = counted.call(ADMIN, "get_chart", chart=json.dumps(CHART | change))
	assert answer.status_code == 417, answer.text


def test_what_fits_is_counted_and_drawn(counted):
	title = [["title", "=", "Count cloth"]]
	for user in (ADMIN, CLERK):
		assert ask_frappe(counted, user, "get_count", doctype=TASK, filters=title).json()["message"] == 1
	other = ask_frappe(counted, ADMIN, "get_count", doctype=TASK, filters=[["title", "=", "Nothing"]])
	assert not other.json()["message"]
	found = counted.call(CLERK, "search_links", doctype=TASK, txt="Count clo", filters={"status": "Open"})
	assert len(found.json()["message"]) == 1
	for chart in (
		CHART,
		CHART | {"chart_type": "Group By", "group_by_type": "Count", "group_by_based_on": "title"},
	):
		drawn = ask_frappe(counted, ADMIN, "get_chart", chart=json.dumps(chart), filters=json.dumps(title))
		assert sum(drawn.json()["message"]["datasets"][0]["values"]) == 1
	states = {"doctype": TASK, "workflow_state_field": "status", "states": '["Closed"]'}
	assert ask_frappe(counted, ADMIN, "get_workflow_state_count", **states).status_code == 200
	assert ask_frappe(counted, CLERK, "get_linked_with", doctype=ORDER, docname="none").status_code < 500


@pytest.mark.parametrize("shape", [lambda rows: rows, lambda rows: {"docs": rows, "hidden_count": 3}])
def test_links_hold_the_rows_one_may_read_and_count_no_others(shape):
	"""Frappe 17 answers with the rows and how many it hides, earlier versions with the rows."""
	shown, hidden = {"name": "Shown"}, {"name": "Hidden"}
	links = compat.only_linked_rows(shape([shown, hidden]), {"Shown"})
	assert compat.linked_rows(links) == [shown]
	assert "3" not in str(links)
	assert not compat.only_linked_rows(shape([hidden]), {"Shown"})
