"""The page of people from outside: all that is open for them, over HTTP, by login or by the link in a mail."""

import io
import re

import frappe
import pytest
from frappe.utils import add_days, getdate, nowdate

from milestone_automation.engine.people.signed_links import Purpose, make_token, read_token
from milestone_automation.engine.progress import tasks
from milestone_automation.links import limits, portal_page
from tests.support.factories import (
	collaborator,
	ensure_production_order,
	make_document,
	make_workflow,
	member,
	stage,
	task,
	task_of,
)

pytestmark = pytest.mark.one_database

MILL, WEAVER, STRANGER = "mill@example.org", "weaver@example.org", "stranger@example.org"
THIRD_PARTY = {"owner_kind": "Third-Party Collaborator", "owner_name": "The Mill", "owner_email": MILL}


@pytest.fixture
def order(production_order, make_user):
	"""An order with a milestone and a task of the mill, a task of a website user, and one of somebody else."""
	make_user(WEAVER, roles=[], user_type="Website User")
	make_workflow(
		stages=[stage("Woven", None, -20, **THIRD_PARTY), stage("Shipped", None)],
		tasks=[
			task("Woven", "Send patterns", 5, **collaborator(MILL, "The Mill")),
			task("Shipped", "Send photographs", 5, **member(WEAVER)),
			task("Shipped", "Price list", 5, **collaborator(STRANGER)),
		],
	)
	return make_document(delivery_date=add_days(nowdate(), 22))


def page_of(recipient: str) -> dict:
	return portal_page.portal_page({"token": make_token(Purpose.PERSON, "", recipient)}, False)


def titles(page: dict, part: str = "open") -> list[str]:
	return [row["what"] for row in page[part]]


def test_the_link_of_a_mail_shows_what_is_open_for_its_recipient_and_nothing_else(order):
	page = page_of(MILL)
	assert titles(page) == ["Send patterns", "Woven"]
	assert {row["document"] for row in page["open"]} == {f"Production Order {order.name}"}
	assert titles(page_of(STRANGER)) == ["Price list"]
	assert titles(page_of("nobody@example.org")) == []


def test_what_was_done_stands_below(order):
	tasks.complete(task_of(order, "Send patterns").name, by=MILL)
	page = page_of(MILL)
	assert (titles(page), titles(page, "done")) == (["Woven"], ["Send patterns"])


def test_a_website_user_sees_theirs_after_login_and_chooses_how_often_mails_come(order, as_user):
	with as_user(WEAVER):
		page = portal_page.portal_page({}, False)
		assert titles(page) == ["Send photographs"]
		assert [one["value"] for one in page["mails"] if one["is_chosen"]] == ["Daily"]
		page = portal_page.portal_page({"mail": "Each"}, True)
		assert [one["value"] for one in page["mails"] if one["is_chosen"]] == ["Each"]
		portal_page.portal_page({"mail": "Never"}, True)
	assert frappe.defaults.get_user_default("milestone_mail", WEAVER) == "Each"


def test_a_link_changes_no_preference(order):
	page = portal_page.portal_page({"token": make_token(Purpose.PERSON, "", WEAVER), "mail": "Each"}, True)
	assert "mails" not in page
	assert not frappe.get_all("DefaultValue", {"defkey": "milestone_mail"})


def test_what_a_page_leads_to_is_valid_no_longer_than_its_own_link(order):
	until = getdate(add_days(nowdate(), 1))
	token = make_token(Purpose.PERSON, "", MILL, valid_until=until)
	urls = [row["url"] for row in portal_page.portal_page({"token": token}, False)["open"]]
	purposes = (Purpose.TASK, Purpose.ANSWER)
	found = [
		read_token(re.search(r"token=([\w.-]+)", url)[1], purpose)
		for url, purpose in zip(urls, purposes, strict=True)
	]
	assert [link.valid_until for link in found] == [until, until]


def test_guests_are_asked_to_log_in_and_other_links_open_nothing(order, as_user):
	with as_user("Guest"):
		assert portal_page.portal_page({}, False)["state"] == "login"
	token = make_token(Purpose.TASK, task_of(order, "Price list").name, STRANGER)
	assert portal_page.portal_page({"token": token}, False)["state"] == "refused"
	frappe.db.set_value("User", WEAVER, "enabled", 0)
	assert page_of(WEAVER)["state"] == "refused"


@pytest.fixture
def served(server):
	"""The task of an order on the served site, given to the mill: (its name, the token of its link)."""
	with server.site.connect():
		ensure_production_order()
		if not frappe.db.exists("Milestone Workflow", "With Files"):
			to_do = task("Woven", "Send patterns", 5, **collaborator(MILL))
			make_workflow("With Files", stages=[stage("Woven", None, -20)], tasks=[to_do], priority=50)
		frappe.db.set_single_value("Milestone Settings", "upload_megabytes", 1)
		order = make_document(delivery_date=add_days(nowdate(), 22))
		name = task_of(order, "Send patterns").name
		frappe.db.commit()  # the web server is another process
		return name, make_token(Purpose.TASK, name, MILL)


def upload(server, served, filename: str, content: bytes, action: str = "comment") -> str:
	"""Send the form of the task's page with a file; return what the page says."""
	form, files = {"token": served[1], "action": action}, {"file": (filename, io.BytesIO(content))}
	answer = server.guest().post("/milestone-task", data=form, files=files)
	assert answer.status_code == 200
	return answer.text


def files_of(server, served) -> list:
	about = {"attached_to_doctype": "Milestone Task", "attached_to_name": served[0]}
	with server.site.connect():
		return frappe.get_all("File", filters=about, fields=["file_name", "is_private"])


def test_over_http_a_file_of_an_allowed_type_is_attached_privately(server, served):
	assert "Your file was sent." in upload(server, served, "../../etc/<b>Size chart.pdf", b"%PDF-1.4 a")
	(file,) = files_of(server, served)
	assert file.is_private
	assert re.fullmatch(r"_b_Size chart\w*\.pdf", file.file_name)
	with server.site.connect():
		comments = {"reference_name": served[0], "comment_email": MILL}
		assert frappe.get_all("Comment", comments, pluck="content") == ["Attached: _b_Size chart.pdf"]


@pytest.mark.parametrize(
	("filename", "content", "sentence"),
	[
		("page.html", b"<script>", "Files of this type cannot be attached."),
		("picture.svg", b"<svg>", "Files of this type cannot be attached."),
		("patterns.pdf.HTM", b"<script>", "Files of this type cannot be attached."),
		("no ending", b"x", "Files of this type cannot be attached."),
		("empty.pdf", b"", "The file is empty."),
		("large.pdf", b"x" * (1024 * 1024 + 1), "It may have at most 1 MB."),
	],
)
def test_over_http_other_files_are_refused_in_words(server, served, filename, content, sentence):
	assert sentence in upload(server, served, filename, content)
	assert files_of(server, served) == []


def test_over_http_a_file_and_done_in_one_go(server, served):
	assert "is marked as done" in upload(server, served, "Patterns.pdf", b"%PDF-1.4 b", action="complete")
	assert len(files_of(server, served)) == 1


def test_over_http_the_page_of_a_link_is_closed_to_frames_and_caches(server, served):
	guest = server.guest()
	page = guest.get(f"/milestones?token={make_token_on(server, MILL)}")
	assert page.status_code == 200
	assert "Send patterns" in page.text
	for path in ("/milestones", "/milestones.html"):
		headers = guest.get(path).headers
		assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")
	for _visit in range(limits.LIMITS[limits.BAD_LINK].uses + 1):
		page = guest.get("/milestones")
	assert (page.status_code, "Log In" in page.text) == (200, True)


def test_over_http_only_guests_are_offered_a_login(server, served):
	link = 'href="/login"'
	assert link in server.guest().get("/milestones").text
	assert link not in server.login().get("/milestones").text


def make_token_on(server, recipient: str) -> str:
	with server.site.connect():
		return make_token(Purpose.PERSON, "", recipient)


def test_types_that_can_contain_scripts_cannot_be_allowed(site):
	settings = frappe.get_doc("Milestone Settings")
	settings.upload_types = "pdf, .SVG"
	with pytest.raises(frappe.ValidationError, match="Files of the type svg can contain scripts"):
		settings.save()
