"""Moving a running plan to the newest version of its workflow: the preview says it, the move does just that."""

import frappe
import pytest
from frappe.utils import getdate, nowdate

from milestone_automation.engine.plans import ending, starting, version_move
from milestone_automation.engine.progress import rescheduling, stages, tasks
from milestone_automation.engine.store import plan_rows

pytestmark = pytest.mark.one_database


@pytest.fixture
def order(make_doctype):
	return make_doctype(
		"Versioned Order",
		[
			{"fieldname": "title", "fieldtype": "Data"},
			{"fieldname": "status", "fieldtype": "Select", "options": "\nAccepted\nInspected\nShipped"},
			{"fieldname": "delivery_date", "fieldtype": "Date"},
			{"fieldname": "merchandiser", "fieldtype": "Link", "options": "User"},
			{"fieldname": "note", "fieldtype": "Data"},
		],
	)


@pytest.fixture
def workflow(order):
	"""Acceptance (2026-03-20), Inspection (04-10, two tasks), Delivery (05-01, one task): all from the delivery date."""

	def stage(name, days, **values):
		rule = {"key_date_rule": "Document Date Field", "date_field": "delivery_date", "offset_days": days}
		return {"stage_name": name} | rule | values

	return frappe.get_doc(
		{
			"doctype": "Milestone Workflow",
			"workflow_name": "Garments",
			"document_type": order,
			"enabled": 1,
			"stages": [
				stage("Acceptance", -42, kind="Acceptance"),
				stage("Inspection", -21),
				stage("Delivery", 0),
			],
			"tasks": [
				{"stage": "Inspection", "title": "Book inspector", "required": 1, "due_days_before": 7},
				{"stage": "Inspection", "title": "Send samples"},
				{"stage": "Delivery", "title": "Call carrier", "due_days_before": 2},
			],
		}
	).insert()


@pytest.fixture
def document(order, workflow):
	return frappe.get_doc({"doctype": order, "title": "O", "delivery_date": "2026-05-01"}).insert()


@pytest.fixture
def plan(document, workflow) -> str:
	return starting.start(document, workflow.name)


@pytest.fixture
def follow(plan, workflow):
	"""Function `follow()`: save the workflow, preview, move, and return the preview's sentences."""

	def run() -> list[str]:
		workflow.save()
		expected = version_move.preview_move(plan)
		before = frappe.db.get_value("Milestone Plan", plan, "modified")
		assert version_move.preview_move(plan) == expected
		assert frappe.db.get_value("Milestone Plan", plan, "modified") == before
		assert version_move.move(plan) == expected
		assert frappe.db.get_value("Milestone Plan", plan, "workflow_version") == workflow.version
		assert version_move.preview_move(plan) == []
		return [change["text"] for change in expected]

	return run


def stages_of(plan) -> list[tuple]:
	rows = frappe.get_all(
		"Milestone Plan Stage",
		filters={"parent": plan},
		fields=["stage_name", "status", "key_date"],
		order_by="idx",
	)
	return [(row.stage_name, row.status, str(row.key_date or "")) for row in rows]


def tasks_of(plan) -> dict[str, tuple]:
	rows = frappe.get_all(
		"Milestone Task", filters={"plan": plan}, fields=["title", "stage_name", "status", "due_date"]
	)
	return {row.title: (row.stage_name, row.status, str(row.due_date or "")) for row in rows}


def task_named(plan, title) -> str:
	return frappe.db.get_value("Milestone Task", {"plan": plan, "title": title})


def shown(day: str) -> str:
	return frappe.format(day, "Date")


def confirm(plan, stage) -> None:
	stages.confirm(plan, stage, "2026-01-15")


ACCEPTANCE = ("Acceptance", "Open", "2026-03-20")
INSPECTION = ("Inspection", "Open", "2026-04-10")
DELIVERY = ("Delivery", "Open", "2026-05-01")


def test_nothing_changed_nothing_moves(plan, follow):
	assert follow() == []
	assert stages_of(plan) == [ACCEPTANCE, INSPECTION, DELIVERY]


def test_running_plans_stay_untouched_until_they_are_moved(plan, workflow):
	workflow.stages[1].offset_days = -14
	workflow.save()
	assert stages_of(plan) == [ACCEPTANCE, INSPECTION, DELIVERY]


def test_a_new_stage_comes_in_its_place_with_date_and_tasks(plan, workflow, follow):
	workflow.append(
		"stages", {"stage_name": "Shipment", "key_date_rule": "After Previous Milestone", "offset_days": 5}
	)
	workflow.stages = [*workflow.stages[:2], workflow.stages[3], workflow.stages[2]]
	workflow.append("tasks", {"stage": "Shipment", "title": "Pack", "due_days_before": 1, "required": 1})
	assert follow() == [
		f"Shipment is new, key date: {shown('2026-04-15')}.",
		"Shipment: the task Pack is new.",
	]
	assert stages_of(plan) == [ACCEPTANCE, INSPECTION, ("Shipment", "Open", "2026-04-15"), DELIVERY]
	assert tasks_of(plan)["Pack"] == ("Shipment", "Open", "2026-04-14")


def test_a_removed_stage_goes_and_its_open_tasks_are_cancelled(plan, workflow, follow):
	tasks.complete(task_named(plan, "Send samples"))
	workflow.stages = [workflow.stages[0], workflow.stages[2]]
	workflow.tasks = [workflow.tasks[2]]
	assert follow() == ["Inspection is removed.", "Inspection: the open task Book inspector is cancelled."]
	assert stages_of(plan) == [ACCEPTANCE, DELIVERY]
	assert tasks_of(plan) == {
		"Book inspector": ("Inspection", "Cancelled", "2026-04-03"),
		"Send samples": ("Inspection", "Completed", "2026-04-10"),
		"Call carrier": ("Delivery", "Open", "2026-04-29"),
	}


def test_a_cancelled_task_says_which_version_it_went_with(plan, workflow, follow):
	workflow.tasks = workflow.tasks[1:]
	follow()
	reason = frappe.db.get_value("Milestone Task", task_named(plan, "Book inspector"), "reason")
	assert reason == "The plan was moved to version 2 of its workflow."


def test_a_reached_stage_stays_as_it_is_though_the_workflow_changed_it(plan, workflow, follow):
	confirm(plan, "Acceptance")
	workflow.stages[0].update({"stage_name": "PO accepted", "offset_days": -50})
	assert follow() == []
	assert stages_of(plan)[0] == ("Acceptance", "Reached", "2026-03-20")


def test_a_reached_stage_the_workflow_no_longer_has_stays_in_its_place(plan, workflow, follow):
	confirm(plan, "Acceptance")
	workflow.stages = workflow.stages[1:]
	assert follow() == []
	assert stages_of(plan) == [("Acceptance", "Reached", "2026-03-20"), INSPECTION, DELIVERY]


def test_a_renamed_stage_takes_its_tasks_along(plan, workflow, follow):
	workflow.stages[1].stage_name = "Final inspection"
	assert follow() == ["Inspection is now called Final inspection."]
	assert stages_of(plan)[1] == ("Final inspection", "Open", "2026-04-10")
	assert tasks_of(plan)["Send samples"] == ("Final inspection", "Open", "2026-04-10")


def test_a_changed_date_rule_moves_stage_and_tasks_and_is_on_record(plan, workflow, follow):
	workflow.stages[1].offset_days = -14
	assert follow() == [
		"Inspection changes: Days.",
		f"Inspection moves from {shown('2026-04-10')} to {shown('2026-04-17')}.",
	]
	assert stages_of(plan)[1] == ("Inspection", "Open", "2026-04-17")
	assert tasks_of(plan)["Book inspector"] == ("Inspection", "Open", "2026-04-10")
	change = frappe.get_last_doc("Milestone Date Change", {"plan": plan})
	assert (str(change.old_date), str(change.new_date), change.source, change.reason) == (
		"2026-04-10",
		"2026-04-17",
		"Workflow Version",
		"The plan was moved to version 2 of its workflow.",
	)


def test_a_date_set_by_hand_stays_though_the_rule_changed(plan, workflow, follow):
	rescheduling.reschedule(plan, "Inspection", "2026-04-12", "Inspector is ill", answer="Keep Order")
	workflow.stages[1].offset_days = -14
	follow()
	assert stages_of(plan)[1] == ("Inspection", "Open", "2026-04-12")


def test_a_date_that_moved_with_the_plan_stays_while_its_rule_stands(plan, workflow, follow):
	rescheduling.reschedule(plan, "Acceptance", "2026-03-25", "Late contract")
	shifted = stages_of(plan)
	workflow.stages[1].custom_message = "Ready?"
	assert follow() == ["Inspection changes: Custom Message."]
	assert stages_of(plan) == shifted


def test_dates_stay_in_order(plan, workflow, follow):
	today = frappe.utils.nowdate()
	workflow.append("stages", {"stage_name": "Customs", "key_date_rule": "After Creation"})
	workflow.stages = [*workflow.stages[:2], workflow.stages[3], workflow.stages[2]]
	assert follow() == [
		f"Customs is new, key date: {shown(today)}.",
		f"Delivery moves from {shown('2026-05-01')} to {shown(today)}.",
	]
	assert tasks_of(plan)["Call carrier"] == ("Delivery", "Open", str(frappe.utils.add_days(today, -2)))


def test_what_was_pulled_ahead_after_a_milestone_reached_early_stays_there(plan, workflow, follow):
	confirm(plan, "Acceptance")
	rescheduling.reschedule(plan, "Inspection", "2026-02-10", "Ahead of time", answer="Keep Order")
	workflow.stages[1].custom_message = "Ready?"
	assert follow() == ["Inspection changes: Custom Message."]
	assert [day for _name, _status, day in stages_of(plan)] == ["2026-03-20", "2026-02-10", "2026-05-01"]


def test_a_milestone_that_was_skipped_holds_back_nothing_that_was_pulled_ahead(plan, workflow, follow):
	tasks.complete(task_named(plan, "Book inspector"))
	confirm(plan, "Inspection")
	rescheduling.reschedule(plan, "Delivery", "2026-03-01", "Ahead of time", answer="Keep Order")
	workflow.stages[2].custom_message = "Ready?"
	assert follow() == ["Delivery changes: Custom Message."]
	assert [day for _name, _status, day in stages_of(plan)] == ["2026-03-20", "2026-04-10", "2026-03-01"]


def test_a_new_stage_counts_from_the_day_on_which_the_one_before_was_reached(plan, workflow, follow):
	confirm(plan, "Acceptance")
	rule = {"key_date_rule": "After Previous Milestone", "offset_days": 5}
	workflow.append("stages", {"stage_name": "Sampling"} | rule)
	workflow.stages = [workflow.stages[0], workflow.stages[3], *workflow.stages[1:3]]
	assert follow() == [f"Sampling is new, key date: {shown('2026-01-20')}."]


def test_a_changed_task_follows_its_new_rule(plan, workflow, follow, make_user):
	workflow.tasks[0].update(
		{
			"due_days_before": 10,
			"required": 0,
			"assignee_kind": "One Team Member",
			"assignee_user": make_user("ina@example.com", ["Milestone Manager"]),
		}
	)
	assert follow() == [
		"Inspection: the task Book inspector changes: Required, Assignee, Team Member, Due Days Before Milestone."
	]
	name = task_named(plan, "Book inspector")
	assert tasks_of(plan)["Book inspector"] == ("Inspection", "Open", "2026-03-31")
	assert frappe.get_all("Milestone Task Assignee", {"parent": name}, pluck="user") == ["ina@example.com"]
	assert frappe.db.get_value("ToDo", {"reference_name": name}, "allocated_to") == "ina@example.com"
	assert (
		frappe.db.get_value(
			"Milestone Plan Stage", {"parent": plan, "stage_name": "Inspection"}, "open_required"
		)
		== 0
	)


def test_a_completed_task_stays_though_the_workflow_changed_it(plan, workflow, follow):
	tasks.complete(task_named(plan, "Book inspector"))
	workflow.tasks[0].due_days_before = 10
	assert follow() == []
	assert tasks_of(plan)["Book inspector"] == ("Inspection", "Completed", "2026-04-03")


def test_a_task_moved_to_another_stage_goes_there(plan, workflow, follow):
	workflow.tasks[1].stage = "Delivery"
	assert follow() == ["Delivery: the task Send samples changes: Milestone."]
	assert tasks_of(plan)["Send samples"] == ("Delivery", "Open", "2026-05-01")


def test_a_task_added_by_hand_stays(plan, workflow, follow):
	tasks.add(plan, "Inspection", title="Buy cake")
	workflow.tasks = workflow.tasks[2:]
	follow()
	assert tasks_of(plan)["Buy cake"] == ("Inspection", "Open", "2026-04-10")


def test_a_stage_that_became_an_acceptance_keeps_no_open_tasks(plan, workflow, follow):
	tasks.add(plan, "Inspection", title="Buy cake")
	workflow.stages[1].kind = "Acceptance"
	workflow.tasks = workflow.tasks[2:]
	follow()
	assert {title: status for title, (_s, status, _d) in tasks_of(plan).items()} == {
		"Book inspector": "Cancelled",
		"Send samples": "Cancelled",
		"Buy cake": "Cancelled",
		"Call carrier": "Open",
	}


def test_no_new_tasks_for_a_reached_stage(plan, workflow, follow):
	confirm(plan, "Acceptance")
	workflow.stages[0].kind = "Standard"
	workflow.append("tasks", {"stage": "Acceptance", "title": "File contract"})
	assert follow() == []
	assert "File contract" not in tasks_of(plan)


def test_a_removed_task_that_comes_back_is_made_anew(plan, workflow, follow):
	workflow.tasks = workflow.tasks[1:]
	follow()
	workflow.append("tasks", {"stage": "Inspection", "title": "Book inspector"})
	assert follow() == ["Inspection: the task Book inspector is new."]
	statuses = frappe.get_all("Milestone Task", {"plan": plan, "title": "Book inspector"}, pluck="status")
	assert sorted(statuses) == ["Cancelled", "Open"]


def test_a_task_somebody_cancelled_stays_cancelled(plan, workflow, follow):
	tasks.cancel(task_named(plan, "Send samples"), "Not needed")
	workflow.stages[1].custom_message = "Ready?"
	follow()
	assert tasks_of(plan)["Send samples"][1] == "Cancelled"


def test_rows_made_anew_in_the_workflow_are_known_by_their_names(plan, workflow, follow):
	for table in ("stages", "tasks"):
		rows = [row.as_dict() for row in workflow.get(table)]
		workflow.set(table, [])
		for row in rows:
			workflow.append(
				table, {k: v for k, v in row.items() if k not in ("name", "idx", "parent", "creation")}
			)
	assert follow() == []
	assert stages_of(plan) == [ACCEPTANCE, INSPECTION, DELIVERY]


def test_rules_of_the_plan_follow_the_workflow(plan, workflow, follow):
	workflow.update({"earlier_tasks_block": 1, "later_stages": "Ask"})
	assert follow() == [
		"The plan changes: Block Later Milestones While Required Tasks of Earlier Ones Are Open, When a Date Moves, Later Milestones."
	]
	assert frappe.db.get_value("Milestone Plan", plan, ["earlier_tasks_block", "later_stages"]) == (1, "Ask")


def test_a_new_team_gets_the_teams_tasks(plan, workflow, follow, make_user):
	knitters, weavers = (
		frappe.get_doc({"doctype": "Role", "role_name": n}).insert().name for n in ("Knitter", "Weaver")
	)
	anna, ben = make_user("anna@example.com", [knitters]), make_user("ben@example.com", [weavers])
	workflow.team_role = knitters
	workflow.tasks[0].assignee_kind = "Whole Team"
	follow()
	name = task_named(plan, "Book inspector")
	assert frappe.get_all("Milestone Task Assignee", {"parent": name}, pluck="user") == [anna]
	workflow.team_role = weavers
	follow()
	assert frappe.get_all("Milestone Task Assignee", {"parent": name}, pluck="user") == [ben]


def test_a_new_stage_the_document_fulfils_already_comes_as_reached(plan, workflow, document, follow):
	document.status = "Accepted"
	document.save()
	workflow.append(
		"stages",
		{
			"stage_name": "Order accepted",
			"key_date_rule": "After Creation",
			"reach_rule": "Field Value",
			"track_field": "status",
			"track_value": "Accepted",
		},
	)
	assert follow() == ["Order accepted is new and already reached."]
	assert [status for name, status, _day in stages_of(plan) if name == "Order accepted"] == ["Reached"]


def test_a_moved_plan_acts_on_the_fields_of_its_new_version(plan, workflow, document, follow):
	workflow.stages[2].update(
		{"reach_rule": "Field Value", "track_field": "status", "track_value": "Shipped"}
	)
	follow()
	document = frappe.get_doc(document.doctype, document.name)
	document.status = "Shipped"
	document.save()
	assert stages_of(plan)[2] == ("Delivery", "Reached", "2026-05-01")


def test_a_completed_plan_runs_again_when_a_stage_is_added(plan, workflow, follow):
	tasks.complete(task_named(plan, "Book inspector"))
	for stage in ("Acceptance", "Inspection", "Delivery"):
		confirm(plan, stage)
	assert frappe.db.get_value("Milestone Plan", plan, "status") == "Completed"
	workflow.append("stages", {"stage_name": "Payment", "key_date_rule": "Set Manually"})
	assert follow() == ["Payment is new, key date: no date."]
	assert frappe.db.get_value("Milestone Plan", plan, ["status", "current_stage"]) == ("Active", "Payment")


def test_a_cancelled_plan_is_not_moved(plan, workflow):
	ending.cancel(plan_rows.load_by_name(plan, lock=True), "Over")
	with pytest.raises(frappe.ValidationError, match="is cancelled"):
		version_move.move(plan)


def test_a_move_is_refused_when_nothing_would_be_left(plan, workflow):
	workflow.update({"stages": [], "tasks": [], "enabled": 0})
	workflow.save()
	with pytest.raises(frappe.ValidationError, match="The workflow Garments has no milestones"):
		version_move.move(plan)


def test_the_move_is_in_the_plans_log(plan, workflow, follow):
	workflow.stages[1].stage_name = "Final inspection"
	follow()
	log = frappe.get_last_doc("Milestone Plan Log", {"plan": plan, "event": "Plan Moved to New Version"})
	assert log.details == "Inspection is now called Final inspection."
	assert log.done_by == "Administrator"


# Tasks that can be done, and by whom


def test_an_open_task_meant_for_a_reached_stage_goes_with_the_stage_it_had(plan, workflow, follow):
	confirm(plan, "Delivery")
	for row in workflow.tasks[:2]:
		row.stage = "Delivery"
	workflow.stages = [workflow.stages[0], workflow.stages[2]]
	assert follow() == [
		"Inspection is removed.",
		"Inspection: the open task Book inspector is cancelled.",
		"Inspection: the open task Send samples is cancelled.",
	]
	assert tasks_of(plan)["Book inspector"][1] == "Cancelled"


def test_an_open_task_meant_for_a_reached_stage_goes_when_its_own_becomes_an_acceptance(
	plan, workflow, follow
):
	confirm(plan, "Delivery")
	for row in workflow.tasks[:2]:
		row.stage = "Delivery"
	workflow.stages[1].kind = "Acceptance"
	follow()
	assert {title: status for title, (_s, status, _d) in tasks_of(plan).items()} == {
		"Book inspector": "Cancelled",
		"Send samples": "Cancelled",
		"Call carrier": "Open",
	}


def test_an_open_task_under_its_reached_stage_stays(plan, workflow, follow):
	confirm(plan, "Delivery")
	workflow.tasks[2].due_days_before = 5
	assert follow() == []
	assert tasks_of(plan)["Call carrier"] == ("Delivery", "Open", "2026-04-29")


def test_a_task_of_a_stage_that_is_gone_cannot_be_reopened(plan, workflow, follow):
	tasks.complete(task_named(plan, "Send samples"))
	workflow.stages = [workflow.stages[0], workflow.stages[2]]
	workflow.tasks = [workflow.tasks[2]]
	follow()
	with pytest.raises(
		frappe.ValidationError, match="its milestone Inspection is no longer part of the plan"
	):
		tasks.reopen(task_named(plan, "Send samples"), "Still needed")


def test_a_task_of_a_stage_that_became_an_acceptance_cannot_be_reopened(plan, workflow, follow):
	workflow.stages[1].kind = "Acceptance"
	workflow.tasks = [workflow.tasks[2]]
	follow()
	with pytest.raises(
		frappe.ValidationError, match="Inspection is an acceptance milestone and cannot have tasks"
	):
		tasks.reopen(task_named(plan, "Send samples"), "Still needed")


def due_by_hand(plan, title, day) -> None:
	task = frappe.get_doc("Milestone Task", task_named(plan, title))
	task.due_date = day
	task.save()


def test_a_date_set_by_hand_goes_along_to_another_stage_though_the_old_one_moves(plan, workflow, follow):
	due_by_hand(plan, "Call carrier", "2026-04-09")
	workflow.tasks[2].stage = "Inspection"
	workflow.stages[2].offset_days = 10
	follow()
	assert tasks_of(plan)["Call carrier"] == ("Inspection", "Open", "2026-04-09")


def test_a_date_set_by_hand_is_never_after_the_new_stage(plan, workflow, follow):
	due_by_hand(plan, "Call carrier", "2026-04-20")
	workflow.tasks[2].stage = "Inspection"
	workflow.stages[2].offset_days = 10
	follow()
	assert tasks_of(plan)["Call carrier"] == ("Inspection", "Open", "2026-04-10")


def test_a_date_set_by_hand_keeps_its_distance_when_its_stage_moves(plan, workflow, follow):
	due_by_hand(plan, "Call carrier", "2026-04-20")
	workflow.tasks[2].required = 1
	workflow.stages[2].offset_days = 10
	follow()
	assert tasks_of(plan)["Call carrier"] == ("Delivery", "Open", "2026-04-30")


def test_who_has_done_their_part_is_not_asked_again(order, workflow, make_user):
	anna, ben, cleo = (
		make_user(f"{name}@example.com", ["Milestone Manager"]) for name in ("anna", "ben", "cleo")
	)
	workflow.tasks[0].update(
		{"assignee_kind": "User Field", "assignee_field": "title", "completion_rule": "All Of"}
	)
	workflow.save()
	people = {"title": f"{anna}, {ben}", "note": f"{cleo}, {anna}"}
	plan = starting.start(frappe.get_doc({"doctype": order, **people}).insert(), workflow.name)
	name = task_named(plan, "Book inspector")
	tasks.complete(name, by=anna)
	workflow.tasks[0].assignee_field = "note"
	workflow.save()
	version_move.move(plan)
	rows = frappe.get_doc("Milestone Task", name).assignees
	assert [(row.user, row.done) for row in rows] == [(anna, 1), (cleo, 0)]
	assert frappe.get_all("ToDo", {"reference_name": name, "status": "Open"}, pluck="allocated_to") == [cleo]


# Stages whose value the document has now, and names


def by_status(value: str) -> dict:
	return {"reach_rule": "Field Value", "track_field": "status", "track_value": value}


@pytest.fixture
def inspected(document, plan):
	"""The document has the value, which no stage asks for yet."""
	document.status = "Inspected"
	document.save()


def test_a_stage_whose_new_rule_fits_the_document_is_reached(plan, workflow, follow, inspected):
	tasks.complete(task_named(plan, "Book inspector"))
	workflow.stages[1].update(by_status("Inspected"))
	assert follow() == [
		"Inspection changes: Reached When, Field, Value.",
		"Inspection is reached: the document has the value for it.",
	]
	row = frappe.get_doc("Milestone Plan Stage", {"parent": plan, "stage_name": "Inspection"})
	assert (row.status, row.health, row.reached_on) == ("Reached", "Done", getdate(nowdate()))
	log = frappe.get_last_doc("Milestone Plan Log", {"plan": plan, "event": "Milestone Reached"})
	assert log.stage_name == "Inspection"


def test_a_stage_whose_new_rule_fits_the_document_stays_open_while_required_tasks_hold_it(
	plan, workflow, follow, inspected
):
	workflow.stages[1].update(by_status("Inspected"))
	workflow.append("tasks", {"stage": "Inspection", "title": "Print labels", "required": 1})
	assert follow() == [
		"Inspection changes: Reached When, Field, Value.",
		"Inspection stays open although the document has the value for it: 2 required tasks are open. "
		"Confirm it once they are done.",
		"Inspection: the task Print labels is new.",
	]
	assert stages_of(plan)[1] == INSPECTION
	for title in ("Book inspector", "Print labels"):
		tasks.complete(task_named(plan, title))
	confirm(plan, "Inspection")
	assert stages_of(plan)[1][1] == "Reached"


def test_tasks_that_go_or_are_no_longer_required_hold_nothing(plan, workflow, follow, inspected):
	workflow.stages[1].update(by_status("Inspected"))
	workflow.tasks[0].required = 0
	follow()
	assert stages_of(plan)[1][1] == "Reached"


def test_in_order_a_stage_whose_new_rule_fits_waits_for_earlier_ones(plan, workflow, follow, inspected):
	workflow.reached_in_order = 1
	workflow.stages[2].update(by_status("Inspected"))
	assert follow()[1].endswith("milestones are reached in order, and Acceptance, Inspection comes first.")
	assert stages_of(plan) == [ACCEPTANCE, INSPECTION, DELIVERY]


def test_earlier_tasks_hold_a_stage_whose_new_rule_fits_where_the_workflow_says_so(
	plan, workflow, follow, inspected
):
	workflow.earlier_tasks_block = 1
	workflow.stages[2].update(by_status("Inspected"))
	assert follow()[1].startswith("Delivery stays open although the document has the value for it: 1 ")
	assert stages_of(plan) == [ACCEPTANCE, INSPECTION, DELIVERY]


def test_a_stage_that_only_warns_is_reached_with_a_warning_on_record(plan, workflow, follow, inspected):
	workflow.stages[1].update(by_status("Inspected") | {"gate_mode": "Warn"})
	follow()
	assert stages_of(plan)[1][1] == "Reached"
	log = frappe.get_last_doc("Milestone Plan Log", {"plan": plan, "event": "Reached with Warning"})
	assert log.details == "Book inspector"


def test_an_undone_stage_stays_open_while_its_rule_stands(plan, workflow, document, follow):
	workflow.stages[2].update(by_status("Shipped"))
	follow()
	document = frappe.get_doc(document.doctype, document.name)
	document.status = "Shipped"
	document.save()
	stages.undo(plan, "Delivery", "Not yet")
	workflow.stages[2].custom_message = "Ready?"
	follow()
	assert stages_of(plan)[2] == DELIVERY


def test_a_reached_stage_gives_its_old_name_to_a_new_one(plan, workflow, follow):
	tasks.complete(task_named(plan, "Book inspector"))
	confirm(plan, "Inspection")
	workflow.stages[1].stage_name = "First inspection"
	for row in workflow.tasks[:2]:
		row.stage = "First inspection"
	workflow.append("stages", {"stage_name": "Inspection", "key_date_rule": "Set Manually"})
	assert follow() == [
		"Inspection is now called First inspection.",
		"Inspection is new, key date: no date.",
	]
	assert [name for name, _status, _day in stages_of(plan)] == [
		"Acceptance",
		"First inspection",
		"Delivery",
		"Inspection",
	]
	assert tasks_of(plan)["Book inspector"][0] == "First inspection"


def test_a_reached_stage_that_is_gone_gives_its_name_to_a_renamed_one(plan, workflow, follow):
	confirm(plan, "Acceptance")
	workflow.stages = workflow.stages[1:]
	workflow.stages[0].stage_name = "Acceptance"
	for row in workflow.tasks[:2]:
		row.stage = "Acceptance"
	assert follow() == [
		"Acceptance is now called Acceptance (2).",
		"Inspection is now called Acceptance.",
	]
	assert [name for name, _status, _day in stages_of(plan)] == ["Acceptance (2)", "Acceptance", "Delivery"]


def test_a_plan_of_500_tasks_moves_without_a_query_for_each(order, count_queries):
	def moved(size: int) -> int:
		workflow = frappe.get_doc(
			{
				"doctype": "Milestone Workflow",
				"workflow_name": f"Size {size}",
				"document_type": order,
				"enabled": 1,
				"stages": [{"stage_name": f"S{n}", "key_date_rule": "After Creation"} for n in range(size)],
				"tasks": [{"stage": f"S{n % size}", "title": f"T{n}"} for n in range(10 * size)],
			}
		).insert()
		plan = starting.start(frappe.get_doc({"doctype": order}).insert(), workflow.name)
		for row in (*workflow.stages, *workflow.tasks):
			row.working_days = 1
		workflow.save()
		with count_queries() as queries:
			version_move.move(plan)
		return queries.count

	moved(3)
	assert moved(50) <= moved(5) + 5
