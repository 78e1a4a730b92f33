"""Many people at once, over HTTP, in every way a document can be changed: afterwards the tables must be right.

`./dev soak` runs it for minutes; here a short run with a fixed seed.
"""

import os

import frappe
import pytest

from tests.support import soak

MINUTES = float(os.environ.get("MILESTONE_SOAK_MINUTES", "0"))
WORKERS = int(os.environ.get("MILESTONE_SOAK_WORKERS", "0")) or 3
SEED = int(os.environ.get("MILESTONE_SOAK_SEED", "0")) or 20261126


@pytest.fixture
def soaked(server):
	"""The connected site of the server with some orders to change; everything is removed afterwards."""
	with server.site.connect():
		yield soak.prepare(orders=6)
		soak.clean_up()


def test_whatever_people_do_at_once_the_tables_tell_one_story(server, soaked):
	changes, seconds = (10**9, MINUTES * 60) if MINUTES else (30, 600)
	run = soak.play(server, soaked, WORKERS, changes, seconds, SEED)
	frappe.db.rollback()  # to see what the workers have committed
	print(f"seed {SEED}, {WORKERS} workers, {len(run.asked)} changes; done: {dict(run.made())}")
	faults = soak.faults(run)
	# Pytest shows the first one only.
	print(*faults[:20], sep="\n")
	assert faults == []
	# A run in which a kind of change never went through says nothing about it.
	assert set(run.made()) == set(soak.WEIGHTS)
