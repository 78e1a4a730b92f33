"""The fields of a document that a workflow shows to people from outside: what may be chosen, and what they read."""

import re
from pathlib import Path

import frappe
import pytest

import milestone_automation
from milestone_automation.engine.base import languages
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.engine.workflows import lost_fields, shown_fields
from milestone_automation.links import answer_page, portal_page, task_page
from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.documents import ensure_doctype

pytestmark = pytest.mark.one_database

ORDER, STYLE, LINE = "Shown Order", "Shown Style", "Shown Order Line"
MILL = "mill@example.org"
BUYER = "buyer@shown.example"


@pytest.fixture
def order_type(site):
	"""A DocType with fields of every kind that matters here."""
	ensure_doctype(
		STYLE,
		[{"fieldname": "title", "fieldtype": "Data"}],
		title_field="title",
		show_title_field_in_link=1,
	)
	columns = [
		{"fieldname": "article", "fieldtype": "Data", "in_list_view": 1},
		{"fieldname": "pieces", "fieldtype": "Int", "in_list_view": 1},
		{"fieldname": "margin", "fieldtype": "Percent", "in_list_view": 1, "permlevel": 1},
	]
	ensure_doctype(LINE, columns, istable=1)
	ensure_doctype(
		ORDER,
		[
			{"fieldname": "order_no", "fieldtype": "Data", "label": "Order No"},
			{"fieldname": "style", "fieldtype": "Link", "options": STYLE, "label": "Fabric Style"},
			{"fieldname": "wanted_on", "fieldtype": "Date", "label": "Wanted On"},
			{"fieldname": "call_at", "fieldtype": "Datetime", "label": "Call At"},
			{"fieldname": "is_rush", "fieldtype": "Check", "label": "Rush"},
			{"fieldname": "colour", "fieldtype": "Select", "options": "\nRed\nBlue", "label": "Colour"},
			{"fieldname": "remarks", "fieldtype": "Text Editor", "label": "Remarks"},
			{"fieldname": "note", "fieldtype": "Data", "label": "Note", "hidden": 1},
			{"fieldname": "cost", "fieldtype": "Float", "label": "Cost", "permlevel": 1},
			{"fieldname": "secret", "fieldtype": "Password", "label": "Secret"},
			{"fieldname": "scan", "fieldtype": "Attach", "label": "Scan"},
			{"fieldname": "lines", "fieldtype": "Table", "options": LINE, "label": "Lines"},
		],
		permissions=[
			{"role": "System Manager", "read": 1, "write": 1, "create": 1},
			{"role": "System Manager", "read": 1, "permlevel": 1},
			{"role": "Milestone Manager", "read": 1, "write": 1, "create": 1},
		],
	)
	return ORDER


def outside_workflow(*fieldnames: str, **values):
	"""A workflow whose milestone and task a mill has."""
	mill = {"owner_kind": "Third-Party Collaborator", "owner_name": "The Mill", "owner_email": MILL}
	to_do = {"assignee_kind": "Third-Party Collaborator", "collaborator_email": MILL}
	return frappe.get_doc(
		{
			"doctype": "Milestone Workflow",
			"workflow_name": "Shown",
			"document_type": ORDER,
			"enabled": 1,
			"shown_fields": "\n".join(fieldnames),
			"stages": [{"stage_name": "Woven", "key_date_rule": "After Creation", "offset_days": 5, **mill}],
			"tasks": [{"stage": "Woven", "title": "Send patterns", "required": 1, **to_do}],
			**values,
		}
	)


def make_order(**values):
	return frappe.get_doc({"doctype": ORDER, **values}).insert()


def shown_of(order, *fieldnames: str) -> dict[str, str]:
	plan = {"reference_type": ORDER, "reference_name": order.name, "shown_fields": "\n".join(fieldnames)}
	return dict(shown_fields.of_plans([plan]).get((ORDER, order.name), []))


def test_values_are_written_for_their_reader(order_type):
	style = frappe.get_doc({"doctype": STYLE, "title": "Linen Shirt"}).insert()
	lines = [{"article": "Shirt S", "pieces": 40, "margin": 30}, {"article": "Shirt M", "pieces": 1200}]
	order = make_order(
		order_no="GO-0046",
		style=style.name,
		wanted_on="2031-03-04",
		call_at="2031-03-04 09:05:00",
		is_rush=1,
		colour="Blue",
		remarks="<div>Soft <b>wash</b> &amp; press</div>",
		lines=lines,
	)
	names = ("order_no", "style", "wanted_on", "call_at", "is_rush", "colour", "remarks", "lines", "note")
	with languages.in_language("de"):
		assert shown_of(order, *names) == {
			"Order No": "GO-0046",
			"Fabric Style": "Linen Shirt",
			"Wanted On": "4. März 2031",
			"Call At": "4. März 2031, 09:05",
			"Rush": "Ja",
			"Colour": frappe._("Blue"),
			"Remarks": "Soft wash & press",
			"Lines": f"Shirt S · 40\nShirt M · {frappe.format_value(1200, 'Int')}",
		}


def test_documents_of_one_kind_cost_the_same_however_many_they_are(order_type, count_queries):
	style = frappe.get_doc({"doctype": STYLE, "title": "Linen"}).insert().name
	orders = [make_order(style=style, lines=[{"article": "S"}]) for _number in range(4)]
	plans = [
		{"reference_type": ORDER, "reference_name": order.name, "shown_fields": "style\nlines"}
		for order in orders
	]
	shown_fields.of_plans(plans)  # meta is read once
	counts = []
	for some in (plans[:1], plans):
		with count_queries() as counted:
			assert len(shown_fields.of_plans(some)) == len(some)
		counts.append(counted.count)
	assert counts == [3, 3], counted


@pytest.mark.parametrize(
	("fieldname", "sentence"),
	[
		("nothing", "has no field nothing to show"),
		("secret", "it is of type Password"),
		("scan", "it is of type Attach"),
	],
)
def test_what_cannot_be_shown_is_refused_when_the_workflow_is_saved(order_type, fieldname, sentence):
	with pytest.raises(frappe.ValidationError, match=sentence):
		outside_workflow("order_no", fieldname).insert()
	with pytest.raises(frappe.ValidationError, match=sentence):
		outside_workflow(fieldname, enabled=0).insert()


def test_who_may_not_read_a_field_cannot_show_it_nor_save_a_workflow_that_does(
	order_type, make_user, as_user
):
	workflow = outside_workflow("order_no", "cost").insert()
	make_user(BUYER, roles=["Milestone Manager"])
	with as_user(BUYER):
		theirs = frappe.get_doc("Milestone Workflow", workflow.name)
		theirs.stages[0].owner_email = "private@shown.example"
		with pytest.raises(frappe.ValidationError, match="cost, which you may not read"):
			theirs.save()
		theirs.reload()
		theirs.shown_fields = "order_no\nnote"
		theirs.save()
	assert frappe.db.get_value("Milestone Workflow", workflow.name, "shown_fields") == "order_no\nnote"


def test_what_its_author_may_not_read_any_more_is_not_shown(order_type, make_user, as_user):
	make_user(BUYER, roles=["Milestone Manager", "System Manager"])
	with as_user(BUYER):
		workflow = outside_workflow("order_no", "cost").insert()
	make_order(order_no="GO-1", cost=12)
	token = make_token(Purpose.PERSON, "", MILL)

	def labels() -> list[list[str]]:
		page = portal_page.portal_page({"token": token}, False)
		return [[label for label, _text in shown] for shown in rows_of(page)]

	assert labels() == [["Order No", "Cost"]] * 2
	frappe.get_doc("User", BUYER).remove_roles("System Manager")
	assert labels() == [["Order No"]] * 2

	with as_user(BUYER):
		theirs = frappe.get_doc("Milestone Workflow", workflow.name)
		theirs.enabled = 0
		theirs.save()
	assert theirs.shown_fields_by == BUYER
	workflow.reload()
	workflow.description = "Looked through"
	workflow.save()
	assert workflow.shown_fields_by == "Administrator"


def test_fields_are_versioned_and_running_plans_keep_theirs(order_type):
	workflow = outside_workflow("order_no").insert()
	order = make_order(order_no="GO-1", note="By sea")
	workflow.shown_fields = " order_no \n\nnote\nnote"
	workflow.save()
	assert (workflow.version, workflow.shown_fields) == (2, "order_no\nnote")
	assert frappe.db.get_value("Milestone Plan", {"reference_name": order.name}, "shown_fields") == "order_no"


def test_a_field_that_goes_is_told_and_no_longer_shown(order_type):
	workflow = outside_workflow("order_no", "note").insert()
	lost_fields.tell(ORDER, going="note")
	about = {"reference_doctype": "Milestone Workflow", "reference_name": workflow.name}
	text = f"The field note of {ORDER} no longer exists. Choose another field."
	assert frappe.get_all("Comment", about, pluck="content") == [text]
	order = make_order(order_no="GO-1")
	assert shown_of(order, "order_no", "gone_by_now", "secret") == {"Order No": "GO-1"}


def rows_of(page: dict) -> list[list]:
	return [row["shown"] for row in page["open"]]


def test_all_pages_and_no_user_of_the_desk_are_shown_the_fields(order_type, make_user):
	outside_workflow("order_no").insert()
	order = make_order(order_no='GO "1" <b>')
	plan = frappe.get_doc("Milestone Plan", {"reference_name": order.name})
	task = frappe.db.get_value("Milestone Task", {"plan": plan.name})
	expected = [("Order No", frappe.db.get_value(ORDER, order.name, "order_no"))]
	page = portal_page.portal_page({"token": make_token(Purpose.PERSON, "", MILL)}, False)
	assert rows_of(page) == [expected, expected]
	page = task_page.task_page({"token": make_token(Purpose.TASK, task, MILL)}, False)
	assert page["shown"] == expected
	about = str(plan.stages[0].key_date)
	token = make_token(Purpose.ANSWER, plan.stages[0].name, MILL, about)
	assert answer_page.answer_page({"token": token, "answer": "yes"}, False)["shown"] == expected

	make_user(BUYER, roles=["Milestone Manager"])
	frappe.db.set_value("Milestone Task Assignee", {"parent": task}, {"user": BUYER, "email": BUYER})
	page = task_page.task_page({"token": make_token(Purpose.TASK, task, BUYER)}, False)
	assert page["shown"] == []


def test_without_a_choice_pages_and_mails_are_as_before(order_type):
	outside_workflow().insert()
	make_order(order_no="GO-1")
	page = portal_page.portal_page({"token": make_token(Purpose.PERSON, "", MILL)}, False)
	assert rows_of(page) == [[], []]


def test_their_mail_has_the_fields_and_what_the_desk_keeps_of_it_has_not(order_type, smtp):
	forget_mail_account()
	with at("2031-06-01 09:00:00"):
		outside_workflow("order_no", "wanted_on").insert()
		order = make_order(wanted_on="2031-07-04")
		frappe.db.set_value(ORDER, order.name, "order_no", "GO-0046 <i>")
	sweep_at("2031-06-06 08:00:00")
	smtp.deliver()
	bodies = [
		(mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content())
		for mail in smtp.to(MILL)
	]
	assert bodies
	for text, html in bodies:
		assert "Order No: GO-0046 <i>\n" in text.replace("\r\n", "\n")
		assert "Wanted On: July 4, 2031" in text
		assert "<i>" not in html
		assert "GO-0046 &lt;i&gt;" in html
	kept = frappe.get_all("Milestone Message", {"recipient": MILL}, pluck="message")
	assert kept
	assert not [text for text in kept if "GO-0046" in (text or "")]


def test_the_builder_offers_what_the_server_takes():
	script = Path(milestone_automation.__file__).parent / "public" / "js" / "builder" / "fields.js"
	(listed,) = re.findall(r"const SHOWABLE = \[(.*?)\n\];", script.read_text(), re.DOTALL)
	assert set(re.findall(r'"([^"]+)"', listed)) == shown_fields.SHOWABLE_TYPES
