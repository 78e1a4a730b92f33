"""Key dates of a running plan: moved by the document, by hand, in the form; with holidays, out of order, by mode."""

import json

import frappe
import pytest
from frappe.utils import add_days, nowdate

from milestone_automation.engine.progress import rescheduling, stages, tasks
from tests.support.factories import (
	due_dates,
	key_dates,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

STAGES = [
	stage("Cut", "Cut", -20),
	stage("Inspected", key_date_rule="Document Date Field", date_field="inspection_date"),
	stage("Shipped", "Shipped"),
]
TASKS = [task("Inspected", "Book the inspector", days=3), task("Shipped", "Sign the packing list", days=1)]


def order_with_dates(**workflow):
	make_workflow(**({"stages": STAGES, "tasks": TASKS} | workflow))
	return make_document(inspection_date="2030-06-20")


def changes_of(order) -> list[tuple]:
	rows = frappe.get_all(
		"Milestone Date Change",
		{"plan": plan_of(order).name},
		["stage_name", "old_date", "new_date", "source", "reason", "changed_by"],
		order_by="new_date",
	)
	return [(r.stage_name, str(r.old_date), str(r.new_date), r.source, r.reason, r.changed_by) for r in rows]


def move(order, stage_name, new_date, answer=None, reason="The cloth is late"):
	rescheduling.reschedule(plan_of(order).name, stage_name, new_date, reason, answer=answer)


def test_a_document_date_moves_its_stages_and_their_open_tasks_on_record():
	order = order_with_dates()
	order.delivery_date = "2030-07-05"
	order.save()
	assert key_dates(order) == {"Cut": "2030-06-15", "Inspected": "2030-06-20", "Shipped": "2030-07-05"}
	assert due_dates(order) == {"Book the inspector": "2030-06-17", "Sign the packing list": "2030-07-04"}
	assert changes_of(order)[0] == (
		"Cut", "2030-06-08", "2030-06-15", "Document Field", "Delivery Date changed.", "Administrator"
	)  # fmt: skip


def test_a_stage_with_a_date_field_of_its_own_goes_where_that_field_says():
	order = order_with_dates(later_stages="Keep Order")
	order.delivery_date = "2030-07-05"
	order.inspection_date = "2030-06-25"
	order.save()
	assert key_dates(order) == {"Cut": "2030-06-15", "Inspected": "2030-06-25", "Shipped": "2030-07-05"}


def test_a_document_date_before_an_earlier_stage_is_held_at_that_stage_and_said():
	order = order_with_dates()
	order.inspection_date = "2030-06-01"
	order.save()
	assert key_dates(order)["Inspected"] == "2030-06-08"
	assert due_dates(order)["Book the inspector"] == "2030-06-05"
	messages = [json.loads(one) if isinstance(one, str) else one for one in frappe.local.message_log]
	assert any("its new date" in one["message"] and "It follows once" in one["message"] for one in messages)


def test_completed_tasks_stay_where_they_were():
	order = order_with_dates()
	tasks.complete(task_of(order, "Sign the packing list").name)
	order.delivery_date = "2030-07-05"
	order.save()
	assert due_dates(order) == {"Book the inspector": "2030-06-17", "Sign the packing list": "2030-06-27"}


def test_a_task_set_by_hand_keeps_its_distance_and_never_comes_after_its_stage():
	order = order_with_dates()
	frappe.get_doc("Milestone Task", task_of(order, "Sign the packing list").name).update(
		{"due_date": "2030-06-18"}
	).save()
	order.delivery_date = "2030-07-05"
	order.save()
	assert due_dates(order)["Sign the packing list"] == "2030-06-25"


def test_a_reached_stage_keeps_its_date_when_the_document_date_moves():
	order = order_with_dates()
	order.status = "Cut"
	order.save()
	order.delivery_date = "2030-07-05"
	order.save()
	assert key_dates(order)["Cut"] == "2030-06-08"
	assert key_dates(order)["Shipped"] == "2030-07-05"


def test_clearing_the_document_date_takes_the_dates_away_and_setting_it_brings_them_back():
	order = order_with_dates()
	order.delivery_date = None
	order.save()
	assert key_dates(order) == {"Cut": None, "Inspected": "2030-06-20", "Shipped": None}
	assert due_dates(order)["Sign the packing list"] is None
	order.delivery_date = "2030-06-28"
	order.save()
	assert key_dates(order) == {"Cut": "2030-06-08", "Inspected": "2030-06-20", "Shipped": "2030-06-28"}
	assert due_dates(order)["Sign the packing list"] == "2030-06-27"


def test_shift_too_moves_later_stages_by_the_same_distance_and_back():
	order = order_with_dates()
	before = key_dates(order), due_dates(order)
	move(order, "Cut", "2030-06-15")
	assert key_dates(order) == {"Cut": "2030-06-15", "Inspected": "2030-06-27", "Shipped": "2030-07-05"}
	assert due_dates(order) == {"Book the inspector": "2030-06-24", "Sign the packing list": "2030-07-04"}
	move(order, "Cut", "2030-06-08")
	assert (key_dates(order), due_dates(order)) == before


def test_keep_order_moves_only_what_would_be_overtaken():
	order = order_with_dates(later_stages="Keep Order")
	move(order, "Cut", "2030-06-22")
	assert key_dates(order) == {"Cut": "2030-06-22", "Inspected": "2030-06-22", "Shipped": "2030-06-28"}
	assert due_dates(order)["Book the inspector"] == "2030-06-19"


def test_a_plan_that_asks_wants_an_answer_and_takes_it():
	order = order_with_dates(later_stages="Ask")
	before = key_dates(order)
	with pytest.raises(
		frappe.ValidationError, match=r"Choose what later milestones do: Shift Too or Keep Order."
	):
		move(order, "Cut", "2030-06-10")
	assert key_dates(order) == before
	move(order, "Cut", "2030-06-10", answer="Keep Order")
	assert key_dates(order) == before | {"Cut": "2030-06-10"}
	move(order, "Cut", "2030-06-12", answer="Shift Too")
	assert key_dates(order) == {"Cut": "2030-06-12", "Inspected": "2030-06-22", "Shipped": "2030-06-30"}


def test_a_date_before_an_earlier_stage_is_refused_naming_both():
	order = order_with_dates()
	expected = (
		"Shipped cannot be on .*: the earlier milestone Inspected is on .*. Choose that day or a later one."
	)
	with pytest.raises(frappe.ValidationError, match=expected):
		move(order, "Shipped", "2030-06-19")
	assert key_dates(order)["Shipped"] == "2030-06-28"


def test_a_reached_stage_is_not_moved_by_hand():
	order = order_with_dates()
	order.status = "Cut"
	order.save()
	with pytest.raises(
		frappe.ValidationError, match=r"Cut is reached, so its key date cannot be changed. Undo it first."
	):
		move(order, "Cut", "2030-06-10")


def test_moving_by_hand_needs_a_reason_and_keeps_who_when_and_why():
	order = order_with_dates(later_stages="Keep Order")
	with pytest.raises(frappe.ValidationError, match=r"Enter a reason. It is stored in the log."):
		move(order, "Shipped", "2030-07-01", reason=" ")
	move(order, "Shipped", "2030-07-01")
	assert changes_of(order) == [
		("Shipped", "2030-06-28", "2030-07-01", "Form", "The cloth is late", "Administrator")
	]
	row = stage_of(order, "Shipped")
	assert (str(row.planned_date), str(row.key_date), row.date_by_hand) == ("2030-06-28", "2030-07-01", 1)


def test_saving_the_plan_moves_no_date_and_says_how_one_is_moved():
	order = order_with_dates()
	for field, value in (("key_date", "2030-06-10"), ("key_date", None)):
		plan = plan_of(order)
		plan.stages[0].set(field, value)
		with pytest.raises(
			frappe.ValidationError, match=r"key date of Cut cannot be changed.*Choose Reschedule"
		):
			plan.save()
	assert changes_of(order) == []
	plan = plan_of(order)
	plan.stages[0].key_date = str(plan.stages[0].key_date)  # as the form sends it
	plan.save()


def test_saving_the_plan_changes_nothing():
	order = order_with_dates()
	plan = plan_of(order)
	plan.stages[0].status = "Reached"
	plan.stages[0].open_required = 0
	plan.stages[0].stage_name = "Other"
	plan.save()
	assert stage_of(order, "Cut").status == "Open"
	plan = plan_of(order)
	plan.stages = plan.stages[1:]
	with pytest.raises(frappe.ValidationError, match=r"come from its workflow"):
		plan.save()


def holidays(*days: str) -> None:
	"""A site without Holiday Lists: the weekly days off of the settings."""
	settings = frappe.get_doc("Milestone Settings")
	settings.update({f"off_{day}": int(day in days) for day in DAYS})
	settings.save()


DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def test_working_days_count_back_over_days_off_and_never_end_on_one():
	holidays("saturday", "sunday")
	make_workflow(
		stages=[stage("Inspected", days=-3, working_days=1), stage("Shipped")],
		tasks=[
			task("Inspected", "Book the inspector", days=2, working_days=1),
			task("Shipped", "Sign", days=0, working_days=1),
		],
	)
	# 2030-06-30 is a Sunday.
	order = make_document(delivery_date="2030-06-30")
	assert key_dates(order) == {"Inspected": "2030-06-26", "Shipped": "2030-06-30"}
	assert due_dates(order) == {"Book the inspector": "2030-06-24", "Sign": "2030-06-28"}


def test_days_off_changed_later_roll_tasks_earlier_never_after_their_stage():
	holidays("saturday", "sunday")
	make_workflow(stages=[stage("Shipped")], tasks=[task("Shipped", "Sign", days=0, working_days=1)])
	order = make_document(delivery_date="2030-06-28")
	assert due_dates(order) == {"Sign": "2030-06-28"}
	holidays("friday", "saturday", "sunday")
	order.delivery_date = "2030-07-05"
	order.save()
	assert key_dates(order) == {"Shipped": "2030-07-05"}
	assert due_dates(order) == {"Sign": "2030-07-04"}


def test_dates_out_of_order_in_the_document_are_put_in_order_and_said_in_the_log():
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document(inspection_date="2030-06-01")
	assert key_dates(order) == {"Cut": "2030-06-08", "Inspected": "2030-06-08", "Shipped": "2030-06-28"}
	log = frappe.get_last_doc("Milestone Plan Log", {"plan": plan_of(order).name})
	assert "Inspected would be due on" in log.details


def test_a_document_without_its_date_gives_stages_without_dates_and_tasks_without_due_dates():
	make_workflow(stages=STAGES, tasks=TASKS)
	order = make_document(delivery_date=None)
	assert key_dates(order) == {"Cut": None, "Inspected": None, "Shipped": None}
	assert due_dates(order) == {"Book the inspector": None, "Sign the packing list": None}
	assert plan_of(order).next_date is None


AFTER = {"key_date_rule": "After Previous Milestone", "date_field": None}
BY_HAND = {"key_date_rule": "Set Manually", "date_field": None}


def test_what_counts_from_a_stage_comes_and_goes_with_that_stages_date():
	make_workflow(
		stages=[stage("Cut"), stage("Sewn", days=5, **AFTER), stage("Packed", days=2, **AFTER)], tasks=[]
	)
	order = make_document(delivery_date=None)
	assert key_dates(order) == {"Cut": None, "Sewn": None, "Packed": None}
	for day in ("2030-06-28", None, "2030-06-28"):
		order.delivery_date = day
		order.save()
	assert key_dates(order) == {"Cut": "2030-06-28", "Sewn": "2030-07-03", "Packed": "2030-07-05"}
	order.delivery_date = None
	order.save()
	assert key_dates(order) == {"Cut": None, "Sewn": None, "Packed": None}


def test_a_date_given_by_hand_dates_what_counts_from_it():
	make_workflow(stages=[stage("Cut", **BY_HAND), stage("Sewn", days=5, **AFTER)], tasks=[])
	order = make_document()
	move(order, "Cut", "2030-06-28")
	assert key_dates(order) == {"Cut": "2030-06-28", "Sewn": "2030-07-03"}


def test_a_stage_dated_by_the_one_before_stays_in_order():
	steps = [stage("Approved", **BY_HAND), stage("Cut", days=30, **AFTER), stage("Shipped")]
	make_workflow(stages=steps, tasks=[])
	order = make_document(delivery_date=add_days(nowdate(), 10))
	stages.confirm(plan_of(order).name, "Approved")
	in_a_month = add_days(nowdate(), 30)
	assert key_dates(order) == {"Approved": None, "Cut": in_a_month, "Shipped": in_a_month}


def test_the_date_of_a_skipped_stage_holds_back_no_later_one():
	steps = [stage("Sampled"), stage("Approved", **BY_HAND), stage("Cut", days=30, **AFTER)]
	make_workflow(stages=steps, tasks=[])
	order = make_document()
	stages.confirm(plan_of(order).name, "Approved")
	in_30_days = str(add_days(nowdate(), 30))
	assert key_dates(order) == {"Sampled": "2030-06-28", "Approved": None, "Cut": in_30_days}


def test_a_milestone_that_an_existing_document_has_reached_early_holds_back_no_date_of_a_new_plan():
	steps = [stage("Cut", "Cut"), stage("Packed", date_field="inspection_date")]
	make_workflow(stages=[*steps, stage("Sent", date_field="order_date")], tasks=[])
	soon, next_month = add_days(nowdate(), 5), add_days(nowdate(), 30)
	dates_ = {"delivery_date": next_month, "inspection_date": soon, "order_date": add_days(nowdate(), 4)}
	order = make_document(status="Cut", **dates_)
	# Sent is before Packed, which is still to come.
	assert key_dates(order) == {"Cut": str(next_month), "Packed": str(soon), "Sent": str(soon)}
	assert key_dates(make_document(**dates_)) == dict.fromkeys(("Cut", "Packed", "Sent"), str(next_month))


def test_a_milestone_reached_early_holds_back_no_date_that_counts_from_a_later_one():
	steps = [stage("Sampled"), stage("Approved", **BY_HAND), stage("Cut", days=3, **AFTER)]
	make_workflow(stages=steps, tasks=[])
	order = make_document()
	stages.confirm(plan_of(order).name, "Sampled")
	move(order, "Approved", add_days(nowdate(), 5))
	assert key_dates(order)["Cut"] == str(add_days(nowdate(), 8))


def test_a_date_that_means_no_end_is_no_date_and_stops_nothing():
	make_workflow(stages=[stage("Cut", "Cut"), stage("Shipped", days=5)], tasks=[])
	order = make_document(delivery_date="9999-12-31")
	assert key_dates(order) == {"Cut": None, "Shipped": None}
	order.delivery_date = "2030-06-28"
	order.save()
	order.delivery_date, order.status = "9999-12-31", "Cut"
	order.save()
	assert stage_of(order, "Cut").status == "Reached"
	assert key_dates(order)["Shipped"] is None


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_date_out_of_all_reason_is_refused_with_a_sentence(day):
	make_workflow(stages=[stage("Cut"), stage("Shipped", days=5)], tasks=[])
	order = make_document()
	with pytest.raises(
		frappe.ValidationError, match=r"This date is not valid. Enter a date between the years"
	):
		move(order, "Cut", day)
