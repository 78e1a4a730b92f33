import pytest


def test_site(site, count_queries, count_redis_calls):
	import frappe

	with count_queries() as q, count_redis_calls() as r:
		frappe.get_doc({"doctype": "ToDo", "description": "x"}).insert()
	print(q, r)
	assert frappe.db.count("ToDo") == 1


def test_rolled_back():
	import frappe

	assert frappe.db.count("ToDo") == 0


def test_doctype(make_doctype, make_user, as_user):
	import frappe

	make_doctype(
		"Garment Order",
		[{"fieldname": "status", "fieldtype": "Select", "options": "A\nB"}],
		is_submittable=True,
	)
	make_user("joe@example.com", roles=["System Manager"])
	with as_user("joe@example.com"):
		d = frappe.get_doc(doctype="Garment Order", status="A").insert()
		d.submit()


def test_doctype_again(make_doctype):
	import frappe

	make_doctype(
		"Garment Order",
		[{"fieldname": "status", "fieldtype": "Select", "options": "A\nB"}],
		is_submittable=True,
	)
	assert frappe.db.count("Garment Order") == 0
	assert not frappe.db.exists("User", "joe@example.com")


def test_scratch(scratch_site):
	import frappe

	s = scratch_site()
	print(s.bench("list-apps").stdout)
	print(s.python("import frappe; print(frappe.local.site, frappe.db.get_all_tables() if 0 else 1)"))
	with s.connect():
		frappe.get_doc({"doctype": "ToDo", "description": "x"}).insert()
		frappe.db.commit()
		assert frappe.local.site == s.name
	assert frappe.db.count("ToDo") == 0
	b = scratch_site("bare")
	assert "milestone" not in b.bench("list-apps").stdout
	print(s.worker())


def test_server(server):
	c = server.login()
	print(c.headers)
	print(c.call("frappe.auth.get_logged_user"))
	r = c.post("/api/resource/ToDo", json={"description": "over http"})
	r.raise_for_status()
	print(server.worker().stdout)
	assert server.guest().get("/api/resource/ToDo").status_code == 403


def test_mail(smtp, site):
	import frappe

	frappe.sendmail(recipients=["a@example.com"], subject="Hello", message="World")
	smtp.deliver()
	assert smtp.to("a@example.com"), frappe.get_all("Email Queue", fields=["*"])


def test_mail_gone(smtp, site):
	import frappe

	assert not frappe.db.count("Email Queue")


@pytest.mark.browser
def test_desk(desk):
	page = desk(path="/app/milestone-tracker")
	page.wait_for_selector(".page-title, .title-text", timeout=60000)
	page.wait_for_timeout(2000)
	page.screenshot(path="/tmp/desk.png")
