"""Tasks: complete, reopen, waive, cancel, add - by the calls, by saving, by the list of to-dos - and who may."""

import frappe
import frappe.client
import pytest
from frappe.utils import add_days

from milestone_automation import api
from milestone_automation.desk.timeline import timeline
from milestone_automation.engine.progress import rescheduling, tasks
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	PARTNER_ROLE,
	READER_ROLE,
	collaborator,
	events_of,
	make_document,
	make_workflow,
	member,
	open_required,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

pytestmark = pytest.mark.usefixtures("production_order")

TITLE = "Sign the packing list"
ERIKA = "erika@example.com"
MAX = "max@example.com"


@pytest.fixture
def people(make_user):
	make_user(ERIKA, [READER_ROLE], first_name="Erika", last_name="Muster")
	make_user(MAX, [READER_ROLE], first_name="Max", last_name="Muster")
	make_user("manager@example.com", [READER_ROLE, "Milestone Manager"])


def order_with_task(**row):
	make_workflow(
		stages=[stage("Shipped", "Shipped"), stage("Signed off", kind="Acceptance")],
		tasks=[task("Shipped", TITLE, days=1, **row)],
	)
	return make_document()


def log_of(order):
	return frappe.get_last_doc("Milestone Plan Log", {"plan": plan_of(order).name})


# Transitions


def test_completing_a_task_says_who_and_when_and_frees_its_stage(people, as_user):
	order = order_with_task(**member(ERIKA))
	with as_user(ERIKA):
		api.complete_task(task_of(order, TITLE).name)
	done = task_of(order, TITLE)
	assert (done.status, done.closed_by, done.assignees[0].done) == ("Completed", ERIKA, 1)
	assert done.closed_on and done.assignees[0].done_on
	assert stage_of(order, "Shipped").open_required == 0
	assert (log_of(order).event, log_of(order).done_by, log_of(order).details) == (
		"Task Completed",
		ERIKA,
		TITLE,
	)


def test_completing_twice_changes_nothing():
	order = order_with_task()
	name = task_of(order, TITLE).name
	assert tasks.complete(name) == "Completed"
	closed_on = task_of(order, TITLE).closed_on
	assert tasks.complete(name) == "Completed"
	assert task_of(order, TITLE).closed_on == closed_on
	assert events_of(order).count("Task Completed") == 1


@pytest.mark.parametrize(
	("transition", "status", "event"),
	[("waive", "Waived", "Task Waived"), ("cancel", "Cancelled", "Task Cancelled")],
)
def test_waiving_and_cancelling_need_a_reason_and_keep_it(transition, status, event):
	order = order_with_task()
	name = task_of(order, TITLE).name
	with pytest.raises(frappe.ValidationError, match=r"Enter a reason. It is stored in the log."):
		getattr(tasks, transition)(name, " ")
	assert task_of(order, TITLE).status == "Open"
	getattr(tasks, transition)(name, "The buyer does not ask for it")
	closed = task_of(order, TITLE)
	assert (closed.status, closed.reason, closed.closed_by) == (
		status,
		"The buyer does not ask for it",
		"Administrator",
	)
	assert (log_of(order).event, log_of(order).reason) == (event, "The buyer does not ask for it")
	assert stage_of(order, "Shipped").open_required == 0
	with pytest.raises(frappe.ValidationError, match=rf"The task {TITLE} is {status}. Reopen it first."):
		tasks.complete(name)


def test_reopening_needs_a_reason_and_holds_the_stage_again():
	order = order_with_task()
	name = task_of(order, TITLE).name
	with pytest.raises(frappe.ValidationError, match=rf"The task {TITLE} is already open."):
		tasks.reopen(name, "Why not")
	tasks.complete(name)
	with pytest.raises(frappe.ValidationError, match=r"Enter a reason"):
		tasks.reopen(name, "")
	tasks.reopen(name, "A page is missing")
	opened = task_of(order, TITLE)
	assert (opened.status, opened.closed_on, opened.closed_by, opened.reason) == (
		"Open",
		None,
		None,
		"A page is missing",
	)
	assert stage_of(order, "Shipped").open_required == 1


@pytest.mark.parametrize("days", [-12, 12])
def test_a_reopened_task_catches_up_with_the_moves_of_its_stage(days):
	order = order_with_task()
	name = task_of(order, TITLE).name
	tasks.complete(name)
	closed = task_of(order, TITLE)
	order.delivery_date = add_days(order.delivery_date, days)
	order.save()
	assert task_of(order, TITLE).due_date == closed.due_date
	tasks.reopen(name, "A page is missing")
	assert task_of(order, TITLE).due_date == add_days(stage_of(order, "Shipped").key_date, -1)


def test_a_task_dated_by_hand_is_reopened_on_its_day_but_not_after_its_stage():
	order = order_with_task()
	doc = frappe.get_doc("Milestone Task", task_of(order, TITLE).name)
	doc.due_date = by_hand = add_days(doc.due_date, -5)
	doc.save()
	tasks.complete(doc.name)
	tasks.reopen(doc.name, "A page is missing")
	assert task_of(order, TITLE).due_date == by_hand
	tasks.complete(doc.name)
	sooner = add_days(by_hand, -3)
	rescheduling.reschedule(plan_of(order).name, "Shipped", sooner, "The buyer wants it sooner")
	doc.reload()
	doc.status, doc.reason = "Open", "A page is missing again"
	doc.save()
	assert (doc.status, doc.due_date) == ("Open", sooner)
	assert task_of(order, TITLE).due_date == sooner


def test_a_task_of_a_reached_stage_cannot_be_reopened():
	order = order_with_task()
	tasks.complete(task_of(order, TITLE).name)
	order.status = "Shipped"
	order.save()
	with pytest.raises(frappe.ValidationError, match=rf"Undo it first, then reopen the task {TITLE}."):
		tasks.reopen(task_of(order, TITLE).name, "Too late")
	assert task_of(order, TITLE).status == "Completed"


def test_of_a_task_for_all_each_assignee_does_a_part(people, as_user, make_user):
	order = order_with_task(assignee_kind="Role", assignee_role=READER_ROLE, completion_rule="All Of")
	frappe.get_doc("User", "manager@example.com").remove_roles(READER_ROLE)
	name = task_of(order, TITLE).name
	everybody = {row.user for row in task_of(order, TITLE).assignees}
	assert {ERIKA, MAX} <= everybody
	for user in sorted(everybody):
		assert task_of(order, TITLE).status == "Open"
		assert stage_of(order, "Shipped").open_required == 1
		if user in (ERIKA, MAX):
			with as_user(user):
				api.complete_task(name)
		else:
			api_complete_for(name, user)
	assert task_of(order, TITLE).status == "Completed"
	assert stage_of(order, "Shipped").open_required == 0


def api_complete_for(name: str, user: str) -> None:
	tasks.complete(name, by=user)


def test_a_manager_completes_a_task_for_all(people, as_user):
	order = order_with_task(assignee_kind="Role", assignee_role=CLERK_ROLE, completion_rule="All Of")
	with as_user("manager@example.com"):
		api.complete_task(task_of(order, TITLE).name)
	assert task_of(order, TITLE).status == "Completed"


def test_a_person_without_an_account_is_an_assignee_by_address():
	order = order_with_task(**collaborator("agent@port.example", "Port Agent"))
	row = task_of(order, TITLE).assignees[0]
	assert (row.user, row.full_name, row.email) == (None, "Port Agent", "agent@port.example")
	tasks.complete(task_of(order, TITLE).name, by="agent@port.example")
	done = task_of(order, TITLE)
	assert (done.status, done.closed_by, done.assignees[0].done) == ("Completed", "agent@port.example", 1)


# Who may


def test_who_is_no_assignee_may_neither_complete_nor_reopen(people, as_user):
	order = order_with_task(**member(ERIKA))
	name = task_of(order, TITLE).name
	with as_user(MAX), pytest.raises(frappe.PermissionError, match=r"Only an assignee of the task"):
		api.complete_task(name)
	with as_user(ERIKA):
		api.complete_task(name)
	with as_user(MAX), pytest.raises(frappe.PermissionError, match=r"Only an assignee of the task"):
		api.reopen_task(name, "I doubt it")
	assert task_of(order, TITLE).status == "Completed"


@pytest.mark.parametrize("call", ["waive_task", "cancel_task"])
def test_only_managers_waive_and_cancel(people, as_user, call):
	order = order_with_task(**member(ERIKA))
	name = task_of(order, TITLE).name
	with as_user(ERIKA), pytest.raises(frappe.PermissionError, match=r"System Manager or Milestone Manager"):
		getattr(api, call)(name, "I do not want to")
	assert task_of(order, TITLE).status == "Open"
	with as_user("manager@example.com"):
		getattr(api, call)(name, "Agreed with the buyer")
	assert task_of(order, TITLE).closed_by == "manager@example.com"


def test_a_manager_who_may_not_read_the_document_may_not_waive(make_user, as_user):
	make_user("blind@example.com", ["Milestone Manager"])
	order = order_with_task()
	with as_user("blind@example.com"), pytest.raises(frappe.PermissionError):
		api.waive_task(task_of(order, TITLE).name, "Cannot see it")
	assert task_of(order, TITLE).status == "Open"


def test_a_website_user_completes_the_own_task_and_sees_nothing_of_the_plan(make_user, as_user):
	make_user("partner@example.com", [PARTNER_ROLE], user_type="Website User")

	frappe.get_doc("User", "partner@example.com").remove_roles(PARTNER_ROLE)
	order = order_with_task(**member("partner@example.com"))
	name = task_of(order, TITLE).name
	with as_user("partner@example.com"):
		assert api.complete_task(name) == {"task": name, "status": "Completed"}
	assert task_of(order, TITLE).closed_by == "partner@example.com"


# By saving the task


def test_a_manager_who_saves_a_task_as_completed_completes_it(people, as_user):
	order = order_with_task(**member(ERIKA))
	with as_user("manager@example.com"):
		doc = frappe.get_doc("Milestone Task", task_of(order, TITLE).name)
		doc.status = "Completed"
		doc.save()
		assert doc.status == "Completed"
		doc.description = "Two copies"
		doc.save()
	done = task_of(order, TITLE)
	assert (done.status, done.closed_by, done.description) == (
		"Completed",
		"manager@example.com",
		"Two copies",
	)
	assert stage_of(order, "Shipped").open_required == 0
	assert events_of(order).count("Task Completed") == 1


def test_an_assignee_who_saves_the_task_as_completed_completes_it_and_another_may_not(people, as_user):
	order = order_with_task(**member(ERIKA))
	name = task_of(order, TITLE).name
	with as_user(MAX), pytest.raises(frappe.PermissionError):
		frappe.get_doc("Milestone Task", name).update({"status": "Completed"}).save()
	with as_user(ERIKA):
		frappe.get_doc("Milestone Task", name).update({"status": "Completed"}).save()
	assert task_of(order, TITLE).status == "Completed"
	assert task_of(order, TITLE).assignees[0].done == 1


@pytest.mark.parametrize("status", ["Waived", "Cancelled"])
def test_waiving_and_cancelling_by_saving_need_a_manager_and_a_reason(people, as_user, status):
	order = order_with_task(**member(ERIKA))
	name = task_of(order, TITLE).name
	given = {"status": status, "reason": "Agreed with the buyer"}
	with as_user(ERIKA), pytest.raises(frappe.PermissionError):
		frappe.get_doc("Milestone Task", name).update(given).save()
	with as_user("manager@example.com"):
		frappe.db.savepoint("request")
		with pytest.raises(frappe.ValidationError, match=r"Enter a reason"):
			frappe.get_doc("Milestone Task", name).update({"status": status}).save()
		frappe.db.rollback(save_point="request")
		assert task_of(order, TITLE).status == "Open"
		frappe.get_doc("Milestone Task", name).update(given).save()
	assert (task_of(order, TITLE).status, task_of(order, TITLE).reason) == (status, "Agreed with the buyer")


def test_reopening_by_saving_needs_a_reason():
	order = order_with_task()
	name = task_of(order, TITLE).name
	tasks.complete(name)
	with pytest.raises(frappe.ValidationError, match=r"Enter a reason"):
		frappe.get_doc("Milestone Task", name).update({"status": "Open"}).save()
	frappe.get_doc("Milestone Task", name).update({"status": "Open", "reason": "A page is missing"}).save()
	assert task_of(order, TITLE).status == "Open"
	assert stage_of(order, "Shipped").open_required == 1


def test_who_closed_a_task_and_when_cannot_be_set_by_saving():
	order = order_with_task()
	doc = frappe.get_doc("Milestone Task", task_of(order, TITLE).name)
	doc.update({"status": "Completed", "closed_by": "somebody@example.com"})
	with pytest.raises(frappe.ValidationError, match=r"cannot be changed here"):
		doc.save()


def test_a_task_cannot_be_inserted_as_done():
	order = order_with_task()
	values = {
		"doctype": "Milestone Task",
		"title": "Weigh",
		"plan": plan_of(order).name,
		"stage_name": "Shipped",
	}
	with pytest.raises(frappe.ValidationError, match=r"cannot be changed here"):
		frappe.get_doc(values | {"status": "Completed"}).insert()


def test_saving_a_task_with_the_due_date_it_has_leaves_the_date_to_its_rule():
	order = order_with_task()
	doc = frappe.get_doc("Milestone Task", task_of(order, TITLE).name)
	doc.due_date = str(doc.due_date)
	doc.description = "Two copies"
	doc.save()
	assert task_of(order, TITLE).due_by_hand == 0
	doc.due_date = "2030-06-20"
	doc.save()
	assert task_of(order, TITLE).due_by_hand == 1


# To-dos


def test_closing_the_to_do_completes_the_task_and_completing_the_task_closes_the_to_do(people, as_user):
	order = order_with_task(**member(ERIKA))
	name = task_of(order, TITLE).name
	todo = frappe.get_doc("ToDo", {"reference_type": "Milestone Task", "reference_name": name})
	assert (todo.allocated_to, todo.status) == (ERIKA, "Open")
	with as_user(ERIKA):
		todo.status = "Closed"
		todo.save()
	assert task_of(order, TITLE).status == "Completed"
	tasks.reopen(name, "A page is missing")
	assert frappe.db.get_value("ToDo", todo.name, "status") == "Open"
	tasks.complete(name)
	assert frappe.db.get_value("ToDo", todo.name, "status") == "Closed"


# Adding


def test_a_task_added_by_hand_holds_its_stage_and_is_assigned(people):
	order = order_with_task()
	plan = plan_of(order).name
	answer = api.add_task(
		plan, "Shipped", "Weigh the boxes", required=1, due_days_before=2, assignee_kind="One Team Member",
		assignee_user=ERIKA,
	)  # fmt: skip
	added = task_of(order, "Weigh the boxes")
	assert (str(added.due_date), added.due_by_hand, added.required) == ("2030-06-26", 0, 1)
	assert [row.user for row in added.assignees] == [ERIKA]
	assert frappe.db.exists("ToDo", {"reference_name": added.name, "allocated_to": ERIKA, "status": "Open"})
	assert [row["title"] for row in answer["stages"][0]["tasks"]] == [TITLE, "Weigh the boxes"]
	assert stage_of(order, "Shipped").open_required == 2
	assert events_of(order)[-1] == "Task Added"


def add_by_call(order, stage_name):
	api.add_task(plan_of(order).name, stage_name, "Weigh the boxes")


def add_by_insert(order, stage_name):
	values = {"title": "Weigh the boxes", "plan": plan_of(order).name, "stage_name": stage_name}
	frappe.get_doc({"doctype": "Milestone Task", **values}).insert()


def add_by_insert_with_the_row(order, stage_name):
	row = stage_of(order, stage_name).name
	values = {"title": "Weigh the boxes", "plan": plan_of(order).name, "plan_stage": row}
	frappe.get_doc({"doctype": "Milestone Task", **values}).insert()


def add_by_client(order, stage_name):
	values = {"title": "Weigh the boxes", "plan": plan_of(order).name, "stage_name": stage_name}
	frappe.client.insert({"doctype": "Milestone Task", **values})


def add_by_import(order, stage_name):
	frappe.flags.in_import = True
	add_by_insert(order, stage_name)


PATHS = [add_by_call, add_by_insert, add_by_insert_with_the_row, add_by_client, add_by_import]


@pytest.mark.parametrize("path", PATHS)
def test_an_acceptance_takes_no_task_on_any_path(path):
	order = order_with_task()
	expected = (
		"Signed off is an acceptance milestone and cannot have tasks. Add the task to another milestone."
	)
	with pytest.raises(frappe.ValidationError, match=expected):
		path(order, "Signed off")
	assert frappe.db.count("Milestone Task", {"plan": plan_of(order).name}) == 1


def test_a_task_cannot_be_moved_under_an_acceptance_by_saving_it():
	order = order_with_task()
	doc = frappe.get_doc("Milestone Task", task_of(order, TITLE).name)
	acceptance = stage_of(order, "Signed off")
	doc.update({"plan_stage": acceptance.name, "stage_name": acceptance.stage_name})
	with pytest.raises(frappe.ValidationError, match=r"cannot be changed here"):
		doc.save()
	assert task_of(order, TITLE).stage_name == "Shipped"


def test_a_workflow_refuses_tasks_under_an_acceptance():
	with pytest.raises(frappe.ValidationError, match=r"(?i)acceptance"):
		make_workflow(stages=[stage("Signed off", kind="Acceptance")], tasks=[task("Signed off", TITLE)])


def test_a_reached_stage_takes_no_task():
	order = order_with_task(required=0)
	order.status = "Shipped"
	order.save()
	with pytest.raises(
		frappe.ValidationError, match=r"Shipped is already reached. Add the task to a later milestone"
	):
		add_by_call(order, "Shipped")


def test_a_task_without_a_title_is_refused():
	order = order_with_task()
	with pytest.raises(frappe.ValidationError, match=r"Enter a title for the task."):
		frappe.get_doc(
			{"doctype": "Milestone Task", "title": "  ", "plan": plan_of(order).name, "stage_name": "Shipped"}
		).insert()


# Never after the stage


def late_by_call(order):
	api.add_task(plan_of(order).name, "Shipped", "Weigh the boxes", due_date="2030-06-29")


def late_by_rule(order):
	api.add_task(plan_of(order).name, "Shipped", "Weigh the boxes", due_days_before=-1)


def late_by_insert(order):
	values = {
		"title": "Weigh",
		"plan": plan_of(order).name,
		"stage_name": "Shipped",
		"due_date": "2030-06-29",
	}
	frappe.get_doc({"doctype": "Milestone Task", **values}).insert()


def late_by_import(order):
	frappe.flags.in_import = True
	late_by_insert(order)


def late_by_form(order):
	frappe.get_doc("Milestone Task", task_of(order, TITLE).name).update({"due_date": "2030-06-29"}).save()


def late_by_form_rule(order):
	frappe.get_doc("Milestone Task", task_of(order, TITLE).name).update({"due_days_before": -1}).save()


def late_by_client(order):
	frappe.client.set_value("Milestone Task", task_of(order, TITLE).name, "due_date", "2030-06-29")


LATE = [
	late_by_call,
	late_by_rule,
	late_by_insert,
	late_by_import,
	late_by_form,
	late_by_form_rule,
	late_by_client,
]


@pytest.mark.parametrize("path", LATE)
def test_a_task_after_its_stage_is_refused_on_every_path(path):
	order = order_with_task()
	expected = "its milestone Shipped is due on .*. Choose that day or an earlier one."
	with pytest.raises(frappe.ValidationError, match=expected):
		path(order)
	assert (
		frappe.db.count("Milestone Task", {"plan": plan_of(order).name, "due_date": (">", "2030-06-28")}) == 0
	)


def test_a_task_on_the_day_of_its_stage_is_fine():
	order = order_with_task()
	frappe.get_doc("Milestone Task", task_of(order, TITLE).name).update({"due_date": "2030-06-28"}).save()
	assert str(task_of(order, TITLE).due_date) == "2030-06-28"


# Sums


def test_the_sums_follow_every_way_a_task_can_change():
	order = order_with_task()
	plan = plan_of(order).name

	def check():
		assert {row.stage_name: row.open_required for row in plan_of(order).stages if row.open_required} == {
			name: count for name, count in open_required(plan).items() if count
		}

	name = tasks.add(plan, "Shipped", title="Weigh the boxes", required=0)
	check()
	frappe.get_doc("Milestone Task", name).update({"required": 1}).save()
	assert stage_of(order, "Shipped").open_required == 2
	check()
	frappe.delete_doc("Milestone Task", task_of(order, TITLE).name)
	assert stage_of(order, "Shipped").open_required == 1
	check()
	tasks.cancel(name, "No scales")
	assert stage_of(order, "Shipped").open_required == 0
	check()


def test_a_task_that_is_on_record_cannot_be_deleted_but_cancelled():
	order = order_with_task()
	name = tasks.add(plan_of(order).name, "Shipped", title="Weigh the boxes")
	with pytest.raises(frappe.LinkExistsError):
		frappe.delete_doc("Milestone Task", name)
	tasks.cancel(name, "No scales")
	assert task_of(order, "Weigh the boxes").status == "Cancelled"


def test_that_a_task_holds_its_stage_no_longer_is_on_record_with_who_said_so(people, as_user):
	order = order_with_task()
	doc = frappe.get_doc("Milestone Task", task_of(order, TITLE).name)
	with as_user("manager@example.com"):
		doc.required = 0
		doc.save()
	assert stage_of(order, "Shipped").open_required == 0
	assert (log_of(order).event, log_of(order).task, log_of(order).done_by) == (
		"Task Made Optional",
		doc.name,
		"manager@example.com",
	)
	doc.reload()
	doc.required = 1
	doc.save()
	assert log_of(order).event == "Task Made Required"
	assert any(
		"optional: it no longer blocks its milestone" in entry["content"]
		for entry in timeline(ORDER, order.name)
	)
	doc.description = "In black ink"
	doc.save()
	assert events_of(order).count("Task Made Required") == 1


def test_a_deleted_task_stays_in_the_log_by_its_title(people):
	order = order_with_task()
	frappe.delete_doc("Milestone Task", task_of(order, TITLE).name)
	assert (log_of(order).event, log_of(order).details) == ("Task Deleted", TITLE)
	assert stage_of(order, "Shipped").open_required == 0
	(entry,) = [entry for entry in timeline(ORDER, order.name) if "deleted the task" in entry["content"]]
	assert entry["content"].endswith(f"deleted the task <b>{TITLE}</b>")


def test_deleting_an_order_takes_its_tasks_and_to_dos_along(people):
	order = order_with_task(**member(ERIKA))
	name = task_of(order, TITLE).name
	frappe.delete_doc(ORDER, order.name)
	assert not frappe.db.exists("Milestone Task", name)
	assert not frappe.db.exists("ToDo", {"reference_type": "Milestone Task", "reference_name": name})
