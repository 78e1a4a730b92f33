"""Colleagues of one supplier take over from each other, over HTTP: guests by their link, website users by login."""

import html
import re

import frappe
import pytest
from frappe.utils import add_days, nowdate
from frappe.utils.password import update_password

from milestone_automation.engine.messages import alerts, plan_batch
from milestone_automation.engine.people import signed_links
from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.engine.progress import handing_over
from milestone_automation.links import limits
from tests.support.clock import forget_mail_account, stay_within_ten_minutes, sweep_at
from tests.support.factories import (
	SUPPLIER,
	collaborator,
	ensure_production_order,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

pytestmark = pytest.mark.one_database

PASSWORD = "Weaver-pw-2026-x"
# Of the mill: one without account, one who has one, one without a name. Of the dyer: one who is of both, and a user.
WANDA, WALTER, NAMELESS = "wanda@mill.example", "walter@mill.example", "office@mill.example"
DORA = "dora@dyer.example"
STRANGER = "stranger@elsewhere.example"
WORKFLOW = "Handing Over"


def set_up() -> dict[str, str]:
	"""Two suppliers, their contacts and a workflow that asks the first; names of suppliers, keys of contacts by address."""
	ensure_production_order()
	names = {
		one: frappe.get_doc({"doctype": SUPPLIER, "title": one}).insert().name for one in ("mill", "dyer")
	}
	for email in (WALTER, DORA):
		if not frappe.db.exists("User", email):
			values = {"email": email, "first_name": email.partition("@")[0].title(), "last_name": "Weaver"}
			values |= {"user_type": "Website User", "send_welcome_email": 0}
			frappe.get_doc({"doctype": "User", **values}).insert()
			update_password(email, PASSWORD)
	for first_name, email, of in (
		("Wanda", WANDA, ("mill", "dyer")),
		("Walter", WALTER, ("mill",)),
		(NAMELESS, NAMELESS, ("mill",)),
		("Dora", DORA, ("dyer",)),
	):
		contact = frappe.get_doc({"doctype": "Contact", "first_name": first_name})
		contact.is_primary_contact = int(email == WANDA)
		contact.user = email if email in (WALTER, DORA) else None
		contact.append("email_ids", {"email_id": email, "is_primary": 1})
		for supplier in of:
			contact.append("links", {"link_doctype": SUPPLIER, "link_name": names[supplier]})
		names[email] = signed_links.opaque(contact.insert().name)
	if not frappe.db.exists("Milestone Workflow", WORKFLOW):
		make_workflow(
			WORKFLOW,
			stages=[stage("Woven", None, -10, owner_kind="Supplier Contact")],
			tasks=[
				task("Woven", "Send patterns", 2, **collaborator(WANDA, "Wanda")),
				task("Woven", "Price list", 2, required=0, **collaborator(STRANGER)),
			],
			shown_fields="title",
			priority=60,
		)
	return names


def make_order(supplier: str):
	return make_document(title="Linen <b>shirt", supplier=supplier, delivery_date=add_days(nowdate(), 22))


@pytest.fixture(scope="module")
def served(server):
	with server.site.connect():
		names = set_up()
		frappe.db.commit()  # the web server is another process
	return names


class Asked:
	"""An order on the served site, and what is asked of people for it."""

	def __init__(self, server, supplier: str):
		self.server = server
		with server.site.connect():
			self.order = make_order(supplier)
			self.task = task_of(self.order, "Send patterns").name
			self.price_list = task_of(self.order, "Price list").name
			self.stage = stage_of(self.order, "Woven").name
			frappe.db.commit()  # the web server is another process

	def token(self, purpose: Purpose, recipient: str, name: str = "") -> str:
		about = ""
		with self.server.site.connect():
			if purpose is Purpose.ANSWER:
				about = str(frappe.db.get_value("Milestone Plan Stage", name, "key_date"))
			return make_token(purpose, name, recipient, about)

	def value(self, doctype: str, name, field):
		with self.server.site.connect():
			return frappe.db.get_value(doctype, name, field)


@pytest.fixture
def asked(server, served):
	yield Asked(server, served["mill"])
	with server.site.connect():
		cache = frappe.cache() if callable(frappe.cache) else frappe.cache
		for key in cache.keys("*milestone_link*"):
			cache.execute_command("DEL", key)


def entry_of(text: str, what: str, order) -> str:
	"""What /milestones shows of one task or milestone of an order."""
	entries = re.findall(r"<li>.*?</li>", text.partition('<ul class="milestone-list">')[2], flags=re.S)
	(entry,) = [one for one in entries if f">{what}</strong>" in one and order.name in one]
	return entry


def choices(text: str) -> list[str]:
	return re.findall(r'<option value="[^"]+">(.*?)</option>', text.partition('name="colleague"')[2])


def form_in(text: str) -> tuple[str, dict]:
	"""Address and hidden values of the form to hand over."""
	part = text.partition('class="milestone-hand-over"')[2]
	values = re.findall(r'name="([a-z_]+)" value="([^"]*)"', part.partition("</details>")[0])
	return re.search(r'action="([^"]+)"', part)[1], {name: html.unescape(value) for name, value in values}


def website_user(server, user: str):
	client = server.login(user, PASSWORD)
	client.headers.pop("X-Frappe-CSRF-Token", None)
	client.headers["Accept"] = "text/html"
	return client


def test_a_task_is_handed_over_from_the_list_and_is_the_colleagues_then(server, served, asked):
	wanda = server.guest()
	page = wanda.get("/milestones", params={"token": asked.token(Purpose.PERSON, WANDA)}).text
	entry = entry_of(page, "Send patterns", asked.order)
	assert choices(entry) == ["Walter Weaver", "o…@mill.example"]
	assert not [one for one in (WALTER, NAMELESS, DORA) if one in entry.replace("&#64;", "@")]
	assert re.search(r"<dt>Title</dt><dd>Linen [^<]*shirt[^<]*</dd>", entry)

	address, form = form_in(entry)
	said = wanda.post(address, data=form | {"colleague": served[WALTER]}).text
	assert "The task Send patterns is handed over to Walter Weaver, who gets a mail." in said
	row = {"parent": asked.task}
	assert asked.value("Milestone Task Assignee", row, ["user", "full_name", "email"]) == (
		WALTER,
		"Walter Weaver",
		WALTER,
	)
	log = {"plan": asked.value("Milestone Task", asked.task, "plan"), "event": "Task Handed Over"}
	assert asked.value("Milestone Plan Log", log, ["task", "details", "done_by"]) == (
		asked.task,
		WALTER,
		WANDA,
	)

	old = wanda.get("/milestone-task", params={"token": asked.token(Purpose.TASK, WANDA, asked.task)}).text
	assert "You have handed it over to Walter Weaver." in old
	assert asked.order.name not in old

	walter = website_user(server, WALTER)
	entry = entry_of(walter.get("/milestones").text, "Send patterns", asked.order)
	assert "Wanda" in choices(entry)
	token = form_in(entry)[1]
	sent = {"token": token["token"], "csrf_token": token["csrf_token"], "action": "complete"}
	assert "is marked as done" in walter.post("/milestone-task", data=sent).text


def test_a_milestone_is_handed_over_and_stays_so(server, served, asked):
	wanda = server.guest()
	token = asked.token(Purpose.ANSWER, WANDA, asked.stage)
	page = wanda.get("/milestone-answer", params={"token": token, "answer": "on_track"}).text
	assert choices(page) == ["Walter Weaver", "o…@mill.example"]
	address, form = form_in(page)
	said = wanda.post(address, data=form | {"colleague": served[WALTER]}).text
	assert "Woven is handed over to Walter Weaver, who gets a mail." in said
	with server.site.connect():
		plan = plan_of(asked.order)
		batch = plan_batch.read([plan.name], frappe.utils.now_datetime(), lock=False)
		(row,) = batch.stages[plan.name]
		assert (row.stage_owner, row.outside_owner) == (WALTER, None)
		events = frappe.get_all("Milestone Plan Log", {"plan": plan.name}, pluck="event")
		assert events.count("Milestone Handed Over") == 1

	old = wanda.get("/milestone-answer", params={"token": token, "answer": "yes"}).text
	assert "You have handed it over to Walter Weaver." in old
	assert asked.order.name not in old

	walter = website_user(server, WALTER)
	entry = entry_of(walter.get("/milestones").text, "Woven", asked.order)
	_address, form = form_in(entry)
	sent = {"token": form["token"], "csrf_token": form["csrf_token"], "answer": "on_track"}
	assert "is still expected on" in walter.post("/milestone-answer", data=sent).text


def test_only_contacts_of_the_documents_supplier_are_offered_to_each_other(server, served, asked):
	guest = server.guest()
	address = "/milestone-task"
	stranger = {"token": asked.token(Purpose.TASK, STRANGER, asked.price_list)}
	assert choices(guest.get(address, params=stranger).text) == []
	wanda = {"token": asked.token(Purpose.TASK, WANDA, asked.task)}
	for sent, contact in ((stranger, served[WALTER]), (wanda, served[DORA]), (wanda, "nobody"), (wanda, "")):
		said = guest.post(address, data=sent | {"action": "hand_over", "colleague": contact}).text
		assert "Please choose the colleague who takes it over." in said
	assert asked.value("Milestone Task Assignee", {"parent": asked.task}, "email") == WANDA
	assert asked.value("Milestone Task Assignee", {"parent": asked.price_list}, "email") == STRANGER


def test_who_works_for_two_suppliers_sees_both_with_the_colleagues_of_each(server, served, asked):
	of_dyer = Asked(server, served["dyer"])
	page = server.guest().get("/milestones", params={"token": asked.token(Purpose.PERSON, WANDA)}).text
	assert choices(entry_of(page, "Woven", asked.order)) == ["Walter Weaver", "o…@mill.example"]
	assert choices(entry_of(page, "Woven", of_dyer.order)) == ["Dora Weaver"]


def test_opening_an_address_hands_over_nothing(server, served, asked):
	form = {"action": "hand_over", "colleague": served[WALTER]}
	for path, token in (
		("/milestone-task", asked.token(Purpose.TASK, WANDA, asked.task)),
		("/milestone-answer", asked.token(Purpose.ANSWER, WANDA, asked.stage)),
	):
		assert server.guest().get(path, params=form | {"token": token}).status_code == 200
		assert server.guest().post(path, data=form | {"token": f"{token}x"}).status_code == 200
	assert asked.value("Milestone Task Assignee", {"parent": asked.task}, "email") == WANDA
	assert asked.value("Milestone Plan Stage", asked.stage, "outside_owner") == WANDA


def test_so_much_is_handed_over_by_one_person_and_no_more(server, asked):
	most = limits.LIMITS[limits.HAND_OVER].uses
	form = {"action": "hand_over", "colleague": "nobody"}
	tokens = [
		asked.token(Purpose.TASK, WANDA, asked.task),
		asked.token(Purpose.ANSWER, WANDA, asked.stage),
	]
	paths = ("/milestone-task", "/milestone-answer")
	stay_within_ten_minutes()
	codes = [
		server.guest().post(paths[n % 2], data=form | {"token": tokens[n % 2]}).status_code
		for n in range(most + 1)
	]
	assert codes == [200] * most + [429]


@pytest.fixture
def here(production_order, smtp):
	"""The same without a web server."""
	forget_mail_account()
	return set_up()


def test_the_colleague_is_asked_by_mail_at_once(here, smtp, as_user):
	order = make_order(here["mill"])
	with as_user("Guest"):
		handing_over.hand_task(task_of(order, "Send patterns").name, here[NAMELESS], WANDA)
		handing_over.hand_stage(plan_of(order).name, stage_of(order, "Woven").name, here[WALTER], WANDA)
	alerts.send_waiting()
	alerts.send_waiting()
	smtp.deliver()
	(mail,) = smtp.to(NAMELESS)
	text = mail.get_body(("plain",)).get_content()
	assert mail["Subject"] == f"A task of Production Order {order.name} is handed over to you"
	assert "Wanda has handed this task over to you:" in text
	assert "/milestone-task?token=" in text
	(mail,) = smtp.to(WALTER)
	text = mail.get_body(("plain",)).get_content()
	assert mail["Subject"] == f"Woven of Production Order {order.name} is handed over to you"
	assert "/milestone-answer?token=" in text


def test_what_was_handed_on_meanwhile_is_not_told(here, smtp, as_user):
	order = make_order(here["mill"])
	name = task_of(order, "Send patterns").name
	handing_over.hand_task(name, here[NAMELESS], WANDA)
	handing_over.hand_task(name, here[WALTER], NAMELESS)
	alerts.send_waiting()
	smtp.deliver()
	assert (len(smtp.to(NAMELESS)), len(smtp.to(WALTER))) == (0, 1)


def test_a_colleague_who_left_the_supplier_gives_the_milestone_back(here):
	order = make_order(here["mill"])
	handing_over.hand_stage(plan_of(order).name, stage_of(order, "Woven").name, here[WALTER], WANDA)
	sweep_at(f"{nowdate()} 09:00:00")
	assert stage_of(order, "Woven").stage_owner == WALTER
	frappe.delete_doc("Contact", frappe.db.get_value("Contact", {"email_id": WALTER}), force=True)
	plan = plan_of(order).name
	batch = plan_batch.read([plan], frappe.utils.now_datetime(), lock=False)
	assert batch.stages[plan][0].outside_owner == WANDA
