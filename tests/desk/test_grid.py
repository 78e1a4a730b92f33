"""The grid: what it shows to whom at which cost, what a shift moves and refuses, and the file."""

import base64
import csv
import io
import json

import frappe
import pytest
from frappe.custom.doctype.property_setter.property_setter import make_property_setter
from frappe.utils import add_days, getdate
from openpyxl import load_workbook

from milestone_automation import api
from milestone_automation.engine.progress import holding, rescheduling, stages
from milestone_automation.engine.rules.vocabulary import DateChangeSource, ShiftMode
from tests.support.factories import (
	ORDER,
	READER_ROLE,
	due_dates,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	task,
)

pytestmark = pytest.mark.usefixtures("production_order")

READER = "grid.reader@people.example"
OWNER = "grid.owner@people.example"
STRANGER = "grid.stranger@people.example"
MANAGER = "grid.manager@people.example"
WORKFLOW = "Grid Production"
DOCUMENT, HAND = "Document Date Field", "After Creation"


def by_hand(name: str, days: int, **values) -> dict:
	return {"stage_name": name, "key_date_rule": HAND, "offset_days": days} | values


STAGES = (
	by_hand("Cut", 10),
	by_hand("Sewn", 20),
	stage("Shipped"),
)
OWNED = (STAGES[0], STAGES[1] | {"owner_kind": "User", "owner_user": OWNER}, STAGES[2])
TASKS = (
	task("Sewn", "Check the seams", days=2, required=0),
	task("Shipped", "Sign the packing list", days=1),
)


@pytest.fixture
def people(make_user):
	make_user(READER, [READER_ROLE])
	make_user(OWNER, [READER_ROLE])
	make_user(STRANGER, ["Report Manager"])
	make_user(MANAGER, [READER_ROLE, "Milestone Manager"])


@pytest.fixture
def workflow(production_order):
	return make_workflow(WORKFLOW, stages=STAGES, tasks=TASKS)


@pytest.fixture
def owned(people):
	"""An order whose second milestone has an owner."""
	make_workflow(WORKFLOW, stages=OWNED, tasks=TASKS)
	return make_order()


@pytest.fixture
def order(workflow):
	return make_order()


def make_order(**values):
	return make_document(delivery_date=add_days(frappe.utils.nowdate(), 40), **values)


def day(days: int) -> str:
	return add_days(frappe.utils.nowdate(), days)


def cell(order, stage_name: str, **more) -> dict:
	return {"plan": plan_of(order).name, "stage": stage_name} | more


def dates(order) -> list[int | None]:
	"""The key dates of an order, as days from today."""
	today = getdate(frappe.utils.nowdate())
	return [value and (getdate(value) - today).days for value in key_dates(order).values()]


def shift(cells, days, reason="The cloth is late", **more):
	return api.shift_stages(cells=cells, days=days, reason=reason, **more)


# What it shows


def test_rows_are_documents_and_columns_milestones(order):
	stages.confirm(plan_of(order).name, "Cut", day(0))
	rescheduling.reschedule(plan_of(order).name, "Sewn", day(25), "Late", answer="Keep Order")

	shown = api.get_grid(WORKFLOW)

	assert (shown["columns"], shown["total"], shown["today"]) == (["Cut", "Sewn", "Shipped"], 1, day(0))
	(row,) = shown["rows"]
	assert (row["reference_name"], row["health"], row["later_stages"]) == (
		order.name,
		"On Track",
		"Shift Too",
	)
	cut, sewn, shipped = row["cells"]
	assert (str(cut["reached_on"]), cut["health"], "may" in cut) == (day(0), "Done", False)
	assert (str(sewn["key_date"]), str(sewn["planned_date"]), sewn["may"]) == (day(25), day(20), 1)
	assert (str(shipped["key_date"]), "planned_date" in shipped) == (day(40), False)


def test_a_milestone_of_an_older_version_keeps_its_place(order, workflow):
	workflow.stages[1].stage_name = "Stitched"
	for row in workflow.tasks:
		row.stage = "Stitched" if row.stage == "Sewn" else row.stage
	workflow.save()
	newer = make_order()

	shown = api.get_grid(WORKFLOW)

	assert shown["columns"] == ["Cut", "Sewn", "Stitched", "Shipped"]
	filled = {row["reference_name"]: [bool(one) for one in row["cells"]] for row in shown["rows"]}
	assert filled == {order.name: [True, True, False, True], newer.name: [True, False, True, True]}


def test_everybody_sees_only_what_he_may_read(order, people, as_user):
	other = make_order()
	frappe.share.add_docshare(ORDER, other.name, STRANGER, read=1)
	with as_user(READER):
		assert api.get_grid(WORKFLOW)["total"] == 2
	with as_user(STRANGER):
		shown = api.get_grid(WORKFLOW)
	assert [row["reference_name"] for row in shown["rows"]] == [other.name]
	frappe.share.remove(ORDER, other.name, STRANGER)
	with as_user(STRANGER):
		assert api.get_grid(WORKFLOW) == {"columns": [], "rows": [], "total": 0, "today": day(0)}


def test_a_website_user_sees_no_grid(order, make_user, as_user):
	web = make_user("grid.web@people.example", [], user_type="Website User")
	with as_user(web), pytest.raises(frappe.PermissionError):
		api.get_grid(WORKFLOW)


def test_only_who_may_move_a_milestone_may_edit_its_cell(owned, as_user):
	edits = {}
	for user in (READER, OWNER, MANAGER):
		with as_user(user):
			edits[user] = ["may" in one for one in api.get_grid(WORKFLOW)["rows"][0]["cells"]]
	assert edits == {READER: [False] * 3, OWNER: [False, True, False], MANAGER: [True] * 3}


def test_a_column_that_a_user_may_not_read_is_left_out(order, people, as_user):
	rescheduling.reschedule(plan_of(order).name, "Sewn", day(25), "Late", answer="Keep Order")
	make_property_setter("Milestone Plan Stage", "planned_date", "permlevel", 3, "Int")
	with as_user(READER):
		sewn = api.get_grid(WORKFLOW)["rows"][0]["cells"][1]
	assert "key_date" in sewn and "planned_date" not in sewn


def test_documents_are_filtered_by_plan_owner_and_days(owned):
	order = owned
	late = make_order(order_date="2030-01-02")
	rescheduling.reschedule(plan_of(late).name, "Shipped", day(90), "Late")
	everything = {order.name, late.name}

	def found(**view):
		return {row["reference_name"] for row in api.get_grid(WORKFLOW, **view)["rows"]}

	assert found() == found(stage_owner=OWNER) == found(filters=[["status", "=", "Active"]]) == everything
	assert found(filters=[["reference_name", "=", late.name]]) == {late.name}
	assert found(from_date=day(50)) == found(from_date=day(90), to_date=day(90)) == {late.name}
	assert found(from_date=day(21), to_date=day(39)) == found(stage_owner=READER) == set()
	# Both of the same milestone.
	assert found(stage_owner=OWNER, from_date=day(40)) == set()
	assert found(filters=[["Milestone Plan Stage", "health", "=", "Late"]]) == set()
	with pytest.raises(frappe.ValidationError):
		found(filters=[["snapshot_", "=", "x"]])


def test_an_owner_by_role_finds_his_documents(people, as_user):
	role = {"owner_kind": "Role", "owner_role": READER_ROLE}
	make_workflow(WORKFLOW, stages=[by_hand("Cut", 10, **role)], tasks=[])
	make_order()
	with as_user(READER):
		assert api.get_grid(WORKFLOW, stage_owner=READER)["total"] == 1
	with as_user(MANAGER):
		assert api.get_grid(WORKFLOW, stage_owner=OWNER)["total"] == 0


def test_pages_have_every_document_once(workflow):
	names = {make_order().name for _number in range(5)}
	pages = [api.get_grid(WORKFLOW, start=start, limit=2) for start in (0, 2, 4, 6)]
	assert [len(page["rows"]) for page in pages] == [2, 2, 1, 0]
	assert [page["total"] for page in pages] == [5, 5, 5, 5]
	assert {row["reference_name"] for page in pages for row in page["rows"]} == names


@pytest.mark.parametrize("user", ["Administrator", READER])
def test_more_documents_cost_no_more_statements_and_a_small_answer(
	people, workflow, count_queries, as_user, user
):
	make_order()
	with as_user(user):
		api.get_grid(WORKFLOW)  # caches
		with count_queries() as one:
			api.get_grid(WORKFLOW)
	for _number in range(11):
		make_order()
	with as_user(user), count_queries() as many:
		shown = api.get_grid(WORKFLOW)
	assert shown["total"] == 12
	assert many.count == one.count <= 9, many
	assert len(json.dumps(shown, default=str)) < 12 * (350 + 3 * 160)


# Shifting


def test_a_shift_moves_chosen_milestones_of_many_documents_with_their_tasks(order):
	other = make_order()
	told = shift([cell(order, "Sewn"), cell(other, "Cut")], 3)
	assert told == {"moved": sorted([plan_of(order).name, plan_of(other).name]), "refused": []}
	assert (dates(order), dates(other)) == ([10, 23, 43], [13, 23, 43])
	assert due_dates(order) == {"Check the seams": day(21), "Sign the packing list": day(42)}
	changes = frappe.get_all(
		"Milestone Date Change", {"plan": plan_of(order).name}, ["stage_name", "reason", "source"]
	)
	assert {(row.stage_name, row.reason, row.source) for row in changes} == {
		("Sewn", "The cloth is late", "Form"),
		("Shipped", "The cloth is late", "Form"),
	}


@pytest.mark.parametrize("mode", ["Shift Too", "Keep Order"])
@pytest.mark.parametrize("days", [3, 15, -3, -9])
@pytest.mark.parametrize(
	"chosen", [["Cut"], ["Sewn"], ["Cut", "Sewn"], ["Cut", "Shipped"], ["Cut", "Sewn", "Shipped"]]
)
def test_each_chosen_milestone_moves_by_the_days_once(order, mode, days, chosen):
	names = ["Cut", "Sewn", "Shipped"]
	before = dict(zip(names, dates(order), strict=True))
	expected = dict(before)
	begun = False
	for name in names:
		begun = begun or name in chosen
		if name in chosen or (mode == "Shift Too" and begun):
			expected[name] = before[name] + days
	latest = 0
	for name in names:
		if name not in chosen:
			expected[name] = max(expected[name], latest)
		latest = expected[name] if expected[name] >= latest else None
		if latest is None:
			break
	told = shift([cell(order, name) for name in reversed(chosen)], days, later_stages=mode)
	if latest is None:
		assert not told["moved"] and "Choose that day or a later one." in told["refused"][0]["reason"]
		assert dates(order) == list(before.values())
	else:
		assert (told["refused"], dates(order)) == ([], list(expected.values()))


@pytest.mark.parametrize("mode", ["Shift Too", "Keep Order"])
def test_a_shift_there_and_back_leaves_every_date(order, mode):
	chosen = [cell(order, "Cut"), cell(order, "Sewn")]
	before = dates(order), due_dates(order)
	shift(chosen, 5, later_stages=mode)
	shift(chosen, -5, later_stages=mode)
	assert (dates(order), due_dates(order)) == before


def test_the_preview_is_what_the_shift_does_and_changes_nothing(order):
	other = make_order()
	stages.confirm(plan_of(other).name, "Cut", day(0))
	cells = [cell(order, "Cut"), cell(order, "Sewn"), cell(other, "Cut")]
	before = dates(order), due_dates(order), dates(other)

	shown = api.preview_shift(cells=json.dumps(cells), days=4)

	assert (dates(order), due_dates(order), dates(other)) == before
	(document,) = shown["documents"]
	foreseen = {row["stage_name"]: str(row["new"]) for row in document["stages"]}
	assert (document["reference_name"], document["tasks"]) == (order.name, 2)
	assert [row["reference_name"] for row in shown["refused"]] == [other.name]
	assert "is reached, so its key date cannot be changed" in shown["refused"][0]["reason"]
	told = shift(cells, 4)
	assert told["refused"] == shown["refused"]
	assert key_dates(order) == foreseen
	assert not frappe.local.message_log


def test_chosen_milestones_move_also_where_the_document_dates_them(order):
	shift([cell(order, "Cut")], 2, keep_anchored=1)
	assert dates(order) == [12, 22, 40]
	shown = api.preview_shift(cells=[cell(order, "Cut"), cell(order, "Shipped")], days=2, keep_anchored=1)
	(shipped,) = (row for row in shown["documents"][0]["stages"] if row["stage_name"] == "Shipped")
	assert (shipped["field"], str(shipped["document_date"])) == ("Delivery Date", day(40))
	shift([cell(order, "Cut"), cell(order, "Shipped")], 2, keep_anchored=1)
	assert dates(order) == [14, 24, 42]


def test_working_days_are_counted_if_asked_for(order):
	friday = next(day(number) for number in range(10, 17) if getdate(day(number)).weekday() == 4)
	rescheduling.reschedule(plan_of(order).name, "Cut", friday, "Start on a Friday", answer="Keep Order")
	shift([cell(order, "Cut")], 1, working_days=1, later_stages="Keep Order")
	assert key_dates(order)["Cut"] == add_days(friday, 3)


@pytest.mark.parametrize(("weekday", "days"), [(5, 1), (6, 1), (5, -1), (6, -2)])
def test_a_shift_in_working_days_there_and_back_restores_a_weekend(order, weekday, days):
	weekend = next(day(number) for number in range(10, 17) if getdate(day(number)).weekday() == weekday)
	rescheduling.reschedule(plan_of(order).name, "Cut", weekend, "Start on a weekend")
	before = dates(order), due_dates(order)
	for number in (days, days, -days, -days):
		shift([cell(order, "Cut")], number, working_days=1, later_stages="Shift Too")
	assert (dates(order), due_dates(order)) == before


def test_a_shift_in_working_days_lands_on_no_day_off_that_something_else_moved_it_from(order):
	saturday = next(day(number) for number in range(10, 17) if getdate(day(number)).weekday() == 5)
	rescheduling.reschedule(plan_of(order).name, "Cut", saturday, "Start on a weekend", answer="Keep Order")
	shift([cell(order, "Cut")], 1, working_days=1, later_stages="Keep Order")
	monday = add_days(saturday, 2)
	assert key_dates(order)["Cut"] == monday
	# Away by the answer to a prompt, and to the same day again by another.
	for other in (3, 2):
		rescheduling.reschedule(
			plan_of(order).name,
			"Cut",
			add_days(saturday, other),
			"Asked",
			source=DateChangeSource.PROMPT,
			answer="Keep Order",
		)
	shift([cell(order, "Cut")], -1, working_days=1, later_stages="Keep Order")
	assert key_dates(order)["Cut"] == add_days(saturday, -1)


def test_lines_that_cannot_move_are_told_and_keep_no_other(order):
	ended, reached, undated, held = (make_order() for _number in range(4))
	api.cancel_plan(plan_of(ended).name, "Ordered elsewhere")
	stages.confirm(plan_of(reached).name, "Sewn", day(0))
	rescheduling.reschedule(plan_of(undated).name, "Sewn", None, "Nobody knows", answer="Keep Order")
	holding.put_on_hold(plan_of(held).name, "No cloth")
	orders = (ended, reached, undated, held, order)
	names = {row.name: plan_name(row) for row in orders}

	told = api.shift_stages(
		cells=[{"plan": plan, "stage": "Sewn"} for plan in names.values()], days=2, reason="Strike"
	)

	reasons = {row["reference_name"]: row["reason"] for row in told["refused"]}
	assert set(told["moved"]) == {names[held.name], names[order.name]}
	assert "is cancelled. Start a new plan first." in reasons.pop(ended.name)
	assert reasons == {
		reached.name: "Sewn is reached, so its key date cannot be changed. Undo it first.",
		undated.name: "Sewn has no key date yet. Reschedule it to give it one.",
	}
	assert dates(order) == [10, 22, 42]


def plan_name(order) -> str:
	return frappe.db.get_value("Milestone Plan", {"reference_name": order.name})


def test_each_needs_the_rights_that_a_reschedule_needs(owned, as_user):
	order = owned
	hidden = make_order()
	cells = [cell(order, "Cut"), cell(hidden, "Sewn")]
	only_own = [cell(order, "Sewn"), cell(hidden, "Cut")]
	with as_user(READER):
		told = shift(cells, 2)
		assert told == {"moved": [], "refused": told["refused"]}
		assert {row["reason"] for row in told["refused"]} == {
			"Only the owner of Cut or a Milestone Manager may do this.",
			"Only the owner of Sewn or a Milestone Manager may do this.",
		}
	with as_user(STRANGER):
		for refused in (shift(cells, 2), api.preview_shift(cells=cells, days=2)):
			assert [row["reference_name"] for row in refused["refused"]] == [None, None]
			assert all(
				"does not exist, or you may not see it." in row["reason"] for row in refused["refused"]
			)
	with as_user(OWNER):
		assert shift(only_own, 2)["moved"] == [cells[0]["plan"]]
	assert (dates(order), dates(hidden)) == ([10, 22, 42], [10, 20, 40])


def test_who_may_only_propose_dates_shifts_none(people, as_user):
	make_workflow(WORKFLOW, stages=OWNED, tasks=TASKS, owners_propose=1)
	order = make_order()
	with as_user(OWNER):
		assert api.get_grid(WORKFLOW)["rows"][0]["proposes"] == 1
		(refused,) = shift([cell(order, "Sewn")], 2)["refused"]
	assert refused["reason"].startswith("Milestone Managers decide the key dates of this plan.")
	with as_user(MANAGER):
		assert shift([cell(order, "Sewn")], 2)["moved"]


def test_a_milestone_that_was_moved_meanwhile_is_not_shifted_blindly(order):
	seen = cell(order, "Cut", key_date=day(10))
	rescheduling.reschedule(plan_of(order).name, "Cut", day(12), "Late", answer="Keep Order")
	(refused,) = shift([seen], 2)["refused"]
	assert refused["reason"] == "Cut was moved meanwhile. Refresh the grid and look again."
	assert shift([cell(order, "Cut", key_date=day(12))], 2)["moved"]


@pytest.mark.parametrize(
	("given", "said"),
	[
		({"reason": " "}, "Enter a reason. It is stored in the log."),
		({"cells": []}, "Choose at least one milestone."),
		(
			{"cells": "{}"},
			"cells must be a JSON list of at most 2000 objects, each with: plan, stage, key_date.",
		),
		(
			{"cells": [{"plan": "x"}]},
			"cells must be a JSON list of at most 2000 objects, each with: plan, stage, key_date.",
		),
		({"cells": [{"plan": "x", "stage": "y", "z": 1}]}, "cells must be a JSON list"),
		({"cells": [{"plan": "x", "stage": "y", "key_date": "soon"}]}, "cells must be a JSON list"),
		({"days": "many"}, "days must be a whole number from -100000 to 100000."),
	],
)
def test_what_is_no_shift_is_refused_as_a_whole(order, given, said):
	arguments = {"cells": [cell(order, "Cut")], "days": 2, "reason": "Late"} | given
	with pytest.raises(frappe.ValidationError, match=said):
		api.shift_stages(**arguments)


@pytest.mark.parametrize(("days", "said"), [(0, "Enter a number of days other than 0."), (30, None)])
def test_days_that_lead_nowhere_are_told(order, days, said):
	told = shift([cell(order, "Cut")], days)
	if said:
		assert told["refused"][0]["reason"] == said
	else:
		assert told["moved"]
	far = [shift([cell(order, "Cut")], 100_000) for _number in range(40)]
	assert "cannot be moved that far" in far[-1]["refused"][0]["reason"]


def test_a_plan_that_asks_wants_an_answer(production_order):
	make_workflow(WORKFLOW, stages=STAGES, tasks=TASKS, later_stages=ShiftMode.ASK.value)
	order = make_order()
	(refused,) = shift([cell(order, "Cut")], 2)["refused"]
	assert refused["reason"] == "Choose what later milestones do: Shift Too or Keep Order."
	assert shift([cell(order, "Cut")], 2, later_stages="Keep Order")["moved"]


# The file


def table(file: dict) -> list[list]:
	content = base64.b64decode(file["content"])
	if file["file_name"].endswith(".csv"):
		return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
	rows = load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
	return [
		[value.date().isoformat() if hasattr(value, "date") else value or "" for value in row] for row in rows
	]


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_the_file_has_what_the_grid_shows(order, file_format):
	rescheduling.reschedule(plan_of(order).name, "Sewn", day(25), "Late", answer="Keep Order")
	head, line = table(api.export_grid(WORKFLOW, file_format=file_format))
	shown = dict(zip(head, line, strict=True))
	assert (shown["Document"], shown["Health"], shown["Sewn: Health"]) == (order.name, "On Track", "On Track")
	assert (shown["Sewn: Planned"], shown["Sewn: Current"], shown["Sewn: Actual"]) == (day(20), day(25), "")
	assert shown["Cut: Planned"] == shown["Cut: Current"] == day(10)


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_no_cell_is_taken_for_a_formula(production_order, file_format):
	make_workflow(WORKFLOW, stages=[by_hand("=cmd()", 10)], tasks=[])
	order = make_order()
	frappe.db.set_value("Milestone Plan", plan_name(order), "reference_name", "=1+1")
	head, line = table(api.export_grid(WORKFLOW, file_format=file_format))
	assert head[4] == "'=cmd(): Planned"
	assert line[0] == "'=1+1"


def test_a_file_is_for_those_who_may_export_plans(order, people, as_user):
	frappe.permissions.add_permission("Milestone Plan", "All", 0)
	frappe.permissions.update_permission_property("Milestone Plan", "All", 0, "export", 0)
	with as_user(READER), pytest.raises(frappe.PermissionError):
		api.export_grid(WORKFLOW)


def test_nothing_makes_no_file(workflow):
	with pytest.raises(frappe.ValidationError, match="There is nothing to export"):
		api.export_grid(WORKFLOW)
