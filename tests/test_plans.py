"""A plan from its making to its end: one for each document, and in step with it."""

import pytest

from tests.support.factories import (
	ORDER,
	events_of,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	status_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")


def test_a_document_that_matches_gets_its_plan_on_insert():
	make_workflow()
	order = make_document()
	plan = plan_of(order)
	assert (plan.workflow, plan.workflow_version, plan.status) == ("Production", 1, "Active")
	assert key_dates(order) == {"Cut": "2030-06-08", "Inspected": "2030-06-21", "Shipped": "2030-06-28"}
	assert plan.current_stage == "Cut"
	assert str(plan.next_date) == "2030-06-08"
	assert str(task_of(order, "Book the inspector").due_date) == "2030-06-18"
	assert [row.open_required for row in plan.stages] == [0, 1, 1]
	assert events_of(order) == ["Plan Started"]
