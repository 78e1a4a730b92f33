"""Rows of child tables are as closed as the document they belong to, on every way by which Frappe reads rows."""

import json

import frappe
import pytest

from tests.doors.conftest import (
	ADMIN,
	BLIND_MANAGER,
	BLIND_OWNER,
	HELPER,
	HIDDEN,
	MANAGER,
	ORDER,
	OTHER,
	OWN,
	OWNER,
	READER,
	STRANGER,
	SUPPLIER,
	WEBSITE,
	looked_up,
)

MODULE = "Milestone Automation"
# Each child table of a document that not everybody may read, with its parent and a text in it.
TABLES = {
	"Milestone Plan Stage": ("Milestone Plan", "stage_name"),
	"Milestone Task Assignee": ("Milestone Task", "full_name"),
}
# Workflows belong to managers, so their rows do too.
WORKFLOW_TABLES = {
	"Milestone Workflow Stage": ("Milestone Workflow", "stage_name"),
	"Milestone Workflow Task": ("Milestone Workflow", "title"),
	"Milestone Tracker Field": ("Milestone Tracker", "track_field"),
	"Milestone Date Reason": ("Milestone Settings", "reason"),
}
PARENTS = (
	"Milestone Plan",
	"Milestone Task",
	"Milestone Plan Log",
	"Milestone Next Step",
	"Milestone Date Change",
	"Milestone Message",
)
LOW = (WEBSITE, SUPPLIER, HELPER, BLIND_OWNER, STRANGER, BLIND_MANAGER)
LIMITED = (*LOW, OWNER, READER, MANAGER)
# Of the rows of OTHER, in the words of the site, and of the people who stand on them.
SECRETS = (HIDDEN, "canary@", "nobody@")


def tables():
	return [(child, *rest) for child, rest in (TABLES | WORKFLOW_TABLES).items()]


# Ways to read: each returns the requests of one kind for a child table, as (address, arguments)


def by_lists(child, parent, column, world):
	everything = {"doctype": child, "parent": parent, "fields": ["*"], "limit_page_length": 0}
	yield "frappe.client.get_list", everything
	yield (
		"frappe.client.get_list",
		everything | {"fields": ["name", column, "parent"], "order_by": f"{column} desc"},
	)
	yield "frappe.client.get_list", everything | {"or_filters": [[child, column, "like", "%a%"]]}
	yield "frappe.client.get_list", everything | {"fields": [column], "group_by": column}
	yield "frappe.client.get_list", {"doctype": parent, "fields": ["name", f"`tab{child}`.`{column}`"]}
	yield "frappe.client.get_list", {"doctype": child, "fields": ["*"]}
	columns = [f"`tab{child}`.`name`", f"`tab{child}`.`{column}`", f"`tab{child}`.`parent`"]
	report = {"fields": json.dumps(columns), "page_length": 500, "start": 0, "view": "Report"}
	yield (
		"frappe.desk.reportview.get",
		report | {"doctype": child, "parent_doctype": parent, "parent": parent},
	)
	yield "frappe.desk.reportview.get", report | {"doctype": parent}
	yield "frappe.desk.reportview.get_list", report | {"doctype": child, "parent_doctype": parent}
	export = {"file_format_type": "CSV", "title": "x", "fields": json.dumps(columns)}
	yield "frappe.desk.reportview.export_query", export | {"doctype": child, "parent_doctype": parent}
	yield "frappe.desk.reportview.export_query", export | {"doctype": parent}


def by_single_rows(child, parent, column, world):
	name = (world.stages if child == "Milestone Plan Stage" else world.assignees)[OTHER][0]
	yield "frappe.client.get", {"doctype": child, "name": name, "parent": parent}
	yield "frappe.client.get", {"doctype": child, "filters": {"name": name}, "parent": parent}
	for filters in ({"name": name}, name, {column: ["like", "%"]}, {"parenttype": parent}):
		value = {"doctype": child, "fieldname": [column, "parent"], "filters": filters, "parent": parent}
		yield "frappe.client.get_value", value
	yield looked_up(child, name, [column])
	yield "frappe.desk.form.load.getdoc", {"doctype": child, "name": name}
	yield "frappe.desk.form.linked_with.get", {"doctype": child, "docname": name}
	yield "frappe.desk.search.get_link_title", {"doctype": child, "docname": name}
	for print_call in ("frappe.www.printview.get_html_and_style", "frappe.utils.print_format.download_pdf"):
		yield print_call, {"doc": child, "doctype": child, "name": name}


def by_counts(child, parent, column, world):
	"""Answers are numbers and values, not rows: what has one is a hit in itself."""
	hidden = [[child, column, "like", f"%{HIDDEN}%"]]
	yield "frappe.client.get_count", {"doctype": child, "filters": hidden, "parent": parent}
	yield (
		"frappe.desk.reportview.get_count",
		{"doctype": child, "filters": json.dumps(hidden), "fields": "[]"},
	)
	count = {"doctype": parent, "filters": json.dumps(hidden), "fields": "[]", "distinct": "true"}
	yield "frappe.desk.reportview.get_count", count
	for field in (column, "parent", "owner"):
		group = {"doctype": child, "current_filters": json.dumps(hidden), "field": field}
		yield "frappe.desk.listview.get_group_by_count", group
	assigned = {"doctype": parent, "current_filters": json.dumps(hidden), "field": "assigned_to"}
	yield "frappe.desk.listview.get_group_by_count", assigned
	stats = {"stats": json.dumps([column, "parent"]), "doctype": child, "filters": json.dumps(hidden)}
	yield "frappe.desk.reportview.get_stats", stats
	yield "frappe.desk.reportview.get_sidebar_stats", stats
	field = {"doctype": child, "field": column}
	yield "frappe.desk.query_report.get_data_for_custom_field", field
	tags = json.dumps([{"name": column, "type": "Data"}])
	yield (
		"frappe.desk.reportview.get_filter_dashboard_data",
		{"stats": tags, "doctype": child, "filters": "[]"},
	)
	card = {"document_type": child, "parent_document_type": parent, "function": "Count", "filters_json": "[]"}
	card |= {"doctype": "Number Card", "name": "x", "type": "Document Type"}
	number = {"doc": json.dumps(card), "filters": json.dumps([*hidden, [child, "idx", ">", 0]])}
	yield "frappe.desk.doctype.number_card.number_card.get_result", number


def by_searches(child, parent, column, world):
	search = {"txt": "", "page_length": 500, "ignore_user_permissions": 1, "searchfield": column}
	for doctype, reference in ((child, parent), (parent, child), (parent, parent), (child, "")):
		yield "frappe.desk.search.search_link", search | {"doctype": doctype, "reference_doctype": reference}
		widget = search | {"doctype": doctype, "reference_doctype": reference, "as_dict": 1}
		yield "frappe.desk.search.search_widget", widget | {"filter_fields": json.dumps(["name"])}
	hidden = json.dumps([[child, column, "like", f"%{HIDDEN}%"]])
	yield "frappe.desk.search.search_link", search | {"doctype": parent, "filters": hidden}


def hits(answer, user) -> list[str]:
	"""Return what an answer tells of OTHER."""
	text = answer.text.replace(user, "")
	return [secret for secret in SECRETS if secret.lower() in text.lower()]


def ask(world, user, method, arguments):
	return world.client(user).post(f"/api/method/{method}", json=arguments)


@pytest.mark.parametrize("way", [by_lists, by_single_rows, by_searches])
@pytest.mark.parametrize("user", LIMITED)
def test_no_way_to_read_rows_shows_those_of_a_document_one_may_not_read(world, user, way):
	"""Seen: `frappe.client.get_list` gave a supplier all milestones, and the addresses of other suppliers."""
	told = []
	for child, (parent, column) in TABLES.items():
		for method, arguments in way(child, parent, column, world):
			answer = ask(world, user, method, arguments)
			# Managers see all workflows, and the words of their milestones with them.
			if hits(answer, user):
				told.append((method, arguments, answer.text[:300]))
	assert not told


@pytest.mark.parametrize("user", LIMITED)
def test_no_count_group_or_search_tells_of_rows_one_may_not_read(world, user):
	told = []
	for child, (parent, column) in TABLES.items():
		for method, arguments in by_counts(child, parent, column, world):
			answer = ask(world, user, method, arguments)
			found = answer.json().get("message") if answer.ok else None
			if _counts_something(found) or hits(answer, user):
				told.append((method, arguments, answer.text[:300]))
	assert not told


def _counts_something(found) -> bool:
	if isinstance(found, dict):
		return any(_counts_something(value) for value in found.values())
	if isinstance(found, list):
		return any(_counts_something(value) for value in found)
	return isinstance(found, (int, float)) and found > 0


@pytest.mark.parametrize("user", [WEBSITE, SUPPLIER, HELPER, OWNER, BLIND_OWNER, READER, STRANGER])
def test_rows_of_workflows_trackers_and_settings_are_for_those_who_may_read_these(world, user):
	for child, (parent, column) in WORKFLOW_TABLES.items():
		for method, arguments in by_lists(child, parent, column, world):
			answer = ask(world, user, method, arguments)
			assert not hits(answer, user), (method, arguments, answer.text[:300])
			assert "Shown" not in answer.text, (method, arguments, answer.text[:300])


def test_a_shared_workflow_opens_its_own_rows_and_no_others(world):
	"""Whom one workflow was shared with passes Frappe's check of the DocType."""
	with world.changing():
		frappe.share.add("Milestone Workflow", "Shown Workflow", STRANGER, read=1)
	try:
		asked = {
			"doctype": "Milestone Workflow Stage",
			"parent": "Milestone Workflow",
			"fields": ["name", "stage_name"],
		}
		answer = ask(world, STRANGER, "frappe.client.get_list", asked)
		assert HIDDEN not in answer.text
		if answer.ok:
			with world.changing():
				shown = frappe.get_all(
					"Milestone Workflow Stage", {"parent": "Shown Workflow"}, asked["fields"]
				)
			# Frappe 15 leaves the name out, 16 what needs the right to the document.
			told = [row.items() for row in answer.json()["message"]]
			assert all(any(one and one <= row.items() for row in shown) for one in told), told
	finally:
		with world.changing():
			frappe.share.remove("Milestone Workflow", "Shown Workflow", STRANGER)


@pytest.mark.parametrize("user", [OWNER, READER, MANAGER])
@pytest.mark.parametrize(("child", "parent"), [(child, row[0]) for child, row in TABLES.items()])
def test_who_may_read_the_document_gets_its_rows(world, user, child, parent):
	asked = {"doctype": child, "parent": parent, "fields": ["name"], "limit_page_length": 0}
	rows = ask(world, user, "frappe.client.get_list", asked).json()["message"]
	own = (world.stages if child == "Milestone Plan Stage" else world.assignees)[OWN]
	assert sorted(row["name"] for row in rows) == sorted(own)


@pytest.mark.parametrize("user", [SUPPLIER, HELPER])
def test_an_assignee_gets_the_rows_of_the_own_task(world, user):
	asked = {"doctype": "Milestone Task Assignee", "parent": "Milestone Task", "fields": ["user"]}
	rows = ask(world, user, "frappe.client.get_list", asked).json()["message"]
	assert {row["user"] for row in rows} == {user}


@pytest.mark.parametrize("user", LIMITED)
@pytest.mark.parametrize("doctype", PARENTS)
def test_no_search_title_or_link_tells_of_a_row_one_may_not_read(world, user, doctype):
	"""Seen: Frappe 15 searches without any permission when it is asked to ignore user permissions."""
	names = {"Milestone Plan": world.plans[OTHER], "Milestone Task": world.tasks[OTHER][0]}
	search = {"doctype": doctype, "txt": "", "page_length": 500, "ignore_user_permissions": 1}
	asked = [("frappe.desk.search.search_link", search), ("frappe.desk.search.search_widget", search)]
	asked.append(("milestone_automation.api.search_links", {"doctype": doctype, "txt": HIDDEN[:3]}))
	if doctype in names:
		title = {"doctype": doctype, "docname": names[doctype]}
		asked.append(("frappe.desk.search.get_link_title", title))
		asked.append(("frappe.desk.form.linked_with.get", title))
		asked.append(looked_up(doctype, names[doctype], ["title"]))
		asked.append(("frappe.desk.form.load.getdoc", {"doctype": doctype, "name": names[doctype]}))
		asked.append(("frappe.desk.form.load.get_docinfo", {"doctype": doctype, "name": names[doctype]}))
		todo = {
			"doctype": "ToDo",
			"description": "x",
			"reference_type": doctype,
			"reference_name": names[doctype],
		}
		made = world.client(user).post("/api/resource/ToDo", json=todo)
		if made.ok:
			asked.append(
				("frappe.desk.form.load.getdoc", {"doctype": "ToDo", "name": made.json()["data"]["name"]})
			)
	for method, arguments in asked:
		answer = ask(world, user, method, arguments)
		assert not hits(answer, user), (method, arguments, answer.text[:300])


@pytest.mark.parametrize("user", LIMITED)
@pytest.mark.parametrize("doctype", PARENTS)
def test_no_column_state_tag_or_chart_tells_of_a_row_one_may_not_read(world, user, doctype):
	"""Seen: Frappe answers these for all rows, 16 too, to whom the DocType is not closed altogether."""
	column = {"Milestone Plan": "title", "Milestone Task": "title", "Milestone Message": "subject"}.get(
		doctype, "reason"
	)
	base = {"doctype": "Dashboard Chart", "name": "x", "document_type": doctype, "filters_json": "[]"}
	base |= {
		"based_on": "creation",
		"timespan": "Last Year",
		"time_interval": "Daily",
		"value_based_on": "idx",
	}
	hidden = [[doctype, column, "like", f"%{HIDDEN}%"]]
	asked = [
		("frappe.desk.query_report.get_data_for_custom_field", {"doctype": doctype, "field": column}),
		(
			"frappe.workflow.doctype.workflow.workflow.get_workflow_state_count",
			{"doctype": doctype, "workflow_state_field": column, "states": "[]"},
		),
		("frappe.desk.doctype.tag.tag.get_tagged_docs", {"doctype": doctype, "tag": "%"}),
	]
	for kind in (
		{"chart_type": "Group By", "group_by_type": "Count", "group_by_based_on": column},
		{"chart_type": "Count"},
	):
		chart = json.dumps(base | kind | {"type": "Bar"})
		asked.append(
			("frappe.desk.doctype.dashboard_chart.dashboard_chart.get", {"chart": chart, "filters": hidden})
		)
	heat = json.dumps(base | {"chart_type": "Count", "type": "Heatmap", "heatmap_year": "2026"})
	asked.append(
		("frappe.desk.doctype.dashboard_chart.dashboard_chart.get", {"chart": heat, "filters": hidden})
	)
	for method, arguments in asked:
		answer = ask(world, user, method, arguments)
		assert not hits(answer, user), (method, arguments, answer.text[:300])
		if "dashboard_chart" in method and answer.ok:
			got = answer.json().get("message") or {}
			assert not any(value for part in got.get("datasets") or [] for value in part["values"])
			assert not got.get("dataPoints")


@pytest.mark.parametrize("chart", ["Open Tasks by Milestone", "Date Changes per Week"])
def test_a_chart_shows_nobody_what_somebody_else_got(world, chart):
	"""Seen: Frappe keeps the data of a chart for everybody, by the chart's name."""
	asked = {"chart_name": chart, "refresh": 1}
	method = "frappe.desk.doctype.dashboard_chart.dashboard_chart.get"
	everything = ask(world, ADMIN, method, asked).json()["message"]
	assert any(everything["datasets"][0]["values"])
	for user in (STRANGER, WEBSITE):
		for more in ({"refresh": 0}, {"chart": json.dumps({"name": chart})}):
			answer = ask(world, user, method, asked | more)
			assert not hits(answer, user), answer.text[:300]
			got = answer.json().get("message") or {}
			assert not any(value for part in got.get("datasets") or [] for value in part["values"])


@pytest.mark.parametrize("user", [WEBSITE, STRANGER, HELPER])
def test_nobody_follows_a_task_they_may_not_read(world, user):
	"""Seen: Frappe mails the changes of a followed document to whoever follows it."""
	with world.changing():
		frappe.db.set_value("User", user, "document_follow_notify", 1)
	follow = {"doctype": "Milestone Task", "doc_name": world.tasks[OTHER][0], "user": user}
	answer = ask(world, user, "frappe.desk.form.document_follow.follow_document", follow)
	assert answer.status_code == 403
	if user == HELPER:
		own = follow | {"doc_name": world.tasks[OWN][1]}
		assert ask(world, user, "frappe.desk.form.document_follow.follow_document", own).ok


def test_linked_with_shows_no_plan_of_a_document_one_may_not_read(world):
	for user in (STRANGER, HELPER, READER):
		for doctype, name in ((ORDER, OTHER), ("Milestone Workflow", f"{HIDDEN} Workflow")):
			answer = ask(
				world, user, "frappe.desk.form.linked_with.get", {"doctype": doctype, "docname": name}
			)
			assert world.plans[OTHER] not in answer.text, answer.text[:300]


def test_the_search_of_links_serves_own_doctypes_only(world):
	answer = ask(world, STRANGER, "milestone_automation.api.search_links", {"doctype": "User", "txt": ""})
	assert answer.status_code == 403


@pytest.mark.parametrize("text", ["=1' or 't", "x>0' or 't' --", "' or ''='", "%", "\\"])
def test_what_is_searched_for_never_becomes_sql(world, text):
	"""Frappe 15 quotes numbers in its SQL on PostgreSQL, also those inside a text, which ends there."""
	for call, asked in (("search_links", {"txt": text}), ("get_tagged_docs", {"tag": text})):
		answer = ask(
			world, STRANGER, f"milestone_automation.api.{call}", asked | {"doctype": "Milestone Task"}
		)
		assert answer.status_code == 200, answer.text[-500:]
		assert not answer.json().get("message")


@pytest.mark.parametrize("user", [OWNER, READER, MANAGER])
def test_the_sidebar_counts_the_assignments_of_rows_one_may_see(world, user):
	asked = {"doctype": "Milestone Task", "current_filters": "[]", "field": "assigned_to"}
	counted = ask(world, user, "frappe.desk.listview.get_group_by_count", asked).json()["message"]
	assert [(row["name"], row["count"]) for row in counted] == [(HELPER, 1)]


def test_every_doctype_of_ours_has_its_own_search_and_every_child_table_its_condition(site):
	own = frappe.get_all("DocType", {"module": MODULE}, ["name", "istable"])
	assert own
	searches = frappe.get_hooks("standard_queries", app_name="milestone_automation")
	conditions = frappe.get_hooks("permission_query_conditions", app_name="milestone_automation")
	for doctype in own:
		assert doctype.name in searches, f"{doctype.name} has no search of its own in hooks.py"
		assert not frappe.get_meta(doctype.name).show_title_field_in_link, (
			f"{doctype.name}: Frappe shows this title to everybody who knows a name"
		)
		if doctype.istable:
			assert doctype.name in conditions, f"{doctype.name} has no list condition in hooks.py"
