"""The Kanban board of tasks by status."""

import json

import frappe
import pytest
from frappe.desk.doctype.kanban_board.kanban_board import get_kanban_boards, update_order

from milestone_automation.desk import kanban
from tests.support.factories import CLERK_ROLE, make_document, make_workflow, stage, task

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]


def board_of_tasks() -> str:
	return frappe.db.get_value("Kanban Board", {"reference_doctype": "Milestone Task"})


def a_task():
	make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[task("Shipped", "Load the truck")])
	return frappe.get_doc("Milestone Task", {"reference_name": make_document().name})


def move(card: str, to: str):
	update_order(board_of_tasks(), json.dumps({to: [card]}))


def test_everybody_finds_it_with_a_column_for_each_status(make_user, as_user):
	make_user("clerk@example.com", [CLERK_ROLE])
	with as_user("clerk@example.com"):
		assert [board.name for board in get_kanban_boards("Milestone Task")] == [board_of_tasks()]
	columns = frappe.get_doc("Kanban Board", board_of_tasks()).columns
	assert [row.column_name for row in columns] == ["Open", "Completed", "Waived", "Cancelled"]


def test_a_card_that_is_moved_to_completed_is_completed():
	card = a_task()
	move(card.name, "Completed")
	card.reload()
	assert (card.status, card.closed_by) == ("Completed", "Administrator")


def test_a_card_is_not_waived_without_a_reason():
	card = a_task()
	with pytest.raises(frappe.ValidationError, match="eason"):
		move(card.name, "Waived")


def test_a_board_of_somebody_else_with_its_name_stays_and_stops_nothing():
	kanban.remove()
	own = {"kanban_board_name": "Milestone Tasks", "reference_doctype": "ToDo", "field_name": "status"}
	frappe.get_doc({"doctype": "Kanban Board", **own, "columns": [{"column_name": "Open"}]}).insert()
	kanban.make()
	assert frappe.db.get_value("Kanban Board", "Milestone Tasks", "reference_doctype") == "ToDo"


def test_a_new_board_lists_no_card_of_its_own():
	a_task()
	kanban.remove()
	kanban.make()
	columns = frappe.get_doc("Kanban Board", board_of_tasks()).columns
	assert [row.order for row in columns] == ["[]"] * 4


def test_it_is_made_once_and_goes_with_the_app():
	kanban.make()
	assert frappe.db.count("Kanban Board", {"reference_doctype": "Milestone Task"}) == 1
	kanban.remove()
	assert board_of_tasks() is None
