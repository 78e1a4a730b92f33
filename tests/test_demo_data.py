"""The demo: a seeded story of orders, replayed as real saves."""

import datetime
from collections import Counter

import frappe
import pytest
from frappe.utils import get_datetime, getdate

from milestone_automation import demo, demo_data, demo_plans
from milestone_automation.engine import plans, tasks
from milestone_automation.engine.guard import GateError

TODAY = datetime.date(2026, 3, 2)


@pytest.mark.no_site
def test_the_same_seed_and_day_make_the_same_orders():
	assert demo_data.generate(TODAY) == demo_data.generate(TODAY)
	assert demo_data.generate(TODAY) != demo_data.generate(TODAY, seed=1)


@pytest.mark.no_site
def test_orders_spread_over_months_and_stand_at_every_status():
	orders = demo_data.generate(TODAY)
	assert len(orders) == 60
	assert (orders[-1].steps[0].moment - orders[0].steps[0].moment).days > 150
	last = Counter([s.values["status"] for s in order.steps if "status" in s.values][-1] for order in orders)
	assert set(last) == set(demo_data.STATUSES), last
	assert last["Delivered"] > 15


@pytest.mark.no_site
def test_every_story_begins_with_the_order_and_goes_forward_in_time_up_to_yesterday():
	for order in demo_data.generate(TODAY):
		moments = [step.moment for step in order.steps]
		assert moments == sorted(set(moments))
		assert moments[-1].date() < TODAY
		assert order.steps[0].values["status"] == "Ordered"
		assert all(m.weekday() != 6 and 8 <= m.hour < 18 for m in moments), moments


@pytest.mark.no_site
def test_some_goods_are_reworked_and_some_dates_put_off():
	orders = demo_data.generate(TODAY)
	reworks = [o for o in orders if [s.values.get("status") for s in o.steps].count("Production") > 1]
	put_off = [o for o in orders if sum("ship_date" in s.values for s in o.steps) > 1]
	assert len(reworks) >= 5
	assert len(put_off) >= 5


def milestones_of(name, field):
	return frappe.get_all(
		"Milestone",
		{"reference_type": demo.ORDER, "reference_name": name, "track_field": field},
		["value", "reached_on", "reached_by", "owner", "creation", "source"],
		order_by="reached_on asc",
	)


def ships_once_its_packing_list_is_there():
	name = demo_plans.hold_an_order(demo.ORDER)
	frappe.db.commit()  # nosemgrep: the refusal rolls back
	assert plans.load(demo.ORDER, name).health == "Blocked"
	with pytest.raises(GateError, match=demo_plans.HOLDING_TASK):
		frappe.get_doc(demo.ORDER, name).update({"status": "Shipped"}).save()
	frappe.db.rollback()
	tasks.complete(
		frappe.db.get_value("Milestone Task", {"reference_name": name, "title": demo_plans.HOLDING_TASK})
	)
	frappe.get_doc(demo.ORDER, name).update({"status": "Shipped"}).save()
	assert frappe.db.get_value(demo.ORDER, name, "status") == "Shipped"
	frappe.db.commit()  # nosemgrep: the demo is cleared from another process


def test_loading_replays_the_story_and_clearing_leaves_nothing(scratch_site):
	site = scratch_site()
	loaded = site.bench("execute", "milestone_automation.demo.load").stdout
	assert "60 orders with" in loaded
	assert "there already" in site.bench("execute", "milestone_automation.demo.load").stdout
	with site.connect():
		orders = demo_data.generate(getdate())
		by_age = frappe.get_all(demo.ORDER, pluck="name", order_by="creation asc")
		assert len(by_age) == 60
		for name, order in zip(by_age, sorted(orders, key=lambda o: o.steps[0].moment), strict=True):
			expected = [(s.values["status"], s.moment, s.user) for s in order.steps if "status" in s.values]
			recorded = milestones_of(name, "status")
			assert [(row.value, row.reached_on, row.reached_by) for row in recorded] == expected
			assert all(
				row.owner == row.reached_by and get_datetime(row.creation) == row.reached_on
				for row in recorded
			)
			assert {row.source for row in recorded} == {"Save"}
		assert frappe.db.count("Milestone", {"reference_type": demo.ORDER, "track_field": "ship_date"}) > 60
		reconciled = site.bench("milestones", "reconcile").stdout
		assert reconciled.strip() == f"{demo.ORDER}-status: 0 milestones found later"
	with site.connect():
		ships_once_its_packing_list_is_there()
	site.bench("execute", "milestone_automation.demo.clear")
	with site.connect():
		assert not frappe.db.exists("DocType", demo.ORDER)
		assert not frappe.db.table_exists(demo.ORDER, cached=False)
		assert not frappe.db.exists("Role", demo.ROLE)
		assert not frappe.db.exists("User", demo_data.BUYER)
		for doctype, field in (("Milestone", "reference_type"), ("Version", "ref_doctype")):
			assert frappe.db.count(doctype, {field: ("in", [demo.ORDER, demo.SUPPLIER])}) == 0
		assert not frappe.db.exists("Milestone Tracker", {"document_type": demo.ORDER})
	assert "60 orders with" in site.bench("execute", "milestone_automation.demo.load").stdout
	with site.connect():
		assert frappe.db.exists(demo.ORDER, "GO-0001")


def test_uninstalling_the_app_leaves_the_demos_documents_to_the_site(scratch_site):
	site = scratch_site()
	site.bench("execute", "milestone_automation.demo.load")
	site.bench("uninstall-app", "milestone_automation", "--yes", "--no-backup")
	counted = site.python(
		"import frappe; print(frappe.db.count('Garment Order'), frappe.db.count('Milestone') > 300)"
	)
	assert counted.split() == ["60", "True"]
