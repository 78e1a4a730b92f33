"""The builder on the form of a Milestone Workflow."""

import pytest

from tests.browser.conftest import BUYER

pytestmark = pytest.mark.browser


@pytest.fixture
def builder(workflow, visit):
	page = visit(f"/app/milestone-workflow/{workflow}")
	page.locator(".milestone-card").first.wait_for()
	return page


def rows(page, table: str, *fields: str) -> list:
	return page.evaluate(
		"([table, fields]) => cur_frm.doc[table].map((row) => fields.map((field) => row[field]))",
		[table, list(fields)],
	)


def test_tasks_follow_a_renamed_milestone(builder):
	name = builder.locator(".milestone-card").nth(1).locator("[data-field=stage_name]")
	name.fill("Goods released")
	name.press("Tab")

	assert rows(builder, "tasks", "stage") == [["Goods released"], ["Goods released"]]


def test_a_manager_who_may_not_look_up_roles_reads_and_writes_their_names(workflow, orders, visit, stored):
	"""Seen: the form greeted every Milestone Manager with a dialog that refused roles."""
	row = stored(f"frappe.db.get_value('Milestone Workflow Stage', {{'parent': {workflow!r}, 'idx': 2}})")
	before = stored(
		f"frappe.db.get_value('Milestone Workflow Stage', {row!r}, ['owner_kind', 'owner_role'], as_dict=True)"
	)
	owner = {"owner_kind": "Role", "owner_role": "Order Clerk"}
	write = "import frappe\nfrappe.db.set_value('Milestone Workflow Stage', {!r}, {!r})\nfrappe.db.commit()"
	orders.site.run(write.format(row, owner))
	try:
		page = visit(f"/app/milestone-workflow/{workflow}", user=BUYER)
		card = page.locator(".milestone-card").nth(1)
		card.get_by_role("button", name="Show or Hide Details").first.click()
		role = card.locator("[data-link=Role] input").first
		page.wait_for_function("(input) => input.value === 'Order Clerk'", arg=role.element_handle())
		page.wait_for_load_state("networkidle")
		assert page.locator(".msgprint-dialog.show, .modal.show").count() == 0
		role.fill("Milestone Manager")
		role.press("Tab")
		page.wait_for_function("cur_frm.doc.stages[1].owner_role === 'Milestone Manager'")
	finally:
		orders.site.run(write.format(row, before))


def test_two_milestones_never_have_one_name(builder):
	name = builder.locator(".milestone-card").nth(1).locator("[data-field=stage_name]")
	name.fill("order ACCEPTED")
	name.press("Tab")

	assert name.input_value() == "Released"


def test_milestones_move_by_keyboard_and_keep_their_tasks(builder):
	builder.locator(".milestone-card").nth(1).get_by_role("button", name="Move Up").first.click()

	assert rows(builder, "stages", "idx", "stage_name") == [[1, "Released"], [2, "Order accepted"]]
	assert [stage for (stage,) in rows(builder, "tasks", "stage")] == ["Released", "Released"]


def test_a_task_is_dragged_into_its_place(builder):
	grips = builder.locator(".milestone-task-row .milestone-grip")
	grips.nth(1).drag_to(grips.nth(0))
	builder.wait_for_function("cur_frm.doc.tasks[0].title === 'Photos of the goods'")

	assert rows(builder, "tasks", "idx", "title")[0] == [1, "Photos of the goods"]


def test_what_a_milestone_depends_on_is_chosen_by_name_and_follows_a_new_one(builder):
	builder.get_by_role("button", name="Add Milestone").click()
	added = builder.locator(".milestone-card").nth(2)
	added.locator("select[data-field=dependency]").select_option("Chosen Milestones")
	added.get_by_role("checkbox", name="Released").check()
	name = builder.locator(".milestone-card").nth(1).locator("[data-field=stage_name]")
	name.fill("Goods released")
	name.press("Tab")

	assert rows(builder, "stages", "dependency", "predecessors")[2] == ["Chosen Milestones", "Goods released"]


def test_a_task_comes_after_another_one_by_title(builder):
	photos = builder.locator(".milestone-task-row").nth(1)
	photos.locator("[data-do=toggle]").click()
	builder.locator(".milestone-task-row").nth(1).get_by_role("checkbox", name="Packing list").check()

	(first,), _second = rows(builder, "tasks", "title")
	assert rows(builder, "tasks", "after_tasks")[1] == [first]


def test_a_mistake_is_shown_at_its_row_before_anybody_saves(builder):
	task = builder.locator(".milestone-task-row").nth(1)
	task.locator("select[data-field=assignee_kind]").select_option("Role")

	task.locator(".milestone-problems").get_by_text("Choose the role that gets it.").wait_for()
	assert builder.locator(".milestone-card").nth(0).locator(".milestone-problems").count() == 0


def test_the_preview_shows_dates_on_a_real_document_before_saving(builder, make_order):
	make_order("PREVIEW-1")
	builder.get_by_role("button", name="Add Milestone").click()
	builder.keyboard.type("Shipped")
	builder.keyboard.press("Tab")
	builder.get_by_role("button", name="Preview on a Document").click()
	dialog = builder.locator(".modal.show")
	dialog.locator(".milestone-preview-stages").wait_for()

	assert dialog.get_by_text("This document gets this workflow.").is_visible()
	assert dialog.locator(".milestone-preview-stages", has_text="Shipped").is_visible()


def test_a_milestone_with_tasks_is_removed_after_a_question(builder):
	builder.locator(".milestone-card").nth(1).get_by_role("button", name="Remove Milestone").click()
	builder.locator(".modal.show .btn-modal-primary:visible").click()
	builder.wait_for_function("cur_frm.doc.stages.length === 1")

	assert rows(builder, "stages", "stage_name") == [["Order accepted"]]
	assert rows(builder, "tasks", "title") == []


def test_axe_finds_nothing_serious_in_the_builder(builder, findings):
	builder.get_by_role("button", name="Expand All").click()

	assert findings(builder, ".milestone-builder") == []


def test_an_exit_criterion_is_written_as_a_row(builder):
	card = builder.locator(".milestone-card").nth(1)
	card.get_by_role("button", name="Show or Hide Details").first.click()
	card.get_by_role("button", name="Add Exit Criterion").click()
	row = card.locator(".milestone-criteria-rows li")
	row.locator("select[data-field=kind]").select_option("Comment Was Given")
	label = row.locator("input[data-field=label]")
	label.fill("The buyer agrees")
	label.press("Tab")

	kept = '[{"kind":"Comment Was Given","required":1,"label":"The buyer agrees"}]'
	assert rows(builder, "stages", "exit_criteria")[1] == [kept]
	row.get_by_role("button", name="Remove Exit Criterion").click()
	assert rows(builder, "stages", "exit_criteria")[1] == [""]


def test_details_of_a_milestone_stay_inside_a_phone(workflow, visit):
	page = visit(f"/app/milestone-workflow/{workflow}", width=390)
	card = page.locator(".milestone-card").nth(1)
	card.locator("[data-field=stage_name]").fill("Production and finishing of all garments in three colours")
	page.keyboard.press("Tab")
	card.get_by_role("button", name="Show or Hide Details").first.click()
	card.get_by_role("button", name="Add Exit Criterion").click()
	card.locator("select[data-field=kind]").last.select_option("Other Document Exists")
	page.get_by_role("button", name="Add Milestone").click()
	page.locator(".milestone-card").nth(2).locator("select[data-field=dependency]").select_option(
		"Chosen Milestones"
	)
	card.get_by_role("button", name="Show or Hide Details").first.click()

	assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_name_and_address_of_a_third_party_are_read_whole(workflow, visit, width):
	page = visit(f"/app/milestone-workflow/{workflow}", width=width)
	page.locator(".milestone-card").first.wait_for()
	page.locator(".milestone-task-row select[data-field=assignee_kind]").first.select_option(
		"Third-Party Collaborator"
	)
	for field, value in (("name", "Selvam Embroidery Works"), ("email", "orders@selvam-embroidery.example")):
		box = page.locator(f".milestone-task-row [data-field=collaborator_{field}]").first
		box.fill(value)
		assert box.evaluate("(input) => input.scrollWidth <= input.clientWidth"), (field, width)


def test_from_right_to_left_code_and_numbers_keep_their_direction(builder):
	builder.evaluate("document.documentElement.setAttribute('dir', 'rtl')")
	card = builder.locator(".milestone-card").nth(1)
	card.get_by_role("button", name="Show or Hide Details").first.click()
	card.get_by_role("button", name="Add Exit Criterion").click()
	card.locator(".milestone-criteria-rows select[data-field=kind]").select_option("Condition Is Met")

	def direction(field: str) -> str:
		return card.locator(f"[data-field={field}]").first.evaluate(
			"(input) => getComputedStyle(input).direction"
		)

	fields = ("condition", "offset_days", "title", "label")
	assert [direction(field) for field in fields] == ["ltr", "ltr", "ltr", "rtl"]


def from_actions(page, label: str):
	page.locator(".inner-group-button:visible", has_text="Actions").locator("button").first.click()
	page.locator(".dropdown-menu.show .dropdown-item", has_text=label).click()


def save(page):
	page.locator(".primary-action:visible", has_text="Save").click()


def test_a_copy_is_saved_with_problems_while_it_is_disabled_and_enabled_without(builder, orders):
	from_actions(builder, "Duplicate")
	builder.wait_for_function("cur_frm.doc.workflow_name === 'Copy of Order to Release'")
	builder.locator(".milestone-card:visible").nth(1).wait_for()
	copied = [(stage, title[:12]) for stage, title in rows(builder, "tasks", "stage", "title")]
	assert copied == [("Released", "Packing list"), ("Released", "Photos of th")]
	builder.evaluate(
		"frappe.model.set_value(cur_frm.doc.stages[0].doctype, cur_frm.doc.stages[0].name, 'owner_kind', 'User')"
	)
	save(builder)
	builder.locator(".desk-alert", has_text="Saved as a draft").wait_for()
	builder.wait_for_url("**/Copy%20of%20Order%20to%20Release")
	stored = orders.site.run(
		"import frappe\nprint(frappe.db.get_value('Milestone Workflow', 'Copy of Order to Release', 'enabled'))"
	)
	assert stored.split()[-1] == "0"
	note = builder.get_by_text("so no document gets a plan from it").locator("visible=true")
	note.first.wait_for()
	assert note.count() == 1

	builder.get_by_role("button", name="Enable", exact=True).click()
	builder.locator(".modal.show", has_text="Choose the user who owns it").wait_for()


def test_a_workflow_goes_out_as_a_file_and_comes_in_again(builder, tmp_path):
	before = rows(builder, "stages", "stage_name", "key_date_rule", "offset_days", "track_value")
	with builder.expect_download() as download:
		from_actions(builder, "Export as File")
	file = tmp_path / download.value.suggested_filename
	download.value.save_as(file)
	assert file.name == "Order to Release.json"
	assert not [word for word in ('owner":', "modified", "enabled") if word in file.read_text()]

	builder.goto("/app/milestone-workflow")
	with builder.expect_file_chooser() as chooser:
		builder.get_by_role("button", name="Import from File").click()
	chooser.value.set_files(file)
	builder.wait_for_function("window.cur_frm && cur_frm.is_new() && cur_frm.doc.stages.length === 2")
	assert builder.evaluate("cur_frm.doc.enabled") == 0
	builder.evaluate("cur_frm.set_value('workflow_name', 'Came In')")
	save(builder)
	builder.wait_for_url("**/Came%20In")
	assert rows(builder, "stages", "stage_name", "key_date_rule", "offset_days", "track_value") == before


def test_a_file_that_is_no_workflow_is_refused(builder, tmp_path):
	file = tmp_path / "other.json"
	file.write_text('{"doctype": "User", "stages": 1}')
	builder.goto("/app/milestone-workflow")
	with builder.expect_file_chooser() as chooser:
		builder.get_by_role("button", name="Import from File").click()
	chooser.value.set_files(file)
	builder.locator(".modal.show", has_text="not an exported Milestone Workflow").wait_for()


def test_what_people_from_outside_are_shown_is_chosen_by_label_once_somebody_is_asked(builder):
	shown = builder.locator(".milestone-shown-fields")
	assert shown.count() == 0

	task = builder.locator(".milestone-task-row").nth(1)
	task.locator("select[data-field=assignee_kind]").select_option("All Supplier Contacts")
	choice = shown.get_by_role("combobox", name="Show another field")
	choice.select_option(label="Order No")
	choice.select_option(label="Ship Date")
	assert builder.evaluate("cur_frm.doc.shown_fields") == "order_no\nship_date"

	shown.get_by_role("button", name="Do not show Order No").click()
	assert builder.evaluate("cur_frm.doc.shown_fields") == "ship_date"
	assert [text.strip() for text in shown.locator(".milestone-pill").all_inner_texts()] == ["Ship Date"]


def test_two_versions_are_compared_in_sentences(builder, orders):
	orders.site.run(
		"""
import frappe
for days in (15, 16):
	workflow = frappe.get_doc("Milestone Workflow", "Order to Release")
	workflow.stages[1].offset_days = days
	workflow.save()
frappe.db.commit()
"""
	)
	from_actions(builder, "Compare Versions")
	dialog = builder.locator(".modal.show")
	dialog.get_by_text("Released, Days: 15 before, 16 now.").wait_for()
	dialog.locator("[data-fieldname=earlier] select").select_option("1")

	dialog.get_by_text("Released, Days: 14 before, 16 now.").wait_for()
	assert dialog.locator(".milestone-changes li").count() == 1
