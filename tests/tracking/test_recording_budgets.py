"""What recording asks of the database and of Redis, counted: nothing where nobody tracks, little where somebody does."""

import frappe
import pytest

from milestone_automation.engine.base import save_state
from milestone_automation.engine.tracking import listeners, registry
from tests.support.transactions import end_transaction

UNTRACKED = "Untracked Order"
MENTIONS = ("milestone",)


@pytest.fixture
def untracked(make_doctype, tracking):
	"""An untracked document, saved once so that all that can be cached is; others are tracked."""
	make_doctype(UNTRACKED, [{"fieldname": "status", "fieldtype": "Data"}])
	tracking.track()
	frappe.db.delete("Milestone Workflow", {"document_type": UNTRACKED})
	as_in_a_later_transaction()
	document = frappe.get_doc({"doctype": UNTRACKED, "status": "one"}).insert()
	document.save()
	return document


def as_in_a_later_transaction() -> None:
	"""Rules of this transaction count as committed: that is how every save but one meets them."""
	save_state.transaction().changed_rules.clear()
	end_transaction()
	registry.for_doctype("ToDo")


def of_ours(calls) -> list[str]:
	return [text for text in calls.statements if any(word in text.lower() for word in MENTIONS)]


def test_a_save_nobody_tracks_adds_no_sql(untracked, count_queries):
	untracked.status = "two"
	with count_queries() as queries:
		untracked.save()
	assert of_ours(queries) == []
	with count_queries() as with_app:
		untracked.save()
	with without_our_hooks(), count_queries() as without_app:
		untracked.save()
	assert sorted(with_app.statements) == sorted(without_app.statements)


def test_an_insert_and_a_db_set_nobody_tracks_add_no_sql(untracked, count_queries):
	with count_queries() as queries:
		document = frappe.get_doc({"doctype": UNTRACKED, "status": "one"}).insert()
		document.db_set("status", "two")
	assert of_ours(queries) == []


def test_a_request_that_saves_what_nobody_tracks_makes_at_most_one_redis_call(untracked, count_redis_calls):
	frappe.local.cache = {}  # a new request starts without it
	with count_redis_calls() as calls:
		for status in ("two", "three", "four"):
			untracked.status = status
			untracked.save()
	ours = [text for text in calls.all if registry.CACHE_KEY in text]
	assert len(ours) <= (0 if hasattr(frappe, "client_cache") else 1), ours


class without_our_hooks:
	"""For the length of the block no event of this app runs."""

	def __enter__(self):
		self.hooks = frappe.get_doc_hooks()
		frappe.local.doc_events_hooks = {
			doctype: {
				event: [path for path in paths if not path.startswith("milestone_automation.")]
				for event, paths in events.items()
			}
			for doctype, events in self.hooks.items()
		}

	def __exit__(self, *error):
		frappe.local.doc_events_hooks = self.hooks


@pytest.fixture
def tracked(tracking):
	"""A tracked order, saved once so that all that can be cached is."""
	tracking.track("status", "pieces")
	order = tracking.order(status="Draft", pieces=1).insert()
	as_in_a_later_transaction()
	order.status = "Ordered"
	order.save()
	return order


def first_words(queries) -> list[str]:
	return [text.split()[0].lower() for text in of_ours(queries)]


def test_a_tracked_save_without_a_change_asks_once(tracked, count_queries):
	with count_queries() as queries:
		tracked.save()
	assert first_words(queries) == ["select"], str(queries)


@pytest.mark.parametrize("values", [{"status": "Shipped"}, {"status": "Shipped", "pieces": 2}])
def test_a_tracked_save_asks_once_and_inserts_its_milestones(tracked, count_queries, values):
	tracked.update(values)
	with count_queries() as queries:
		tracked.save()
	assert first_words(queries) == ["select", "insert"], str(queries)


def test_a_second_change_in_one_transaction_costs_no_more(tracked, count_queries):
	tracked.status = "In Production"
	tracked.save()
	tracked.status = "Shipped"
	with count_queries() as queries:
		tracked.save()
	assert first_words(queries) == ["select", "insert"], str(queries)


def test_a_tracked_insert_asks_once_and_inserts_its_milestones(tracking, tracked, count_queries):
	tracking.order(status="Draft").insert()
	with count_queries() as queries:
		tracking.order(status="Draft", pieces=3).insert()
	assert first_words(queries) == ["select", "insert"], str(queries)


@pytest.mark.parametrize("indexes", [[], ["another.app.Search"]])
def test_frappes_search_index_hears_of_milestones_only_where_an_app_has_one(site, monkeypatch, indexes):
	known, every = frappe.get_hooks, {"*": {"on_update": ["frappe.search.sqlite_search.update_doc_index"]}}
	monkeypatch.setattr(frappe, "get_doc_hooks", lambda: every)
	monkeypatch.setattr(
		frappe,
		"get_hooks",
		lambda hook=None, *rest, **named: indexes if hook == "sqlite_search" else known(hook, *rest, **named),
	)
	listeners.clear()
	assert listeners.events_heard() == (frozenset({"on_update"}) if indexes else frozenset())


def test_a_db_set_of_a_loaded_document_asks_once_and_inserts_its_milestones(tracked, count_queries):
	loaded = frappe.get_doc(tracked.doctype, tracked.name)
	with count_queries() as queries:
		loaded.db_set("status", "Shipped")
	assert first_words(queries) == ["select", "insert"], str(queries)


def test_recording_leaves_nothing_behind_that_grows_with_every_save(tracked):
	before = len(frappe.flags.currently_saving)
	for number in range(20):
		tracked.pieces = number + 10
		tracked.save()
	assert len(frappe.flags.currently_saving) == before
