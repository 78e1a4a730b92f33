"""The demo: a seeded story of orders, replayed as real saves."""

import datetime
from collections import Counter

import frappe
import pytest
from frappe.utils import get_datetime, getdate

from devtool import demo
from milestone_automation.demo import plans, sample_orders, story
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.review import stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.store import plan_rows

pytestmark = pytest.mark.one_database

TODAY = datetime.date(2026, 3, 2)


@pytest.mark.no_site
def test_the_same_seed_and_day_make_the_same_orders():
	assert sample_orders.generate(TODAY) == sample_orders.generate(TODAY)
	assert sample_orders.generate(TODAY) != sample_orders.generate(TODAY, seed=1)


@pytest.mark.no_site
def test_orders_spread_over_months_and_stand_at_every_status():
	orders = sample_orders.generate(TODAY)
	assert len(orders) == 60
	assert (orders[-1].steps[0].moment - orders[0].steps[0].moment).days > 150
	last = Counter([s.values["status"] for s in order.steps if "status" in s.values][-1] for order in orders)
	assert set(last) == set(sample_orders.STATUSES), last
	assert last["Delivered"] > 15


@pytest.mark.no_site
def test_every_story_begins_with_the_order_and_goes_forward_in_time_up_to_yesterday():
	for order in sample_orders.generate(TODAY):
		moments = [step.moment for step in order.steps]
		assert moments == sorted(set(moments))
		assert moments[-1].date() < TODAY
		assert order.steps[0].values["status"] == "Ordered"
		assert all(m.weekday() != 6 and 8 <= m.hour < 18 for m in moments), moments


@pytest.mark.no_site
def test_some_goods_are_reworked_and_some_dates_put_off():
	orders = sample_orders.generate(TODAY)
	reworks = [o for o in orders if [s.values.get("status") for s in o.steps].count("Production") > 1]
	put_off = [o for o in orders if sum("ship_date" in s.values for s in o.steps) > 1]
	assert len(reworks) >= 5
	assert len(put_off) >= 5


@pytest.mark.no_site
def test_on_every_day_five_orders_wait_for_their_shipment():
	"""Seen: on every fourth day none stood at its inspection, so the demo had no blocked order."""
	for number in range(60):
		orders = sample_orders.generate(TODAY + datetime.timedelta(days=number))
		last = [[s.values["status"] for s in order.steps if "status" in s.values][-1] for order in orders]
		assert last.count("Inspection") >= 5, number


def milestones_of(name, field):
	return frappe.get_all(
		"Milestone",
		{"reference_type": story.ORDER, "reference_name": name, "track_field": field},
		["value", "reached_on", "reached_by", "owner", "creation", "source"],
		order_by="reached_on asc",
	)


def ships_once_its_packing_list_is_there():
	names = plans.block_orders(story.ORDER)
	frappe.db.commit()  # the refusal rolls back
	assert [plan_rows.load(story.ORDER, name).health for name in names] == ["Blocked"] * 5
	name = names[0]
	with pytest.raises(GateError, match=plans.BLOCKING_TASK):
		frappe.get_doc(story.ORDER, name).update({"status": "Shipped"}).save()
	frappe.db.rollback()
	tasks.complete(
		frappe.db.get_value("Milestone Task", {"reference_name": name, "title": plans.BLOCKING_TASK})
	)
	frappe.get_doc(story.ORDER, name).update({"status": "Shipped"}).save()
	assert frappe.db.get_value(story.ORDER, name, "status") == "Shipped"
	frappe.db.commit()  # the demo is cleared from another process


def test_loading_replays_the_story_and_clearing_leaves_nothing(scratch_site):
	site = scratch_site()
	loaded = site.bench("execute", "milestone_automation.demo.story.load").stdout
	assert "60 orders with" in loaded
	assert "exist already" in site.bench("execute", "milestone_automation.demo.story.load").stdout
	with site.connect():
		orders = sample_orders.generate(getdate())
		by_age = frappe.get_all(story.ORDER, pluck="name", order_by="creation asc")
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
		assert frappe.db.count("Milestone", {"reference_type": story.ORDER, "track_field": "ship_date"}) > 60
		# Each save was a day of its own: reports count all of them.
		assert frappe.db.count("Milestone", {"reference_type": story.ORDER, "passing": 1}) == 0
		assert len(stays.by_value(Scope(story.ORDER, "status"))) >= 5
		forecasts = frappe.get_all("Milestone Plan Stage", {"status": "Open"}, pluck="forecast_date")
		assert len(forecasts) > 50
		assert all(forecasts)
		reconciled = site.bench("milestones", "reconcile").stdout
		assert reconciled.splitlines()[-1] == f"{story.ORDER}-status: 0 milestones found later"
	with site.connect():
		ships_once_its_packing_list_is_there()
	site.bench("execute", "milestone_automation.demo.story.clear")
	with site.connect():
		assert not frappe.db.exists("DocType", story.ORDER)
		assert not frappe.db.table_exists(story.ORDER, cached=False)
		assert not frappe.db.exists("Role", story.ROLE)
		assert not frappe.db.exists("User", sample_orders.BUYER)
		for doctype, field in (("Milestone", "reference_type"), ("Version", "ref_doctype")):
			assert frappe.db.count(doctype, {field: ("in", [story.ORDER, story.SUPPLIER])}) == 0
		assert not frappe.db.exists("Milestone Tracker", {"document_type": story.ORDER})
	assert "60 orders with" in site.bench("execute", "milestone_automation.demo.story.load").stdout
	with site.connect():
		assert frappe.db.exists(story.ORDER, "GO-0001")


def test_uninstalling_the_app_leaves_the_demos_documents_to_the_site(scratch_site):
	site = scratch_site()
	site.bench("execute", "milestone_automation.demo.story.load")
	site.bench("uninstall-app", "milestone_automation", "--yes", "--no-backup")
	counted = site.python(
		"import frappe; print(frappe.db.count('Garment Order'), frappe.db.count('Milestone') > 300)"
	)
	assert counted.split() == ["60", "True"]


def test_the_command_that_makes_the_demo_knows_where_its_data_come_from(site):
	assert frappe.get_attr(f"{demo.DEMO_MODULE}.load") is story.load
	assert story.__name__ == demo.DEMO_MODULE
