"""Which workflow a document gets, and what finding out costs."""

import json

import frappe
import pytest

from milestone_automation.engine.base import compat, save_state
from milestone_automation.engine.workflows import document_filters, matching


@pytest.fixture
def order(make_doctype):
	return make_doctype(
		"Matched Order",
		[
			{"fieldname": "title", "fieldtype": "Data"},
			{"fieldname": "status", "fieldtype": "Select", "options": "\nOpen\nShipped"},
			{"fieldname": "amount", "fieldtype": "Currency"},
			{"fieldname": "pieces", "fieldtype": "Int"},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
			{"fieldname": "packed_at", "fieldtype": "Datetime"},
			{"fieldname": "pickup", "fieldtype": "Time"},
			{"fieldname": "rush", "fieldtype": "Check"},
		],
	)


@pytest.fixture
def make_workflow(order):
	"""Function `make_workflow(name, **values)`: an enabled workflow of one stage."""

	def make(name: str, **values):
		stage = {"stage_name": "Delivery", "key_date_rule": "Set Manually"}
		workflow = {
			"doctype": "Milestone Workflow",
			"workflow_name": name,
			"document_type": order,
			"enabled": 1,
		}
		return frappe.get_doc(workflow | {"stages": [stage]} | values).insert()

	return make


@pytest.fixture
def make_order(order):
	"""Function: an order in memory, not inserted."""
	return lambda **values: frappe.get_doc({"doctype": order, "name": "ORDER-1", **values})


def find(doc):
	return matching.find(doc)


def filtered(*filters) -> str:
	return json.dumps([list(one) for one in filters])


def test_no_workflow_no_match(make_order):
	assert find(make_order()) is None


def test_a_workflow_without_filters_takes_every_document_of_its_doctype(make_workflow, make_order):
	make_workflow("All orders")
	assert find(make_order()) == "All orders"
	assert find(frappe.get_doc({"doctype": "ToDo", "description": "x"})) is None


def test_a_disabled_workflow_takes_none(make_workflow, make_order):
	make_workflow("Draft", enabled=0)
	assert find(make_order()) is None


def test_the_highest_priority_wins(make_workflow, make_order):
	make_workflow("Ordinary", priority=1)
	make_workflow("Special", priority=5)
	assert find(make_order()) == "Special"


def test_among_equal_priorities_the_oldest_wins(make_workflow, make_order):
	make_workflow("B first")
	make_workflow("A second")
	frappe.db.set_value("Milestone Workflow", "B first", "creation", "2020-01-01")
	assert find(make_order()) == "B first"


def test_a_workflow_that_does_not_fit_gives_way_to_the_next(make_workflow, make_order):
	make_workflow("Rush orders", priority=9, document_filters=filtered(("rush", "=", 1)))
	make_workflow("Orders", condition="doc.amount > 100")
	assert matching.candidates("Matched Order") == ["Rush orders", "Orders"]
	assert find(make_order(rush=1)) == "Rush orders"
	assert find(make_order(amount=500)) == "Orders"
	assert find(make_order(amount=5)) is None


def test_filters_and_condition_both_count(make_workflow, make_order):
	make_workflow(
		"Big open", document_filters=filtered(("status", "=", "Open")), condition="doc.amount > 100"
	)
	assert find(make_order(status="Open", amount=500)) == "Big open"
	assert find(make_order(status="Open", amount=5)) is None
	assert find(make_order(status="Shipped", amount=500)) is None


def test_a_change_counts_at_once_and_a_deleted_workflow_no_more(make_workflow, make_order):
	workflow = make_workflow("All orders")
	assert find(make_order()) == "All orders"
	workflow.enabled = 0
	workflow.save()
	assert find(make_order()) is None
	workflow.enabled = 1
	workflow.save()
	assert find(make_order()) == "All orders"
	workflow.delete()
	assert find(make_order()) is None


def test_a_renamed_workflow_is_found_by_its_new_name(make_workflow, make_order):
	make_workflow("All orders")
	assert find(make_order()) == "All orders"
	frappe.rename_doc("Milestone Workflow", "All orders", "Every order")
	assert find(make_order()) == "Every order"


def test_a_rolled_back_workflow_is_forgotten(make_workflow, make_order):
	make_workflow("All orders")
	assert find(make_order()) == "All orders"
	frappe.db.rollback()
	assert find(make_order()) is None


@pytest.mark.parametrize("values", [{"amount": None}, {"amount": "nonsense"}])
def test_a_condition_that_fails_is_logged_and_is_no_match(make_workflow, make_order, values):
	make_workflow("Faulty", condition="1 / (doc.pieces or 0) > 0", priority=9)
	make_workflow("Orders")
	assert find(make_order(**values)) == "Orders"
	log = frappe.get_last_doc("Error Log")
	assert "Milestone Workflow Faulty: cannot tell whether it is for Matched Order ORDER-1" in str(
		log.as_dict()
	)
	assert "ZeroDivisionError" in log.error


def test_filters_broken_behind_our_back_are_no_match(make_workflow, make_order):
	make_workflow("Faulty")
	frappe.db.set_value("Milestone Workflow", "Faulty", "document_filters", "no json")
	matching.clear()
	assert find(make_order()) is None


def test_matches_asks_one_workflow_enabled_or_not(make_workflow, make_order):
	workflow = make_workflow("Draft", enabled=0, document_filters=filtered(("rush", "=", 1)))
	assert matching.matches(workflow, make_order(rush=1))
	assert not matching.matches(workflow, make_order(rush=0))
	workflow.document_type = "ToDo"
	assert not matching.matches(workflow, make_order(rush=1))


def test_finding_asks_the_database_nothing_once_warm(make_workflow, make_order, count_queries):
	make_workflow("Rush", document_filters=filtered(("rush", "=", 1)), condition="doc.amount > 1")
	order = make_order(rush=1, amount=5)
	find(order)
	with count_queries() as queries:
		assert find(order) == "Rush"
	assert queries.count == 0, str(queries)


def test_finding_asks_nothing_for_a_doctype_without_workflow(count_queries):
	todo = frappe.get_doc({"doctype": "ToDo", "description": "x"})
	find(todo)
	with count_queries() as queries:
		find(todo)
	assert queries.count == 0, str(queries)


def test_a_map_made_before_a_doctype_got_its_name_is_made_anew(make_workflow, make_order):

	make_workflow("All orders")
	compat.cached(matching.CACHE_KEY, lambda: {"Former Order": []})
	save_state.transaction().changed_rules.clear()
	assert find(make_order()) == "All orders"


# Filters on one document


@pytest.mark.parametrize(
	("values", "one_filter", "holds"),
	[
		({"status": "Open"}, ("status", "=", "Open"), True),
		({"status": "Open"}, ("status", "!=", "Open"), False),
		({"status": None}, ("status", "!=", "Open"), True),
		({"status": None}, ("status", "=", ""), True),
		({"pieces": "7"}, ("pieces", ">", 5), True),
		({"pieces": 7}, ("pieces", ">", "50"), False),
		({"pieces": None}, ("pieces", "=", 0), True),
		({"pieces": None}, ("pieces", "<", 5), True),
		({"amount": "10.50"}, ("amount", "=", 10.5), True),
		({"amount": 10}, ("amount", "between", [5, 10]), True),
		({"amount": 11}, ("amount", "between", ["5", "10"]), False),
		({"rush": True}, ("rush", "=", "1"), True),
		({"delivery_date": "2026-03-01"}, ("delivery_date", ">=", "2026-3-1"), True),
		({"delivery_date": "2026-02-28"}, ("delivery_date", ">=", "2026-03-01"), False),
		({"delivery_date": None}, ("delivery_date", "<", "2026-03-01"), False),
		({"delivery_date": None}, ("delivery_date", "between", ["2026-01-01", "2026-12-31"]), False),
		({"delivery_date": None}, ("delivery_date", "is", "not set"), True),
		({"delivery_date": "2026-03-01"}, ("delivery_date", "is", "set"), True),
		({"packed_at": "2026-03-01 10:00:00"}, ("packed_at", "<", "2026-03-01 10:00:01"), True),
		({"pickup": "9:30:00"}, ("pickup", "<", "10:00:00"), True),
		({"status": "Open"}, ("status", "in", ["Open", "Shipped"]), True),
		({"status": "Open"}, ("status", "in", "Draft, Open"), True),
		({"status": "Open"}, ("status", "not in", ["Open"]), False),
		({"pieces": 3}, ("pieces", "in", ["3", 4]), True),
		({"title": "Winter Jackets"}, ("title", "like", "%jack%"), True),
		({"title": "Winter Jackets"}, ("title", "like", "jack"), True),
		({"title": "Winter Jackets"}, ("title", "like", "jack%"), False),
		({"title": "aa"}, ("title", "like", "a%a%a"), False),
		({"title": None}, ("title", "not like", "%jack%"), True),
		({"owner": "a@example.com"}, ("owner", "=", "a@example.com"), True),
		({"status": "Open"}, ("Matched Order", "status", "=", "Open"), True),
		({"status": "Open"}, ("Matched Order", "status", "=", "Open", False), True),
	],
)
def test_a_filter_on_one_document(make_order, values, one_filter, holds):
	text = filtered(one_filter)
	assert list(document_filters.problems(text, "Matched Order")) == []
	assert document_filters.match(text, make_order(**values)) is holds


def test_filters_may_be_an_object(make_order):
	text = '{"status": "Open", "pieces": [">", 5]}'
	assert list(document_filters.problems(text, "Matched Order")) == []
	assert document_filters.match(text, make_order(status="Open", pieces=6))
	assert not document_filters.match(text, make_order(status="Open", pieces=5))


@pytest.mark.parametrize("operator", ["=", "!=", ">", "<", ">=", "<=", "in"])
@pytest.mark.parametrize(
	("field", "stored", "asked"),
	[
		("status", ["Open", "Shipped"], ["Open", "Shipped"]),
		("pieces", [1, 3, 7], [3, 7]),
		("delivery_date", ["2026-01-01", "2026-06-01"], ["2026-01-01", "2026-06-01"]),
	],
)
def test_a_filter_takes_the_documents_a_list_view_takes(order, operator, field, stored, asked):
	"""The database is the judge: what its filter finds is what ours takes."""
	documents = [frappe.get_doc({"doctype": order, field: value}).insert() for value in stored]
	for wanted in [asked] if operator == "in" else asked:
		found = set(frappe.get_all(order, filters=[[field, operator, wanted]], pluck="name"))
		text = filtered((field, operator, wanted))
		assert {document.name for document in documents if document_filters.match(text, document)} == found


def test_a_date_that_is_not_set_is_neither_before_nor_after_another(make_order):
	for operator in ("<", "<=", ">", ">="):
		assert not document_filters.match(filtered(("delivery_date", operator, "2026-01-01")), make_order())
