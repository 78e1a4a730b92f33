"""The save of a user never waits for plans that somebody else is at, and never fails by them."""

import frappe
import pytest

from milestone_automation.engine.base import follow_ups
from milestone_automation.engine.messages import user_changes
from tests.doors.conftest import NOBODY, OTHER

FAR = "2034-01-01"


def left_to_do() -> list:
	return frappe.get_all(follow_ups.DOCTYPE, {"arguments": ("like", f"%{NOBODY}%")}, pluck="name")


def test_a_user_is_saved_while_the_sweep_holds_their_plans(world):
	"""Seen: it failed with a conflict. The plans are looked at by a job, after commit."""
	with world.server.site.connect():
		if frappe.db.db_type == "sqlite":
			pytest.skip("SQLite locks no rows: who holds a plan there holds the site, and no user is saved")
	admin = world.server.login()
	world.server.worker()
	with world.changing():
		frappe.db.set_value("Milestone Plan", world.plans[OTHER], "next_check", FAR)
	with world.server.site.connect():
		# The sweep's lock; the request below would wait for it for ever.
		frappe.db.sql("select name from `tabMilestone Plan` for update")
		saved = admin.put(f"/api/resource/User/{NOBODY}", json={"enabled": 0}, timeout=60)
		frappe.db.rollback()
	assert saved.status_code == 200, saved.text
	with world.changing():
		assert len(left_to_do()) == 2  # the sweep looks at plans, and tasks may wait for nobody else
		assert str(frappe.db.get_value("Milestone Plan", world.plans[OTHER], "next_check")) == FAR
	world.server.worker()
	with world.changing():
		assert left_to_do() == []
		checked = frappe.db.get_value("Milestone Plan", world.plans[OTHER], "next_check")
		assert str(checked) == frappe.utils.nowdate()
		frappe.db.set_value("User", NOBODY, "enabled", 1)


def test_a_job_that_was_lost_is_made_up_for(site):
	follow_ups.add("recheck plans of a user", names=["lost@example.com"], roles=[])
	about = {"arguments": ("like", "%lost@example.com%")}  # users of other tests leave rows too
	rows = frappe.get_all(follow_ups.DOCTYPE, about, pluck="name")
	assert len(rows) == 1
	follow_ups.do(rows[0])
	assert not frappe.get_all(follow_ups.DOCTYPE, about)
	follow_ups.do(rows[0])  # a second runner finds nothing to do


def test_the_hourly_run_does_what_was_left_and_logs_what_fails(scratch_site, monkeypatch):
	scratch = scratch_site()
	with scratch.connect():
		for names in (["broken@example.com"], ["good@example.com"]):
			follow_ups.add("recheck plans of a user", names=names, roles=[])
		table = frappe.qb.DocType(follow_ups.DOCTYPE)
		frappe.qb.update(table).set(table.creation, "2020-01-01 00:00:00").run()
		follow_ups.add("recheck plans of a user", names=["just@example.com"], roles=[])
		# The site is dropped after this test.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
		found = user_changes._plans_of_person
		monkeypatch.setattr(
			user_changes,
			"_plans_of_person",
			lambda names: 1 / 0 if "broken@example.com" in names else found(names),
		)
		follow_ups.run_left()
		left = frappe.get_all(follow_ups.DOCTYPE, pluck="arguments", order_by="creation")
		assert [name in row for name, row in zip(("broken", "just"), left, strict=True)] == [True, True]
		assert frappe.db.exists("Error Log", {"method": ("like", f"{follow_ups.DOCTYPE}%")})


def test_every_work_can_be_called(site):
	assert all(callable(frappe.get_attr(path)) for path in follow_ups.WORKS.values())
