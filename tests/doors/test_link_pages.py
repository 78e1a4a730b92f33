"""The pages behind signed links: what a link shows that no longer works, headers, limits, login, comments."""

import re

import frappe
import pytest

from milestone_automation.engine.people.signed_links import Purpose, make_token
from milestone_automation.links import limits
from tests.doors.conftest import BLIND_OWNER, OWN, OWNER, PASSWORD, READER, SUPPLIER
from tests.support.clock import at, stay_within_ten_minutes

pytestmark = pytest.mark.one_database

LONG_AGO = "2025-01-05 10:00:00"
ANSWER, TASK = "/milestone-answer", "/milestone-task"


@pytest.fixture(autouse=True)
def counted_anew(world):
	"""Tests do not use up each other's limits."""
	yield
	with world.changing():
		_forget_uses()


def _forget_uses():
	cache = frappe.cache() if callable(frappe.cache) else frappe.cache
	for key in cache.keys("*milestone_link*"):
		cache.execute_command("DEL", key)


def answer_link(world, number: int = 0, user: str = OWNER, moment: str | None = None) -> str:
	"""Token of a link to answer for one stage of OWN."""
	with world.changing():
		stage = frappe.get_doc("Milestone Plan Stage", world.stages[OWN][number])
		if not moment:
			return make_token(Purpose.ANSWER, stage.name, user, str(stage.key_date))
		with at(moment):
			return make_token(Purpose.ANSWER, stage.name, user, str(stage.key_date))


def task_link(world, user: str = SUPPLIER, moment: str | None = None) -> str:
	with world.changing():
		if not moment:
			return make_token(Purpose.TASK, world.tasks[OWN][0], user)
		with at(moment):
			return make_token(Purpose.TASK, world.tasks[OWN][0], user)


def value_of(world, doctype, name, field):
	with world.changing():
		return frappe.db.get_value(doctype, name, field)


def headline(page) -> str:
	return page.text.partition('<div class="milestone-card">')[2][:700]


def tells_of_the_document(text: str) -> list[str]:
	words = (OWN, "Shown", "2035", "June", "July", "door-order")
	# Scripts of Frappe tell where each app begins.
	page = re.sub(r"<script.*?</script>", "", text, flags=re.S)
	return [word for word in words if word in text] + [word for word in ("/app/", "/desk/") if word in page]


def test_an_expired_answer_link_says_only_why_it_does_not_work(world):
	"""Seen: it still showed document, dates and a link."""
	form = {"token": answer_link(world, moment=LONG_AGO), "answer": "yes"}
	guest = world.client(None)
	for page in (guest.get(ANSWER, params=form), guest.post(ANSWER, data=form)):
		assert "This link was valid until January 19, 2025." in page.text
		assert not tells_of_the_document(page.text)


def test_an_expired_task_link_says_only_why_it_does_not_work(world):
	with world.changing():
		# Whatever other tests did with it.
		frappe.db.set_value("Milestone Task", world.tasks[OWN][0], "status", "Open")
		frappe.db.set_value("Milestone Task Assignee", {"parent": world.tasks[OWN][0]}, "done", 0)
	page = world.client(None).get(TASK, params={"token": task_link(world, moment=LONG_AGO)})
	assert "This link was valid until January 19, 2025." in page.text
	assert not tells_of_the_document(page.text)


def test_the_link_of_a_disabled_user_says_only_why_it_does_not_work(world):
	form = {"token": answer_link(world), "answer": "yes"}
	try:
		with world.changing():
			frappe.db.set_value("User", OWNER, "enabled", 0)
		page = world.client(None).post(ANSWER, data=form)
		assert "The account it was sent to is disabled." in page.text
		assert not tells_of_the_document(page.text)
	finally:
		with world.changing():
			frappe.db.set_value("User", OWNER, "enabled", 1)


def test_the_link_of_an_owner_who_may_not_read_the_document_says_only_that(world):
	form = {"token": answer_link(world, 1, BLIND_OWNER), "answer": "yes"}
	page = world.client(None).get(ANSWER, params=form)
	assert "You do not have permission to read the document" in page.text
	assert not tells_of_the_document(page.text)


@pytest.mark.parametrize("path", [ANSWER, TASK])
def test_the_pages_are_framed_cached_and_told_to_nobody(world, path):
	token = answer_link(world) if path == ANSWER else task_link(world)
	guest = world.client(None)
	for page in (
		guest.get(path, params={"token": token}),
		guest.get(path, params={"token": "nonsense"}),
		guest.get(path + "/"),
		guest.post(path, data={"token": token, "answer": "no", "action": "comment", "comment": ""}),
	):
		headers = page.headers
		assert headers["X-Frame-Options"] == "DENY"
		assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
		assert "script-src" not in headers["Content-Security-Policy"]
		assert "default-src 'none'" in headers["Content-Security-Policy"]
		assert headers["Referrer-Policy"] == "no-referrer"
		assert headers["Cache-Control"] == "no-store"


def test_other_pages_keep_their_headers(world):
	assert "Content-Security-Policy" not in world.client(None).get("/login").headers


def test_a_link_is_opened_so_often_and_no_more(world):
	guest, form = world.client(None), {"token": task_link(world)}
	most = limits.LIMITS[limits.VIEW].uses
	stay_within_ten_minutes()
	pages = [guest.get(TASK, params=form) for _time in range(most + 1)]
	assert [page.status_code for page in pages] == [200] * most + [429]
	assert int(pages[-1].headers["Retry-After"]) > 0
	assert "Too many requests" in pages[-1].text
	assert not tells_of_the_document(pages[-1].text)
	assert guest.get(ANSWER, params={"token": answer_link(world)}).status_code == 200, "another link"


def test_so_many_comments_are_taken_and_no_more(world):
	"""Seen: sixty in a row went through."""
	form = {"token": task_link(world), "action": "comment"}
	most = limits.LIMITS[limits.COMMENT].uses
	stay_within_ten_minutes()
	pages = [
		world.client(None).post(TASK, data=form | {"comment": f"Again and again {time}"})
		for time in range(most + 3)
	]
	assert [page.status_code for page in pages] == [200] * most + [429] * 3
	with world.changing():
		about = {"reference_name": world.tasks[OWN][0], "content": ("like", "Again and again%")}
		assert frappe.db.count("Comment", about) == most


def test_so_many_answers_are_taken_and_no_more(world):
	form = {"token": answer_link(world), "answer": "no", "new_date": ""}
	most = limits.LIMITS[limits.ANSWER].uses
	stay_within_ten_minutes()
	pages = [world.client(None).post(ANSWER, data=form) for _time in range(most + 1)]
	assert [page.status_code for page in pages] == [200] * most + [429]


def test_guessing_links_ends_soon(world):
	most = limits.LIMITS[limits.BAD_LINK].uses
	stay_within_ten_minutes()
	guest = world.client(None)
	pages = [guest.get(TASK, params={"token": f"guess.{number}"}) for number in range(most + 1)]
	assert [page.status_code for page in pages] == [200] * most + [429]
	assert guest.get(TASK, params={"token": task_link(world)}).status_code == 200, "a true link"


# Who has an account


@pytest.fixture
def paid(world):
	"""Form of the answer that gives the document a value; nothing is left of it."""
	yield {"token": answer_link(world, 3), "answer": "yes", "reached_on": ""}
	with world.changing():
		doc = frappe.get_doc("Door Order", OWN)
		doc.status = "Open"
		doc.save()


def test_who_has_an_account_logs_in_before_an_answer_changes_the_document(world, paid):
	guest = world.client(None)
	for page in (guest.get(ANSWER, params=paid), guest.post(ANSWER, data=paid)):
		assert "Please log in to answer" in page.text
		assert "/login?redirect-to=%2Fmilestone-answer%3Ftoken%3D" in page.text
	assert value_of(world, "Door Order", OWN, "status") == "Open"

	client = world.server.login(OWNER, PASSWORD)
	client.headers.pop("X-Frappe-CSRF-Token", None)
	client.headers["Accept"] = "text/html"
	page = client.get(ANSWER, params=paid)
	assert "Has Shown Paid been reached?" in page.text
	token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
	assert "is marked as reached on" in client.post(ANSWER, data=paid | {"csrf_token": token}).text
	assert value_of(world, "Door Order", OWN, "status") == "Sewn"


def test_somebody_else_who_is_logged_in_is_sent_away(world, paid):
	client = world.server.login(READER, PASSWORD)
	client.headers["Accept"] = "text/html"
	page = client.get(ANSWER, params=paid)
	assert f"Log out, and log in as {OWNER}." in page.text.replace("&#64;", "@")
	assert value_of(world, "Door Order", OWN, "status") == "Open"


def test_no_login_is_asked_for_where_the_document_stays_as_it_is(world, paid):
	guest = world.client(None)
	page = guest.get(ANSWER, params={"token": answer_link(world)})
	assert "Has Shown Cut been reached?" in page.text, headline(page)
	page = guest.get(ANSWER, params={"token": paid["token"], "answer": "no"})
	assert "When will Shown Paid be reached?" in page.text


def test_no_answer_that_needs_no_login_writes_the_document(world, paid):
	"""What a mail's link may do without an account: confirm, a new date, complete a task, comment. None of it writes."""
	guest = world.client(None)
	with world.changing():
		before = frappe.db.get_value("Door Order", OWN, "*", as_dict=True)
		task = make_token(Purpose.TASK, world.tasks[OWN][0], SUPPLIER)
	not_yet = {
		"answer": "no",
		"new_date": "2035-07-09",
		"reason": "Fabric is late",
		"later_stages": "Keep Order",
	}
	for path, sent in (
		(TASK, {"token": task, "action": "comment", "comment": "On its way"}),
		(TASK, {"token": task, "action": "complete"}),
		(ANSWER, {"token": answer_link(world)} | not_yet),
		(ANSWER, {"token": paid["token"]} | not_yet | {"new_date": "2035-07-19"}),
	):
		page = guest.post(path, data=sent)
		assert page.ok, headline(page)
		assert "log in" not in headline(page), headline(page)
	with world.changing():
		assert frappe.db.get_value("Door Order", OWN, "*", as_dict=True) == before


@pytest.fixture
def dateless(world, paid):
	"""The same form, where the milestone has no key date: its page asks for one, and offers no yes."""
	name = world.stages[OWN][3]
	with world.changing():
		day = frappe.db.get_value("Milestone Plan Stage", name, "key_date")
		frappe.db.set_value("Milestone Plan Stage", name, "key_date", None)
		token = make_token(Purpose.ANSWER, name, OWNER, "")
	yield paid | {"token": token}
	with world.changing():
		frappe.db.set_value("Milestone Plan Stage", name, "key_date", day)


@pytest.mark.parametrize("answer", ["yes", "YES", "yes ", "on_track", ""])
def test_a_form_says_no_more_than_its_page_has_asked(world, dateless, answer):
	page = world.client(None).post(ANSWER, data=dateless | {"answer": answer})
	assert "When will Shown Paid be reached?" in page.text, headline(page)
	assert value_of(world, "Door Order", OWN, "status") == "Open"


def test_the_site_may_do_without_login(world, paid):
	try:
		with world.changing():
			frappe.db.set_single_value("Milestone Settings", "login_to_answer", 0)
			frappe.clear_document_cache("Milestone Settings", "Milestone Settings")
		page = world.client(None).post(ANSWER, data=paid)
		assert "is marked as reached on" in page.text, headline(page)
		assert value_of(world, "Door Order", OWN, "modified_by") == OWNER
	finally:
		with world.changing():
			frappe.db.set_single_value("Milestone Settings", "login_to_answer", 1)
			frappe.clear_document_cache("Milestone Settings", "Milestone Settings")


# Comments


@pytest.mark.parametrize(
	"text",
	[
		"<style>*{display:none}</style>seen", '<form action="https://evil.example"><button>Log in</button></form>seen',
		'<img src="https://evil.example/pixel.gif">seen', "<svg onload=alert(1)>seen</svg>seen",
		'<p style="background:url(https://evil.example)">seen</p>', "<iframe src=https://evil.example></iframe>seen",
	],
)  # fmt: skip
def test_a_comment_keeps_its_words_and_nothing_that_acts(world, text):
	comment = {"reference_doctype": "Milestone Task", "reference_name": world.tasks[OWN][0], "content": text}
	sender = {"comment_email": SUPPLIER, "comment_by": "x"}
	made = world.client(SUPPLIER).post(
		"/api/method/frappe.desk.form.utils.add_comment", json=comment | sender
	)
	assert made.ok, made.text
	with world.changing():
		name = frappe.db.get_value(
			"Comment", {"reference_name": world.tasks[OWN][0], "content": ("like", "%seen%")}
		)
		content = frappe.db.get_value("Comment", name, "content")
		frappe.delete_doc("Comment", name, force=True)
	assert "seen" in content
	assert not re.search(r"<(style|form|button|svg|iframe)|<[^>]*(evil\.example|onload)", content), content


def test_a_comment_keeps_mentions_and_images_of_the_site(site):
	text = '<p><span class="mention" data-id="a@b.example">A</span> <img src="/files/cut.png"> <b>now</b></p>'
	values = {"comment_type": "Comment", "reference_doctype": "Milestone Task", "content": text}
	comment = frappe.get_doc({"doctype": "Comment", **values})
	comment.run_method("validate")
	for part in ('class="mention"', 'data-id="a@b.example"', "/files/cut.png", "<b>now</b>"):
		assert part in comment.content
