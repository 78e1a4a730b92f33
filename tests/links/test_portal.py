"""The page of people from outside: all that is open for them, over HTTP, by login or by the link in a mail."""

import io
import re
from types import SimpleNamespace

import frappe
import pytest
from frappe.utils import add_days, getdate, nowdate
from frappe.utils.password import update_password
from PIL import Image
from pypdf.errors import PyPdfError

from milestone_automation.engine.base import compat
from milestone_automation.engine.people import requesters
from milestone_automation.engine.people.signed_links import Purpose, make_token, read_token
from milestone_automation.engine.progress import tasks
from milestone_automation.links import limits, notes, portal_menu, portal_page, task_page, uploads
from tests.support.factories import (
	collaborator,
	ensure_production_order,
	make_document,
	make_workflow,
	member,
	stage,
	stage_of,
	task,
	task_of,
)
from tests.support.files import pdf

pytestmark = pytest.mark.one_database

PASSWORD = "Portal-pw-2026-x"
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


def test_the_documents_are_read_once_for_all_that_is_told_of_them(order, count_queries):
	page_of(MILL)
	with count_queries() as queries:
		page_of(MILL)
	assert len(re.findall(r"tabProduction Order\W", "\n".join(queries.statements))) == 1, str(queries)


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
	assert "Your file was sent." in upload(server, served, "../../etc/<b>Size chart.pdf", pdf("a"))
	(file,) = files_of(server, served)
	assert file.is_private
	assert re.fullmatch(r"_b_Size chart\w*\.pdf", file.file_name)
	with server.site.connect():
		comments = {"reference_name": served[0], "comment_email": MILL}
		assert frappe.get_all("Comment", comments, pluck="content") == ["Attached: _b_Size chart.pdf"]


def photo() -> bytes:
	"""A picture as a telephone takes it, which says so in its metadata."""
	image, file = Image.new("RGB", (8, 8), "red"), io.BytesIO()
	metadata = image.getexif()
	metadata[272] = "A telephone"
	image.save(file, "JPEG", exif=metadata)
	return file.getvalue()


@pytest.mark.parametrize(
	("filename", "content", "sentence"),
	[
		("page.html", b"<script>", "Files of this type cannot be attached."),
		("picture.svg", b"<svg>", "Files of this type cannot be attached."),
		("patterns.pdf.HTM", b"<script>", "Files of this type cannot be attached."),
		("no ending", b"x", "Files of this type cannot be attached."),
		("empty.pdf", b"", "The file is empty."),
		("large.pdf", b"x" * (1024 * 1024 + 1), "It may have at most 1 MB."),
		("sketch.jpg", b"%PDF-1.4 a", "This photo cannot be read."),
		("half.jpeg", photo()[:-40], "This photo cannot be read."),
	],
)
def test_over_http_other_files_are_refused_in_words(server, served, filename, content, sentence):
	assert sentence in upload(server, served, filename, content)
	assert files_of(server, served) == []


@pytest.mark.parametrize("content", [b"%PDF-1.4 a", pdf("torn")[:-60], b"<html>"])
def test_over_http_a_pdf_at_which_frappe_would_fail_is_refused_in_words(server, served, content):
	said = upload(server, served, "torn.pdf", content)
	with server.site.connect():
		try:
			compat.open_pdf(content)
		except PyPdfError:
			assert "This PDF cannot be read." in said
			assert files_of(server, served) == []
		else:
			assert "Your file was sent." in said


def test_over_http_a_file_and_done_in_one_go(server, served):
	assert "is marked as done" in upload(server, served, "Patterns.pdf", pdf("b"), action="complete")
	assert len(files_of(server, served)) == 1
	upload(server, served, "Patterns.pdf", pdf("b"), action="complete")
	assert len(files_of(server, served)) == 1, "sent twice, kept once"


def test_words_of_several_lines_and_a_photo_are_kept_once(order, monkeypatch):
	plan = stage_of(order, "Woven").parent
	sent_files = []
	monkeypatch.setattr(uploads, "sent_file", lambda: sent_files.pop() if sent_files else None)
	of_sender = {"reference_name": plan, "comment_email": MILL}

	def send(words: str) -> None:
		for _time in range(2):
			notes.keep("Milestone Plan", plan, (MILL, "The Mill"), words, about="Woven")

	send('It\'s "ready" & dry,\r\nbut < 5 pieces\r\n\r\nare torn')
	assert frappe.db.count("Comment", of_sender) == 1
	send('It\'s "ready" & dry')
	assert frappe.db.count("Comment", of_sender) == 2
	for sent_times in (1, 2):
		sent_files.append(SimpleNamespace(filename="Rolls.jpg", stream=io.BytesIO(photo())))
		notes.keep("Milestone Plan", plan, (MILL, "The Mill"), "It's the roll", about="Woven")
		about = {"attached_to_doctype": "Milestone Plan", "attached_to_name": plan}
		assert frappe.db.count("File", about) == 1, f"sent {sent_times} times"
		assert frappe.db.count("Comment", of_sender) == 3, f"sent {sent_times} times"


def test_nobody_from_outside_uses_up_the_files_of_another(order, monkeypatch):
	plan = stage_of(order, "Woven").parent
	monkeypatch.setattr(uploads, "MOST_FILES", 2)

	def send_file(sender: str, number: int) -> None:
		sent = SimpleNamespace(filename="Rolls.pdf", stream=io.BytesIO(pdf(str(number))))
		monkeypatch.setattr(uploads, "sent_file", lambda: sent)
		notes.keep("Milestone Plan", plan, (sender, sender), "", about="Woven")

	for number in (1, 2, 2):
		send_file(MILL, number)
	with pytest.raises(frappe.ValidationError, match="send the next one by mail"):
		send_file(MILL, 3)
	send_file(STRANGER, 4)
	about = {"attached_to_doctype": "Milestone Plan", "attached_to_name": plan}
	assert frappe.db.count("File", about) == 3
	theirs = {"reference_name": plan, "comment_email": MILL, "subject": ("is", "set")}
	frappe.delete_doc("File", frappe.db.get_value("Comment", theirs, "subject"))
	send_file(MILL, 3)
	assert frappe.db.count("File", about) == 3


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


@pytest.fixture
def woven(server):
	"""A milestone and a task of the mill on the served site: names of plan, stage and task, and tokens of their links."""
	with server.site.connect():
		ensure_production_order()
		if not frappe.db.exists("Milestone Workflow", "With Notes"):
			make_workflow(
				"With Notes",
				stages=[stage("Woven", None, -20, **THIRD_PARTY)],
				tasks=[task("Woven", "Send patterns", 5, required=0, **collaborator(MILL, "The Mill"))],
				document_filters='[["Production Order", "title", "=", "Notes"]]',
				priority=70,
			)
		if not frappe.db.exists("User", WEAVER):
			values = {"email": WEAVER, "first_name": "Weaver", "user_type": "Website User"}
			frappe.get_doc({"doctype": "User", "send_welcome_email": 0, **values}).insert()
			update_password(WEAVER, PASSWORD)
		order = make_document(title="Notes", delivery_date=add_days(nowdate(), 32))
		row, name = stage_of(order, "Woven"), task_of(order, "Send patterns").name
		frappe.db.commit()  # the web server is another process
		answer = make_token(Purpose.ANSWER, row.name, MILL, str(row.key_date))
		return frappe._dict(
			plan=row.parent,
			stage=row.name,
			task=name,
			answer=answer,
			about=make_token(Purpose.TASK, name, MILL),
		)


def send(server, path: str, form: dict, filename: str = "", content: bytes = pdf("n")) -> str:
	files = {"file": (filename, io.BytesIO(content))} if filename else None
	answer = server.guest().post(path, data=form, files=files)
	assert answer.status_code == 200
	return answer.text


def kept(server, doctype: str, name: str) -> tuple[list, list]:
	"""Comments, and names of private files, of a document."""
	about = {"reference_doctype": doctype, "reference_name": name, "comment_type": "Comment"}
	attached = {"attached_to_doctype": doctype, "attached_to_name": name, "is_private": 1}
	with server.site.connect():
		comments = frappe.get_all("Comment", about, ["comment_by", "content"], order_by="creation")
		return [tuple(one.values()) for one in comments], frappe.get_all("File", attached, pluck="file_name")


def test_over_http_a_milestone_takes_a_comment_and_a_file_before_it_is_answered(server, woven):
	form = {"token": woven.answer, "answer": "yes"}
	page = server.guest().get("/milestone-answer", params=form).text
	assert 'enctype="multipart/form-data"' in page
	assert 'name="file"' in page
	note = {"action": "comment", "comment": "Yarn is <b>late</b>"}
	said = send(server, "/milestone-answer", form | note, "Weave plan.pdf")
	assert "Your file was sent." in said
	assert "Has Woven been reached?" in said
	comments, files = kept(server, "Milestone Plan", woven.plan)
	assert comments == [("The Mill", "Woven: Yarn is &lt;b&gt;late&lt;/b&gt;<br>Attached: Weave plan.pdf")]
	assert [name.startswith("Weave plan") for name in files] == [True]
	refused = send(server, "/milestone-answer", form | {"action": "comment"}, "weave.svg", b"<svg>")
	assert "Files of this type cannot be attached." in refused
	assert "Please write a comment or choose a file first." in send(
		server, "/milestone-answer", form | {"action": "comment"}
	)


def test_over_http_a_milestone_is_reached_with_its_file_in_one_go_and_takes_more_afterwards(server, woven):
	form = {"token": woven.answer, "answer": "yes", "reached_on": nowdate(), "comment": "All rolls"}
	assert "is marked as reached on" in send(server, "/milestone-answer", form, "Rolls.pdf")
	later = {"token": woven.answer, "answer": "yes", "action": "comment", "comment": "One more roll"}
	said = send(server, "/milestone-answer", later)
	assert "was reached on" in said
	assert "Your comment was sent." in said
	comments, files = kept(server, "Milestone Plan", woven.plan)
	assert [text for _by, text in comments] == [
		"Woven: All rolls<br>Attached: Rolls.pdf",
		"Woven: One more roll",
	]
	assert len(files) == 1


def test_over_http_a_file_sent_with_done_to_a_task_that_is_closed_meanwhile_is_kept(server, woven):
	with server.site.connect():
		tasks.complete(woven.task)
		frappe.db.commit()  # the web server is another process
	form = {"token": woven.about, "action": "complete", "comment": "Here it is"}
	said = send(server, "/milestone-task", form, "Patterns late.pdf")
	assert "This task is done. Thank you. Your file was sent." in said
	assert len(kept(server, "Milestone Task", woven.task)[1]) == 1


def test_over_http_a_file_for_a_task_that_is_somebody_elses_is_refused_in_words(server, woven):
	with server.site.connect():
		frappe.db.set_value("Milestone Task Assignee", {"parent": woven.task}, "email", "else@example.org")
		frappe.db.commit()  # the web server is another process
	said = send(server, "/milestone-task", {"token": woven.about, "action": "complete"}, "Patterns.pdf")
	assert "What you have sent was not taken." in said
	assert kept(server, "Milestone Task", woven.task) == ([], [])


def test_over_http_website_users_find_their_page_in_the_menu_once_they_have_something(server, woven):
	client = server.login(WEAVER, PASSWORD)
	client.headers["Accept"] = "text/html"
	assert 'href="/milestones"' not in client.get("/me").text
	with server.site.connect():
		frappe.db.set_value(
			"Milestone Task Assignee", {"parent": woven.task}, {"user": WEAVER, "email": WEAVER}
		)
		frappe.db.commit()  # the web server is another process
		compat.redis_cache().delete_value(portal_menu.KEY.format(WEAVER))  # some minutes later
	assert all('href="/milestones"' in client.get(page).text for page in ("/me", "/"))
	assert 'href="/milestones"' not in server.guest().get("/login").text


def test_the_menu_asks_once_in_some_minutes_and_not_for_guests(order, as_user, count_queries):
	def menu() -> tuple[bool, int]:
		context = {}
		with count_queries() as queries:
			portal_menu.add(context)
		tables = ("tabMilestone", "tabUser")
		cost = sum(any(table in text for table in tables) for text in queries.statements)
		return "post_login" in context, cost

	compat.redis_cache().delete_value(portal_menu.KEY.format(WEAVER))
	with as_user(WEAVER):
		assert menu()[0]
		assert menu() == (True, 0)
	with as_user("Guest"):
		assert menu() == (False, 0)


def test_who_asks_is_somebody_here_and_never_the_one_who_is_asked(order, make_user, as_user):
	make_user("buyer@portal.example", roles=["Production Clerk"], first_name="Bea", last_name="Buyer")
	with as_user("buyer@portal.example"):
		make_document(delivery_date=add_days(nowdate(), 22))
	asked_by = {row["asked_by"] for row in page_of(MILL)["open"] if order.name not in row["document"]}
	assert asked_by == {"Requested by Bea Buyer"}


@pytest.mark.parametrize("is_post", [False, True])
def test_the_page_of_a_task_asks_once_who_asks(order, monkeypatch, is_post):
	asked, of_rows = [], requesters.of_rows

	def counted(rows):
		asked.append(1)
		return of_rows(rows)

	monkeypatch.setattr(requesters, "of_rows", counted)
	token = make_token(Purpose.TASK, task_of(order, "Send patterns").name, MILL)
	page = task_page.task_page({"token": token, "action": "complete"}, is_post)
	assert (page["state"], len(asked)) == ("done" if is_post else "ask", 1)
