"""Sites with a read replica: reports and cards read there, and what is cached meanwhile comes from the primary database."""

import frappe
import pytest

from milestone_automation.desk import cards
from milestone_automation.engine.base import compat

KEY = "milestone_replica_test"


@pytest.fixture
def replica(site, monkeypatch):
	"""A second handle on the database, as Frappe connects it where `read_from_replica` is set; asked for nothing."""
	primary = frappe.local.db
	monkeypatch.setattr(frappe.local, "primary_db", primary, raising=False)
	monkeypatch.setattr(frappe.local, "replica_db", object(), raising=False)
	yield primary
	monkeypatch.undo()
	compat.forget(KEY)


def test_a_cached_value_is_made_from_the_primary_database(replica, monkeypatch):
	compat.forget(KEY)
	asked = []
	monkeypatch.setattr(frappe.local, "db", frappe.local.replica_db)
	value = compat.cached(KEY, lambda: asked.append(frappe.local.db) or "made")
	back = frappe.local.db is frappe.local.replica_db
	monkeypatch.setattr(frappe.local, "db", replica)
	assert (value, back) == ("made", True)
	assert asked == [replica]


@pytest.mark.parametrize("card", [cards.on_time_this_month, cards.plans_by_health])
def test_cards_read_the_replica(site, monkeypatch, card):
	connected = []
	monkeypatch.setattr(frappe.local, "conf", frappe._dict(frappe.local.conf, read_from_replica=1))
	monkeypatch.setattr(frappe, "connect_replica", lambda: bool(connected.append(1)))
	card()
	assert connected
