"""The fixtures themselves: what a test writes is gone after it, and each of them is the real thing."""

import frappe
import pytest

STATUS = [{"fieldname": "status", "fieldtype": "Select", "options": "Open\nClosed"}]


def test_calls_are_counted(site, count_queries, count_redis_calls):
	with count_queries() as queries, count_redis_calls() as redis_calls:
		frappe.get_doc({"doctype": "ToDo", "description": "counted"}).insert()
	assert any("insert into" in text.lower() for text in queries.statements), str(queries)
	assert redis_calls.count > 0
	assert frappe.db.exists("ToDo", {"description": "counted"})


def test_rows_of_the_test_before_are_gone(site):
	assert not frappe.db.exists("ToDo", {"description": "counted"})


def test_documents_of_a_made_doctype_are_written_as_a_user_with_rights(make_doctype, make_user, as_user):
	doctype = make_doctype("Fixture Order", STATUS, is_submittable=True)
	with as_user(make_user("joe.fixture@example.com", roles=["System Manager"])):
		order = frappe.get_doc({"doctype": doctype, "status": "Open"}).insert()
		order.submit()
	assert (order.owner, order.docstatus) == ("joe.fixture@example.com", 1)
	assert frappe.session.user == "Administrator"


def test_a_made_doctype_stays_and_its_documents_and_users_do_not(make_doctype):
	doctype = make_doctype("Fixture Order", STATUS, is_submittable=True)
	assert frappe.db.count(doctype) == 0
	assert not frappe.db.exists("User", "joe.fixture@example.com")


def test_a_made_doctype_is_not_made_otherwise_under_the_same_name(make_doctype):
	make_doctype("Fixture Order", STATUS, is_submittable=True)
	with pytest.raises(
		ValueError,
		match=r"DocType Fixture Order was made with other fields in test_dev_fixtures\.py\. Choose another name\.",
	):
		make_doctype("Fixture Order", STATUS)


def test_a_scratch_site_may_commit_and_nothing_of_it_reaches_the_workers_site(scratch_site):
	scratch = scratch_site()
	assert "milestone_automation" in scratch.bench("list-apps").stdout
	assert scratch.python("import frappe; print(frappe.local.site)").strip() == scratch.name
	with scratch.connect():
		frappe.get_doc({"doctype": "ToDo", "description": "committed"}).insert()
		frappe.db.commit()
		assert frappe.local.site == scratch.name
	assert not frappe.db.exists("ToDo", {"description": "committed"})
	assert scratch.worker().returncode == 0


def test_a_bare_scratch_site_has_no_app(scratch_site):
	assert "milestone_automation" not in scratch_site("bare").bench("list-apps").stdout


def test_the_server_answers_users_and_refuses_guests(server):
	client = server.login()
	assert client.call("frappe.auth.get_logged_user") == "Administrator"
	client.post("/api/resource/ToDo", json={"description": "over HTTP"}).raise_for_status()
	assert server.worker().returncode == 0
	assert server.guest().get("/api/resource/ToDo").status_code == 403


def test_mail_is_really_sent(smtp, site):
	frappe.sendmail(recipients=["ann@example.com"], subject="Hello", message="World")
	smtp.deliver()
	assert [message["Subject"] for message in smtp.to("ann@example.com")] == ["Hello"]


def test_the_mail_queue_of_the_test_before_is_gone(site):
	assert not frappe.db.exists("Email Queue Recipient", {"recipient": "ann@example.com"})


def test_the_desk_opens_in_a_browser(desk):
	page = desk(path="/app/milestone-tracker")
	page.wait_for_selector(".title-text:has-text('Milestone Tracker')")
