"""A request that names a row of ours gets one answer where there is none and where it is hidden, from every call of Frappe."""

import json

import frappe
import pytest
from frappe.desk.doctype.tag.tag import add_tag, remove_tag
from frappe.utils.password import set_encrypted_password

from milestone_automation.desk import named_rows
from milestone_automation.engine.base import compat
from tests.doors.conftest import (
	BLIND_MANAGER,
	HIDDEN,
	MANAGER,
	MISSING,
	OTHER,
	OWN,
	READER,
	STRANGER,
	SUPPLIER,
	WEBSITE,
	looked_up,
)
from tests.support.guarded import without_error_ids

STRANGERS = (STRANGER, SUPPLIER, WEBSITE, BLIND_MANAGER)
# Calls of Frappe by how they name a document; some change it and ask for no right.
CALLS = {
	"frappe.client.get": {"doctype": "{doctype}", "name": "{name}"},
	"frappe.client.has_permission": {"doctype": "{doctype}", "docname": "{name}"},
	"frappe.client.get_doc_permissions": {"doctype": "{doctype}", "docname": "{name}"},
	"frappe.client.delete": {"doctype": "{doctype}", "name": "{name}"},
	"frappe.client.set_value": {"doctype": "{doctype}", "name": "{name}", "fieldname": "title", "value": "x"},
	"frappe.desk.form.load.getdoc": {"doctype": "{doctype}", "name": "{name}"},
	"frappe.desk.like.toggle_like": {"doctype": "{doctype}", "name": "{name}", "add": "Yes"},
	"frappe.desk.doctype.tag.tag.add_tag": {"tag": "seen", "dt": "{doctype}", "dn": "{name}"},
	"frappe.desk.doctype.tag.tag.add_tags": {"tags": '["seen"]', "dt": "{doctype}", "docs": '["{name}"]'},
	"frappe.desk.doctype.tag.tag.remove_tag": {"tag": "seen", "dt": "{doctype}", "dn": "{name}"},
	"frappe.share.get_users": {"doctype": "{doctype}", "name": "{name}"},
	"frappe.desk.form.utils.add_comment": {
		"reference_doctype": "{doctype}", "reference_name": "{name}", "content": "x", "comment_email": "x@doors.example",
		"comment_by": "x",
	},
	"frappe.desk.form.assign_to.add": {"doctype": "{doctype}", "name": "{name}", "assign_to": f'["{STRANGER}"]'},
	"frappe.utils.print_format.download_pdf": {"doctype": "{doctype}", "name": "{name}"},
	"frappe.www.printview.get_html_and_style": {"doc": '{"doctype": "{doctype}", "name": "{name}"}'},
	"frappe.www.printview.get_rendered_raw_commands": {"doc": '{"doctype": "{doctype}", "name": "{name}"}'},
}  # fmt: skip


@pytest.fixture(scope="module")
def hidden(world) -> dict[str, str]:
	"""Names of rows of the document that nobody may read but System Managers, by DocType."""
	with world.changing():
		return {
			"Milestone Task": world.tasks[OTHER][0],
			"Milestone Plan": world.plans[OTHER],
			"Milestone Plan Stage": world.stages[OTHER][0],
			"Milestone Next Step": world.steps[OTHER],
			"Milestone Date Change": frappe.db.get_value(
				"Milestone Date Change", {"plan": world.plans[OTHER]}
			),
		}


def ask(world, user: str, call: str, arguments: dict) -> tuple[int, str]:
	"""Status and words of an answer."""
	answer = world.client(user).post(f"/api/method/{call}", json=arguments)
	said = answer.json()
	return answer.status_code, without_error_ids(str([said.get("_server_messages"), said.get("message")]))


def filled(arguments: dict, doctype: str, name: str) -> dict:
	return {
		key: text.replace("{doctype}", doctype).replace("{name}", name) for key, text in arguments.items()
	}


@pytest.mark.parametrize("call", CALLS)
def test_what_is_hidden_and_what_is_not_there_get_one_answer(world, hidden, call):
	for doctype, name in hidden.items():
		for user in STRANGERS:
			answers = {
				(status, words.replace(given, "NAME"))
				for given in (name, MISSING)
				for status, words in [ask(world, user, call, filled(CALLS[call], doctype, given))]
			}
			assert len(answers) == 1, (doctype, user, answers)
			((status, words),) = answers
			assert (status, f"{doctype} NAME does not exist, or you may not see it." in words) == (403, True)
	with world.changing():
		for doctype, name in hidden.items():
			assert frappe.db.exists(doctype, name)
			assert not frappe.get_all("Comment", {"reference_name": name, "content": "x"})
		# Frappe leaves a comma of tags that were taken away.
		tags = frappe.db.get_value("Milestone Task", hidden["Milestone Task"], "_user_tags")
		assert not (tags or "").strip(",")
		assert not frappe.db.get_value("Milestone Task", hidden["Milestone Task"], "_liked_by")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_addresses_of_documents_tell_no_difference_either(world, hidden, method):
	for doctype, name in hidden.items():
		for user in STRANGERS:
			answers = set()
			for given in (name, MISSING):
				sent = {"json": {"title": "x"}} if method == "put" else {}
				answer = getattr(world.client(user), method)(f"/api/resource/{doctype}/{given}", **sent)
				answers.add((answer.status_code, without_error_ids(answer.text).replace(given, "NAME")))
			assert len(answers) == 1, (doctype, user, answers)
			assert {status for status, _text in answers} == {403}


@pytest.mark.parametrize("fields", [None, ["name", "owner"]])
def test_a_name_typed_into_a_link_field_tells_nothing_of_what_is_hidden(world, hidden, fields):
	for doctype, name in hidden.items():
		for user in STRANGERS:
			answers = {
				(status, words.replace(given, "NAME"))
				for given in (name, MISSING)
				for status, words in [ask(world, user, *looked_up(doctype, given, fields))]
			}
			assert len(answers) == 1, (doctype, user, answers)
	status, words = ask(world, READER, *looked_up("Milestone Plan", world.plans[OWN], fields))
	assert (status, world.plans[OWN] in words) == (200, True)


PRINTED = {
	"/printview": {},
	"/printview.html": {"format": "Milestone Status Report", "letterhead": "x"},
	"/printview/": {"key": "a wrong one"},
	"/api/method/frappe.utils.print_format.download_pdf": {"key": "a wrong one"},
}


@pytest.mark.parametrize("path", PRINTED)
def test_no_print_tells_whether_a_document_is_there(world, hidden, path):
	for doctype, name in hidden.items():
		for user in (None, *STRANGERS):
			statuses = set()
			for given in (name, MISSING):
				asked = {"doctype": doctype, "name": given, **PRINTED[path]}
				answer = world.client(user).get(path, params=asked)
				statuses.add(answer.status_code)
				assert HIDDEN not in answer.text
			assert len(statuses) == 1 and statuses <= {403, 404}, (doctype, user, statuses)


def test_who_has_the_key_of_a_document_prints_it(world):
	with world.changing():
		if frappe.db.db_type == "sqlite":
			pytest.skip(
				"Frappe stores the last day of a key with its time on SQLite, and can read the key no more"
			)
		key = frappe.get_doc("Milestone Plan", world.plans[OTHER]).get_document_share_key()
	asked = {"doctype": "Milestone Plan", "name": world.plans[OTHER], "format": "Milestone Status Report"}
	assert world.client(None).get("/printview", params=asked).status_code in (403, 404), (
		"by the version of Frappe"
	)
	answer = world.client(None).get("/printview", params={**asked, "key": key})
	assert (answer.status_code, f"{HIDDEN} Cut" in answer.text) == (200, True)


@pytest.mark.parametrize("user", [*STRANGERS, READER])
@pytest.mark.parametrize(
	("doctype", "field", "word"),
	[
		("Milestone Task", "title", HIDDEN),
		("Milestone Plan", "reference_name", OTHER),
		("Milestone Date Change", "reason", HIDDEN),
	],
)
def test_no_filter_finds_a_row_one_may_not_see(world, user, doctype, field, word):
	"""Frappe takes the first row that fits, and only then asks whether it may be seen."""
	answers = set()
	for pattern in (f"{word}%", "nothing of the kind%"):
		fits = {field: ["like", pattern]}
		for call, sent in (
			("frappe.client.get", {"doctype": doctype, "filters": fits}),
			("frappe.client.get", {"doctype": doctype, "filters": json.dumps(fits)}),
		):
			answers.add(ask(world, user, call, sent))
	assert len(answers) == 1
	assert "You may not see this." in answers.pop()[1]


def test_no_filter_finds_a_row_of_a_table_either(world):
	answers = {
		ask(
			world,
			READER,
			"frappe.client.get",
			{
				"doctype": "Milestone Plan Stage",
				"parent": "Milestone Plan",
				"filters": {"stage_name": ["like", text]},
			},
		)
		for text in (f"{HIDDEN}%", "nothing of the kind%")
	}
	assert len(answers) == 1
	assert answers.pop()[0] == 403


@pytest.mark.parametrize(
	"call", ["frappe.client.get", "frappe.client.has_permission", "frappe.client.delete"]
)
def test_a_filter_is_no_name(world, call):
	for pattern in (f"{HIDDEN}%", "nothing of the kind%"):
		for argument in ("name", "docname"):
			sent = {"doctype": "Milestone Task", argument: {"title": ["like", pattern]}}
			status, words = ask(world, STRANGER, call, sent)
			assert (status, f"{argument} must be a name" in words) == (417, True), words


@pytest.mark.parametrize(
	("doctype", "field"),
	[
		("Milestone Message", "message"),
		("Milestone Plan", "snapshot"),
		("Milestone Plan Stage", "value_before"),
		("Milestone Plan Stage", "exit_criteria"),
	],
)
def test_nobody_finds_or_sorts_rows_by_a_field_they_may_not_read(world, doctype, field):
	client = world.client(MANAGER)
	parent = {"parent": "Milestone Plan"} if doctype == "Milestone Plan Stage" else {}
	card = {"doctype": "Number Card", "document_type": doctype, "function": "Count", "filters_json": "[]"}
	of_list = {"doctype": doctype, "fields": ["name"], **parent}
	answers = [
		client.get(f"/api/resource/{doctype}", params={key: json.dumps(value), **parent})
		for key, value in (
			("filters", {field: ["like", "%a%"]}),
			("filters", [[field, "like", "%a%"]]),
			("filters", [[doctype, field, "like", "%a%"]]),
			("or_filters", [[doctype, field, "like", "%a%"]]),
			("filters", [{field: ["like", "%a%"]}]),
			("filters", [["idx", "=", 0], [f"`tab{doctype}`.`{field}`", "like", "%a%"]]),
		)
	]
	answers.append(
		client.get(
			f"/api/resource/{doctype}", params={"order_by": f"`tab{doctype}`.`{field}` desc", **parent}
		)
	)
	for call, sent in (
		("frappe.client.get_list", of_list | {"filters": {field: ["like", "%a%"]}}),
		("frappe.client.get_list", of_list | {"filters": [[field, "like", "%a%"]]}),
		("frappe.client.get_list", of_list | {"order_by": field}),
		(
			"frappe.client.get_value",
			of_list | {"fieldname": "name", "filters": json.dumps({field: ["like", "%a%"]})},
		),
		("frappe.desk.reportview.get", of_list | {"filters": json.dumps([[doctype, field, "like", "%a%"]])}),
		(
			"frappe.desk.reportview.get_sidebar_stats",
			{"doctype": doctype, "stats": json.dumps([field]), "filters": "[]"},
		),
		(
			"frappe.desk.doctype.number_card.number_card.get_result",
			{"doc": json.dumps(card), "filters": json.dumps([[doctype, field, "like", "%a%"]])},
		),
	):
		answers.append(client.post(f"/api/method/{call}", json=sent))
	for answer in answers:
		assert answer.status_code == 403, answer.text[:300]
		assert f"has no field {field} to filter by" in answer.text
	plain = client.get(f"/api/resource/{doctype}", params={"filters": json.dumps({"idx": 0}), **parent})
	assert plain.status_code == 200


def test_a_list_shows_nothing_of_the_plan_a_task_links_to(world):
	client = world.client(SUPPLIER)
	for params in (
		{"fields": '["name", "plan.health"]'},
		{"fields": '["plan.title as due_date"]'},
		{"fields": '["`plan`.`next_date`"]'},
		{"filters": '{"plan.health": "Late"}'},
		{"filters": '[["plan.health", "=", "Late"]]'},
		{"order_by": "plan.next_date"},
	):
		answer = client.get("/api/resource/Milestone Task", params=params)
		if compat.asks_for_linked_rows():
			assert "Shown" not in answer.text
		else:
			assert answer.status_code == 403, (params, answer.text[:300])
	assert client.get("/api/resource/Milestone Task", params={"fields": '["name", "plan"]'}).ok


def test_a_field_of_a_linked_row_is_no_way_either(world):
	for filters in ({"plan.snapshot": ["like", "%a%"]}, [["plan.snapshot", "like", "%a%"]]):
		answer = world.client(MANAGER).get(
			"/api/resource/Milestone Task", params={"filters": json.dumps(filters)}
		)
		assert answer.status_code == 403, answer.text[:300]


@pytest.mark.parametrize("doctype", ["Milestone Workflow", "Milestone Tracker", "Milestone Plan Stage"])
@pytest.mark.parametrize("user", STRANGERS[:3])
def test_a_search_for_what_one_may_not_read_finds_nothing(world, doctype, user):
	for call in ("search_link", "search_widget"):
		sent = {"doctype": doctype, "txt": "", "ignore_user_permissions": 1}
		answer = world.client(user).post(f"/api/method/frappe.desk.search.{call}", json=sent)
		assert answer.status_code == 200, answer.text[:300]
		found = answer.json()
		assert not (found.get("results") or found.get("values") or found.get("message"))


def test_no_goal_is_counted_in_rows_of_ours(world):
	goal = {
		"title": "Goal", "doctype": "User", "docname": STRANGER, "goal_value_field": "name", "goal_total_field": "name",
		"goal_history_field": "name", "goal_doctype": "Milestone Task", "goal_doctype_link": "owner", "goal_field": "name",
		"date_field": "creation", "aggregation": "count", "filters": {"title": ["like", f"{HIDDEN}%"]},
	}  # fmt: skip
	status, words = ask(world, STRANGER, "frappe.utils.goal.get_monthly_goal_graph_data", goal)
	assert (status, "You may not see this." in words) == (403, True)


def test_a_token_in_the_header_is_asked_as_a_login_is(world, hidden):
	with world.changing():
		# A save would make a Website User of who has no role, whom Frappe 17 logs out for it.
		frappe.db.set_value("User", STRANGER, "api_key", "doors-key")
		set_encrypted_password("User", STRANGER, "doors-secret", "api_secret")
	answers = set()
	for name in (hidden["Milestone Task"], MISSING):
		answer = world.server.guest().get(
			f"/api/resource/Milestone Task/{name}", headers={"Authorization": "token doors-key:doors-secret"}
		)
		answers.add((answer.status_code, without_error_ids(answer.text).replace(name, "NAME")))
	assert len(answers) == 1
	assert answers.pop()[0] == 403


def test_a_guest_learns_no_more_and_sees_no_code(world, hidden):
	for name in (hidden["Milestone Task"], MISSING):
		for answer in (
			world.client(None).get(f"/api/resource/Milestone Task/{name}"),
			world.client(None).post(
				"/api/method/frappe.client.get", json={"doctype": "Milestone Task", "name": name}
			),
		):
			assert answer.status_code == 403
			assert "Traceback" not in answer.text


@pytest.mark.no_site
@pytest.mark.parametrize(
	("path", "called", "rows"),
	[
		("/api/method/frappe.client.get", "frappe.client.get", []),
		("/api/v1/method/frappe.client.get", "frappe.client.get", []),
		("/api/resource/Milestone Plan/abc", "", ["abc"]),
		("/api/resource/Milestone Plan/abc/", "", ["abc"]),
		("/api/v1/resource/Milestone Workflow/Cut/Sew", "", ["Cut/Sew"]),
		("/api/v2/document/Milestone Plan/abc/", "", ["abc"]),
		("/api/v2/document/Milestone Plan/abc/copy", "", ["abc"]),
		("/api/v2/document/Milestone Plan/abc/method/submit/", "", ["abc"]),
		("/api/resource/Milestone Plan", "", []),
		("/api/resource/User/abc", "", []),
		("/app/milestone-plan/abc", "", []),
		("/api", "", []),
	],
)
def test_what_an_address_names(path, called, rows):
	assert named_rows._called(path, None) == called
	assert [row.name for row in named_rows._in_path(path)] == rows


def test_who_may_see_a_row_works_with_it_as_ever(world):
	task, plan, row = world.tasks[OWN][0], world.plans[OWN], world.stages[OWN][0]
	for user, call, sent in (
		(READER, "frappe.client.get", {"doctype": "Milestone Plan", "name": plan}),
		(READER, "frappe.client.get", {"doctype": "Milestone Plan", "filters": {"reference_name": OWN}}),
		(READER, "frappe.desk.form.load.getdoc", {"doctype": "Milestone Plan", "name": plan}),
		(SUPPLIER, "frappe.client.get", {"doctype": "Milestone Task", "name": task}),
		(READER, "frappe.desk.like.toggle_like", {"doctype": "Milestone Task", "name": task, "add": "Yes"}),
		(
			SUPPLIER,
			"frappe.desk.doctype.tag.tag.add_tag",
			{"tag": "seen", "dt": "Milestone Task", "dn": task},
		),
		(
			READER,
			"frappe.client.get",
			{"doctype": "Milestone Plan Stage", "name": row, "parent": "Milestone Plan"},
		),
		(BLIND_MANAGER, "frappe.client.get", {"doctype": "Milestone Settings", "name": "Milestone Settings"}),
		(
			BLIND_MANAGER,
			"frappe.desk.form.load.getdoc",
			{"doctype": "Milestone Workflow", "name": "Shown Workflow"},
		),
		(STRANGER, "frappe.client.get", {"doctype": "User", "name": STRANGER}),
	):
		status, words = ask(world, user, call, sent)
		assert status == 200, (user, call, words)


def test_a_form_that_is_not_saved_yet_is_no_hidden_row(world):
	sent = {"doctype": "Milestone Workflow", "name": "new-milestone-workflow-1"}
	status, words = ask(world, BLIND_MANAGER, "frappe.desk.form.load.getdoc", sent)
	assert "you may not see it" not in words, status


# What Frappe keeps beside a row


@pytest.fixture
def tagged(world, hidden):
	"""A tag that a System Manager has given to a hidden task, and to one of the own document."""
	with world.changing():
		for task in (hidden["Milestone Task"], world.tasks[OWN][0]):
			add_tag("doors", "Milestone Task", task)
	yield
	with world.changing():
		for task in (hidden["Milestone Task"], world.tasks[OWN][0]):
			remove_tag("doors", "Milestone Task", task)


def test_a_tag_tells_no_title_of_what_is_hidden(world, tagged):
	for user, sees_own in ((STRANGER, False), (BLIND_MANAGER, False), (SUPPLIER, True), (READER, True)):
		for call, sent in (
			("frappe.client.get_list", {"doctype": "Tag Link", "fields": ["*"]}),
			("frappe.desk.doctype.tag.tag.get_documents_for_tag", {"tag": "#doors"}),
		):
			status, words = ask(world, user, call, sent)
			assert status == 200
			assert HIDDEN not in words
			assert ("Shown Book" in words) == sees_own, (user, call, words)
	with world.changing():
		link = frappe.db.get_value("Tag Link", {"title": ("like", f"{HIDDEN}%")})
	assert ask(world, STRANGER, "frappe.client.get", {"doctype": "Tag Link", "name": link})[0] == 403


def test_nobody_attaches_a_file_to_what_they_may_not_write(world, hidden):
	def attach(user: str, doctype: str, name: str) -> tuple[int, str]:
		file = {"doctype": "File", "file_name": "note.txt", "content": "note", "is_private": 1}
		file |= {"attached_to_doctype": doctype, "attached_to_name": name}
		return ask(world, user, "frappe.client.insert", {"doc": file})

	for user in STRANGERS:
		answers = {
			(status, words.replace(name, "NAME"))
			for name in (hidden["Milestone Task"], MISSING)
			for status, words in [attach(user, "Milestone Task", name)]
		}
		assert len(answers) == 1
		assert answers.pop()[0] == 403
	status, words = attach(READER, "Milestone Task", world.tasks[OWN][0])
	assert (status, "You may not attach files to" in words) == (403, True)
	assert attach(SUPPLIER, "Milestone Task", world.tasks[OWN][0])[0] == 200
	assert attach(STRANGER, "User", STRANGER)[0] == 200
