"""On SQLite, Frappe begins no transaction before the first write of a request: what is locked there stays locked."""

import frappe
import pytest

from milestone_automation.engine.base import guard, locks
from tests.support.factories import ORDER, ensure_production_order, make_document, make_workflow, stage

SAVE_IN_BETWEEN = """
import frappe
theirs = frappe.get_doc(*{order!r})
theirs.note = "theirs"
theirs.save()
frappe.db.commit()
"""


@pytest.fixture
def request_like(scratch_site):
	"""A site of its own, an order with a plan, and a connection that is new to it."""
	scratch = scratch_site()
	with scratch.connect():
		if frappe.db.db_type != "sqlite":
			pytest.skip("only on SQLite a savepoint can be a transaction of its own")
		ensure_production_order()
		make_workflow(stages=[stage("Shipped", "Shipped")], tasks=[])
		order = make_document(status="Open")
		frappe.db.commit()
		frappe.db.close()
		yield scratch, order.name
		frappe.db.rollback()


def test_a_guarded_lock_is_held_until_the_transaction_ends(request_like):
	assert not guard.has_transaction()
	assert guard.run_guarded("Lock", locks.is_only_writer)
	assert guard.has_transaction()
	# A nested one is not the transaction, and is released.
	guard.run_guarded("Lock again", locks.is_only_writer)
	assert guard.has_transaction()


def test_what_only_reads_leaves_no_transaction_open(request_like):
	assert guard.run_guarded("Read", frappe.db.count, "Milestone Plan") == 1
	assert not guard.has_transaction()


def test_who_saves_what_somebody_else_saved_at_the_same_moment_is_told(request_like):
	"""Seen: the older values were written over a document that was cancelled meanwhile, and its plan stayed cancelled."""
	scratch, name = request_like
	ours = frappe.get_doc(ORDER, name)
	ours.note = "ours"
	# Frappe has compared the two by now.
	ours.validate = lambda: scratch.python(SAVE_IN_BETWEEN.format(order=(ORDER, name)))
	with pytest.raises(frappe.TimestampMismatchError):
		ours.save()
	frappe.db.rollback()
	assert frappe.db.get_value(ORDER, name, "note") == "theirs"
