"""Roll-ups: the stored sums of days that are over give the same numbers as the milestones, whatever happens to these."""

import datetime
import random
from concurrent.futures import ThreadPoolExecutor

import frappe
import pytest
from frappe.utils import now_datetime

from milestone_automation import doctor, roll_ups
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.review import roll_up, stays
from milestone_automation.engine.review.scope import Scope
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from milestone_automation.engine.tracking import closed_days, milestones

CASE = "Roll-up Case"
SCOPE = Scope(CASE, "status")
DAY = 86400
FRACTIONS = (0.0, 0.25, 0.5, 0.8, 0.9, 1.0)
VALUES = ("Cut", "cut", "Sewn", "<b>Shipped</b> & gone", "a < b", "Geprüft", "Ann's 50 %", "")


@pytest.fixture
def case(make_doctype) -> str:
	"""A DocType with 100 documents of three months, their days added up."""
	make_doctype(CASE, [{"fieldname": "status", "fieldtype": "Data"}])
	write(range(100))
	assert roll_ups.refresh(now_datetime(), worth=1)
	return CASE


def write(numbers, days: int = 90) -> None:
	"""Write journeys of documents through all values, in seeded times up to now."""
	dice = random.Random(7)
	rows = []
	for number in numbers:
		moment = now_datetime().replace(microsecond=0) - datetime.timedelta(days=dice.uniform(1, days))
		if number % 3 == 0:
			moment = moment.replace(hour=0, minute=0, second=0)
		before, stood = "", None
		for _step in range(6):
			value = dice.choice([value for value in VALUES if value != before])
			rows.append(MilestoneRow(f"case-{number}", before, value, moment, "", stood))
			stood = dice.choice((0, 1, 7, 8, 59, DAY, dice.randrange(10**6)))
			moment, before = moment + datetime.timedelta(seconds=stood), value
	now = now_datetime()
	Writer(CASE, "status", "", MilestoneSource.IMPORT).insert(row for row in rows if row.reached_on <= now)


def numbers() -> dict:
	"""Return all numbers as a report has them."""
	return {
		"values": stays.by_value(SCOPE, None, FRACTIONS),
		"steps": stays.by_step(SCOPE, None, FRACTIONS),
	}


def numbers_of_the_milestones() -> dict:
	"""Return all numbers as they are without anything stored."""
	frappe.db.savepoint("with_roll_up")
	frappe.db.delete(closed_days.DOCTYPE)
	found = numbers()
	frappe.db.rollback(save_point="with_roll_up")
	return found


def is_used() -> bool:
	return bool(frappe.db.count(closed_days.DOCTYPE, {"numbers": ("is", "set")}))


def some_milestone(**filters) -> str:
	"""Return a milestone in the middle of a journey, of a day that is over."""
	filters |= {"reference_type": CASE, "value_before": ("!=", ""), "value": ("!=", "")}
	filters["reached_on"] = ("<", now_datetime() - datetime.timedelta(days=5))
	return frappe.get_all("Milestone", filters, pluck="name", order_by="reached_on", limit=1)[0]


# What can happen to milestones of days that are over. Each returns nothing, and changes a number.


def undo():
	milestones.mark_undone(some_milestone())


def undo_and_link_the_next_one():
	name = some_milestone()
	milestones.mark_undone(name)
	milestones.relink_after(name)


def delete_a_document():
	milestones.mark_deleted(CASE, "case-3")


def delete_several_documents():
	milestones.mark_deleted_many(CASE, ["case-4", "case-5", "case-6"])


def rename_a_value():
	milestones.rename_values(CASE, ["status"], "Sewn", "Stitched")


def import_more():
	write(range(100, 130))


def a_stay(days_ago: int) -> dict:
	"""Values of a milestone that ends a stay so many days ago."""
	return {
		"reference_type": CASE,
		"reference_name": "case-1",
		"track_field": "status",
		"value": "Sewn",
		"value_before": "Cut",
		"reached_on": now_datetime() - datetime.timedelta(days=days_ago),
		"time_in_previous": 777,
	}


def record_what_was_missed():
	milestones.insert_one(**a_stay(20))


def insert_by_hand():
	frappe.get_doc(doctype="Milestone", **a_stay(30)).insert(ignore_links=True)


def move_by_hand():
	doc = frappe.get_doc("Milestone", some_milestone())
	doc.value = "Elsewhere"
	doc.flags.ignore_links = True
	doc.save()


def change_one_column():
	frappe.get_doc("Milestone", some_milestone()).db_set("time_in_previous", 123456)


def delete_by_hand():
	frappe.delete_doc("Milestone", some_milestone(), force=True)


CHANGES = (
	undo,
	undo_and_link_the_next_one,
	delete_a_document,
	delete_several_documents,
	rename_a_value,
	import_more,
	record_what_was_missed,
	insert_by_hand,
	move_by_hand,
	change_one_column,
	delete_by_hand,
)


@pytest.mark.no_site
def test_longer_times_never_have_a_lower_class_and_each_class_begins_where_it_says():
	seconds = [*range(5000), *(2**power + offset for power in range(13, 40) for offset in (-1, 0, 1))]
	classes = [roll_up.class_of(second) for second in seconds]
	assert classes == sorted(classes)
	for second, number in zip(seconds[1:], classes[1:], strict=True):
		least = roll_up.least(number)
		assert least <= second
		assert roll_up.class_of(least) == number
		assert roll_up.class_of(least - 1) < number
		assert second < least * 1.13 or second < 8
	assert roll_up.class_of(-5) == 0
	assert roll_up.least(0) is None


def test_stored_sums_give_the_numbers_of_the_milestones(case, count_queries):
	assert roll_up.by_step(SCOPE) is not None
	with count_queries() as calls:
		found = numbers()
	assert not any("SUM(" in statement for statement in calls.statements), "milestones were added up again"
	assert found == numbers_of_the_milestones()
	assert sum(row.count for row in numbers()["steps"]) > 300


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_a_day_that_is_over_is_in_the_numbers_at_once_and_after_the_next_night(case, change):
	before = numbers()
	change()
	after = numbers_of_the_milestones()
	assert after != before
	assert numbers() == after
	roll_ups.refresh(now_datetime(), worth=1)
	assert frappe.db.count(closed_days.DOCTYPE, {"numbers": ("is", "not set")}) == 0
	assert roll_up.by_step(SCOPE) is not None
	assert numbers() == after
	assert list(roll_ups.differing()) == []


def test_all_changes_one_after_the_other_with_a_night_now_and_then(case):
	dice = random.Random(11)
	for change in dice.sample(CHANGES, len(CHANGES)):
		change()
		assert numbers() == numbers_of_the_milestones(), change.__name__
		if dice.random() < 0.4:
			roll_ups.refresh(now_datetime(), worth=1)
			assert numbers() == numbers_of_the_milestones(), change.__name__


def test_a_night_adds_up_only_what_is_new_or_has_changed(case):
	assert roll_ups.refresh(now_datetime(), worth=1) == 0
	milestones.mark_undone(some_milestone())
	assert roll_ups.refresh(now_datetime(), worth=1) == 1
	assert roll_ups.refresh(now_datetime() + datetime.timedelta(days=1), worth=1) >= 1


def test_the_days_of_a_month_that_is_over_are_added_up_together(case):
	later = now_datetime() + datetime.timedelta(days=65)
	roll_ups.refresh(later, worth=1)
	stored, _notes = roll_up.stored_ranges(CASE, "status")
	assert roll_up.without_overlaps(stored) == sorted(stored, key=lambda found: found.first)
	this_month = closed_days.end(later).replace(day=1)
	lengths = [(found.last - found.first).days + 1 for found in stored if found.first < this_month]
	assert min(lengths) >= 28
	assert numbers() == numbers_of_the_milestones()


def test_on_the_first_of_a_month_no_day_is_added_up_that_is_not_over(make_doctype):
	make_doctype(CASE, [{"fieldname": "status", "fieldtype": "Data"}])
	morning = datetime.datetime(2026, 12, 1, 8)
	rows = [MilestoneRow(f"case-{hour}", "Cut", "Sewn", morning, "", hour) for hour in range(5)]
	Writer(CASE, "status", "", MilestoneSource.IMPORT).insert(rows)
	assert roll_ups.refresh(morning + datetime.timedelta(hours=6), worth=1) == 0
	assert roll_ups.refresh(morning + datetime.timedelta(hours=41), worth=1) == 1
	assert numbers() == numbers_of_the_milestones()


def test_sums_from_before_a_doctype_was_renamed_make_room_for_new_ones(case):
	milestone, row = frappe.qb.DocType("Milestone"), frappe.qb.DocType(closed_days.DOCTYPE)
	for table in (milestone, row):
		# As Frappe does with every link to a DocType.
		query = frappe.qb.update(table).set(table.reference_type, "Renamed Case")
		query.where(table.reference_type == CASE).run()
	renamed = Scope("Renamed Case", "status")
	before = stays.by_step(renamed)
	name = frappe.get_all(
		"Milestone", {"reference_type": "Renamed Case", "value_before": "Cut"}, pluck="name"
	)[0]
	milestones.mark_undone(name)
	roll_ups.refresh(now_datetime(), worth=1)
	after = stays.by_step(renamed)
	assert sum(step.count for step in after) == sum(step.count for step in before) - 1
	assert list(roll_ups.differing()) == []
	stored, _notes = roll_up.stored_ranges("Renamed Case", "status")
	assert roll_up.without_overlaps(stored) == sorted(stored, key=lambda found: found.first)


def test_a_field_with_a_value_for_every_document_is_not_added_up(case, monkeypatch):
	monkeypatch.setattr(roll_ups, "MOST_STORED", 50)
	milestones.mark_undone(some_milestone())
	assert roll_ups.refresh(now_datetime(), worth=1) == 0
	assert frappe.db.count(closed_days.DOCTYPE, {"reference_type": CASE}) == 0
	assert numbers() == numbers_of_the_milestones()


def test_a_recorded_change_of_today_writes_no_note(case):
	milestones.insert_one(**a_stay(0))
	assert frappe.db.count(closed_days.DOCTYPE, {"numbers": ("is", "not set")}) == 0
	assert numbers() == numbers_of_the_milestones()


def test_of_few_milestones_nothing_is_stored_and_their_notes_go(case):
	milestones.mark_undone(some_milestone())
	assert roll_ups.refresh(now_datetime()) == 0
	assert frappe.db.count(closed_days.DOCTYPE, {"reference_type": CASE}) == 0


def test_where_many_days_have_changed_the_indexes_answer(case):
	milestones.rename_values(CASE, ["status"], "Cut", "Trimmed")
	frappe.db.delete(closed_days.DOCTYPE, {"numbers": ("is", "not set")})
	for month in range(1, 60):
		day = now_datetime() - datetime.timedelta(days=month)
		closed_days.note(CASE, [("status", day)])
	assert numbers() == numbers_of_the_milestones()


def test_milestones_deleted_by_sql_are_found_by_the_doctor_and_the_next_night_adds_up_anew(case):
	frappe.db.delete("Milestone", {"name": some_milestone()})
	(found,) = [finding for finding in doctor.examine() if finding.check == "Roll-ups"]
	assert found.faults == [f"The stored times of {CASE}, status, differ from its milestones."]
	found.fix()
	assert not is_used()
	roll_ups.refresh(now_datetime(), worth=1)
	assert list(roll_ups.differing()) == []
	assert numbers() == numbers_of_the_milestones()


ADD_UP = f"""
import frappe
from frappe.utils import now_datetime

from milestone_automation import roll_ups

roll_ups.forget("{CASE}", "status")
frappe.db.commit()
roll_ups.refresh(now_datetime(), frappe.db.commit, worth=1)
"""


@pytest.fixture
def committed_case(scratch_site):
	"""A site where the milestones are committed, for other processes to read."""
	scratch = scratch_site()
	with scratch.connect():
		if frappe.db.db_type == "sqlite":
			pytest.skip("SQLite lets nobody else write while a transaction is open")
		write(range(100))
		frappe.db.commit()  # the other process shall see it
		yield scratch
		frappe.db.rollback()


def test_a_change_that_is_under_way_while_days_are_added_up_counts_once_it_is_committed(committed_case):
	name = some_milestone()
	milestones.mark_undone(name)
	committed_case.python(ADD_UP)
	frappe.db.commit()  # only now others see the change
	assert is_used()
	assert frappe.db.get_value("Milestone", name, "undone") == 1
	assert numbers() == numbers_of_the_milestones()


def test_two_who_add_up_at_once_store_the_same_sums_once(committed_case):
	with ThreadPoolExecutor(2) as pool:
		running = [pool.submit(committed_case.python, ADD_UP) for _number in range(2)]
		for change in (undo, delete_a_document, rename_a_value):
			try:
				change()
				frappe.db.commit()  # while the others are at it
			except frappe.QueryDeadlockError:
				frappe.db.rollback()
		for process in running:
			process.result()
	frappe.db.rollback()
	assert numbers() == numbers_of_the_milestones()
	roll_ups.refresh(now_datetime(), worth=1)
	assert list(roll_ups.differing()) == []
	stored, notes = roll_up.stored_ranges(CASE, "status")
	assert roll_up.without_overlaps(stored) == sorted(stored, key=lambda found: found.first)
	assert notes == []
