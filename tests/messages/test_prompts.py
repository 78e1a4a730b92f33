"""What a prompt says: the workflow's own words, checked when saved, safe when sent."""

import frappe
import pytest

from milestone_automation.engine.workflows import custom_messages
from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import CLERK_ROLE, ORDER, make_document, make_workflow, stage

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

OLGA = "olga@example.com"


@pytest.fixture
def prompt(make_user, smtp):
	"""Function that sends one prompt with a custom message and returns the mail."""
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])

	def send(custom_message: str, values=None, **document):
		with at("2030-06-01 09:00:00"):
			make_workflow(stages=[stage("Cut", None, -20, owner_kind="User", owner_user=OLGA)], tasks=[])
			order = make_document(**document)
		filters = {
			"parent": ("in", frappe.get_all("Milestone Plan", {"reference_name": order.name}, pluck="name"))
		}
		frappe.db.set_value("Milestone Plan Stage", filters, "custom_message", custom_message)
		for field, value in (values or {}).items():
			frappe.db.set_value("User", OLGA, field, value)
		sweep_at("2030-06-08 07:00:00")
		smtp.deliver()
		(mail,) = smtp.messages
		return mail

	return send


def html(mail) -> str:
	return mail.get_body(("html",)).get_content()


def text(mail) -> str:
	return mail.get_body(("plain",)).get_content()


def test_the_custom_message_uses_the_documents_fields(prompt):
	mail = prompt(
		"Is the fabric of {{ doc.title }} cut?\n{{ doc.pieces }} pieces by {{ stage.key_date }}.",
		title="T-shirts",
		pieces=40,
	)
	assert mail["Subject"].startswith("Has Cut been reached? Production Order")
	assert "Is the fabric of T-shirts cut?<br>40 pieces by 2030-06-08." in html(mail).replace("<br/>", "<br>")
	assert "Is the fabric of T-shirts cut?\n40 pieces by 2030-06-08." in text(mail).replace("\r\n", "\n")
	assert "milestone-answer?token=" in text(mail)


def test_values_cannot_bring_markup_into_the_mail(prompt):
	mail = prompt("Title: {{ doc.title }}", title="<img src=x onerror=alert(1)>")
	assert "<img src=x" not in html(mail)
	assert "Title:" in text(mail)


@pytest.mark.parametrize(
	"attack",
	[
		"{{ frappe.db.sql('select 1') }}",
		"{{ frappe.get_all('User') }}",
		"{{ doc.__class__.__mro__ }}",
		"{{ ''.__class__.__base__.__subclasses__() }}",
		"{{ doc.update({'title': 'x'}) }}",
		"{{ 1 / 0 }}",
		"{% if %}",
	],
)
def test_a_broken_or_forbidden_template_is_left_out_and_the_prompt_goes_all_the_same(prompt, attack):
	mail = prompt(f"Before {attack} after", title="T-shirts")
	assert "Before" in text(mail)
	assert "Administrator" not in text(mail)
	assert "class" not in text(mail)
	assert "Please answer with one of the buttons." in text(mail)
	assert frappe.db.get_value(ORDER, {"title": "T-shirts"}, "title") == "T-shirts"


def test_a_fault_on_a_real_document_is_logged(prompt):
	assert "Half: …" in text(prompt("Half: {{ doc.pieces // 0 }}"))
	assert frappe.db.exists("Error Log", {"method": ("like", "Milestone message of Production Order%")})


@pytest.mark.parametrize(
	("template", "fault"),
	[
		("{{ doc.titel }}", "The custom message uses doc.titel, but Production Order has no field titel."),
		(
			"{{ title }}",
			"The custom message uses title, which is not defined. Use doc.fieldname for a field.",
		),
		("{{ doc.title ", "The custom message has an error in line 1"),
		("{% for x in doc.items() %}", "The custom message has an error in line 1"),
		("{{ doc.title | shout }}", "shout"),
	],
)
def test_a_message_that_can_never_work_is_refused_when_it_is_saved(template, fault):
	with pytest.raises(frappe.ValidationError) as refusal:
		custom_messages.check_template(template, ORDER)
	assert fault in str(refusal.value)


@pytest.mark.parametrize(
	"template",
	[
		None,
		"",
		"Plain words",
		"{{ doc.title }} {{ doc.get_formatted('delivery_date') }} {{ doc.owner }}",
		"{% if doc.pieces > 10 %}many{% endif %} {{ frappe.utils.formatdate(doc.delivery_date) }} {{ stage.stage_name }}",
		"{{ _('Due') }} {{ doc.pieces / doc.pieces }}",
	],
)
def test_a_message_that_can_work_is_taken(template):
	custom_messages.check_template(template, ORDER)


def test_a_mail_speaks_its_readers_language(prompt):
	mail = prompt("", {"language": "de"})
	assert "8. Juni 2030" in text(mail)


@pytest.mark.parametrize(("language", "direction", "start"), [("en", "ltr", "left"), ("ar", "rtl", "right")])
def test_a_mail_reads_in_the_direction_of_its_readers_language(prompt, language, direction, start):
	mail = html(prompt("Is it cut?", {"language": language}))
	assert f'dir="{direction}"' in mail
	assert f"border-{start}: 3px" in mail.replace(f"border-{start}:3px", f"border-{start}: 3px")
