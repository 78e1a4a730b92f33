"""Plans of any shape through any changes: the dates are always those that a few plain rules give.

The rules are written down again here, one by one and the slow way, and compared with what is stored after each step. What a
preview says is compared with what the step does. The seed is in the name of each test.
"""

import random
from contextlib import suppress
from datetime import date, timedelta

import frappe
import pytest
from frappe.utils import getdate, nowdate

from milestone_automation import api
from milestone_automation.engine.progress import stage_dates, stages
from milestone_automation.engine.store import plan_rows
from tests.support.clock import SAME_DAY, at
from tests.support.factories import make_document, make_workflow, plan_of, task

pytestmark = pytest.mark.usefixtures("production_order")

SEEDS = range(12)
STEPS = 14
FIELDS = ("order_date", "delivery_date", "inspection_date")
FAR = (date(1, 1, 1), date(9998, 12, 30), date(9999, 12, 31), date(1900, 2, 28))


class Planner:
	"""An order with its plan, and a planner who does anything that comes to mind."""

	def __init__(self, seed: int):
		self.chance = random.Random(seed)
		self.today = getdate(nowdate())
		self.done: list[str] = []
		self.make_any_workflow()
		self.order = make_document(status="Open", **{name: self.any_day() for name in FIELDS})
		self.plan = plan_of(self.order).name

	def make_any_workflow(self) -> None:
		"""Some are refused, because their dates would never be in order: another one then."""
		while not frappe.db.exists("Milestone Workflow", "Production"):
			rows = [self.any_stage(number) for number in range(5)]
			tasks = [
				task(row["stage_name"], f"Task {number}", self.chance.randint(0, 6), 0)
				for number, row in enumerate(rows)
			]
			with suppress(frappe.ValidationError):
				make_workflow(
					stages=rows, tasks=tasks, later_stages=self.chance.choice(["Shift Too", "Keep Order"])
				)

	def any_day(self) -> date:
		return self.today + timedelta(self.chance.randint(-20, 60))

	def any_offset(self, rule: str) -> int:
		if rule.startswith("After"):
			return self.chance.choice([*range(10), 800])
		return self.chance.randint(-9, 9)

	def any_stage(self, number: int) -> dict:
		rules = ["Document Date Field", "Document Date Field", "After Creation", "Set Manually"]
		rule = self.chance.choice(rules + ["After Previous Milestone"] * bool(number))
		return {
			"stage_name": f"Stage {number}",
			"key_date_rule": rule,
			"date_field": self.chance.choice(FIELDS) if rule == "Document Date Field" else None,
			"offset_days": self.any_offset(rule),
			"working_days": self.chance.randint(0, 1),
		}

	# Steps

	def step(self) -> None:
		kinds = (
			self.change_document,
			self.change_document,
			self.reschedule,
			self.reschedule,
			self.shift,
			self.confirm,
			self.undo,
		)
		act = self.chance.choice((*kinds, self.cancel_and_undo))
		before = self.dates()
		frappe.db.savepoint("planner")
		try:
			act()
		except frappe.ValidationError as refusal:
			frappe.db.rollback(save_point="planner")
			self.order.reload()
			self.done.append(f"  refused: {refusal}")
			assert self.dates() == before
		frappe.local.message_log = []

	def note(self, *words) -> None:
		self.done.append(" ".join(str(word) for word in words))

	def change_document(self) -> None:
		field = self.chance.choice(FIELDS)
		day = self.chance.choice(
			[None, self.any_day(), self.any_day(), self.any_day(), self.any_day(), self.chance.choice(FAR)]
		)
		self.note("document", field, day)
		old, faults = self.order.get(field), frappe.db.count("Error Log")
		self.order.set(field, day)
		self.order.save()
		self.order.reload()
		assert frappe.db.count("Error Log") == faults
		if self.order.get(field) != (old and getdate(old)):
			self.check_followed(field)

	def check_followed(self, field: str) -> None:
		"""What a changed field dates is on that date, or as near as earlier milestones allow."""
		rows = self.stages()
		counting = self.counting(rows)
		plan = plan_rows.load_by_name(self.plan)
		for index, row in enumerate(rows):
			if (
				row.status == "Reached"
				or row.key_date_rule != "Document Date Field"
				or row.date_field != field
			):
				continue
			wanted = stage_dates.document_date(plan, row)
			if wanted:
				assert row.key_date == max([wanted, *(day for day in counting[:index] if day)]), (
					row.stage_name
				)

	def reschedule(self) -> None:
		row = self.chance.choice(self.stages())
		given = {
			"new_date": self.chance.choice([None, *(self.any_day() for _number in range(5))]),
			"later_stages": self.chance.choice(["Shift Too", "Keep Order"]),
			"keep_anchored": self.chance.randint(0, 1),
		}
		foreseen = api.preview_reschedule(plan=self.plan, stage=row.name, **given)
		if given["new_date"] and foreseen["date_field"] and self.chance.randint(0, 1):
			given["update_document"] = 1
			foreseen = api.preview_reschedule(plan=self.plan, stage=row.name, **given)
		self.note("reschedule", row.stage_name, given)
		expected = self.dates() | {one["stage"]: one["new"] for one in foreseen["stages"]}
		api.reschedule_stage(plan=self.plan, stage=row.name, reason="Chance", **given)
		self.order.reload()
		assert self.dates() == expected

	def shift(self) -> None:
		rows = self.chance.sample(self.stages(), self.chance.randint(1, 3))
		days = self.chance.choice([-9, -3, -1, 1, 4, 12])
		given = {
			"cells": [{"plan": self.plan, "stage": row.name, "key_date": row.key_date} for row in rows],
			"days": days,
			"later_stages": self.chance.choice(["Shift Too", "Keep Order"]),
			"keep_anchored": self.chance.randint(0, 1),
		}
		before = self.dates()
		self.note(
			"shift", [row.stage_name for row in rows], days, given["later_stages"], given["keep_anchored"]
		)
		foreseen = api.preview_shift(**given)
		told = api.shift_stages(reason="Chance", **given)
		assert told["refused"] == foreseen["refused"]
		assert bool(told["moved"]) == bool(foreseen["documents"])
		moved = {one["stage"]: one["new"] for document in foreseen["documents"] for one in document["stages"]}
		assert self.dates() == before | moved

	def confirm(self) -> None:
		row = self.chance.choice(self.stages())
		day = self.today - timedelta(self.chance.randint(0, 15))
		self.note("confirm", row.stage_name, day)
		stages.confirm(self.plan, row.name, day)

	def undo(self) -> None:
		reached = [row for row in self.stages() if row.status == "Reached"]
		if reached:
			row = self.chance.choice(reached)
			self.note("undo", row.stage_name)
			stages.undo(self.plan, row.name, "Chance")

	def cancel_and_undo(self) -> None:
		before = self.stages()
		self.note("cancel and undo")
		api.cancel_plan(self.plan, "Chance")
		api.undo_cancel_plan(self.plan, "Chance")
		kept = ("name", "status", "key_date", "reached_on", "document_date_moved", "date_by_hand")
		assert [[row[name] for name in kept] for row in self.stages()] == [
			[row[name] for name in kept] for row in before
		]

	# What is stored

	def stages(self) -> list:
		stage = frappe.qb.DocType("Milestone Plan Stage")
		return (
			frappe.qb.from_(stage)
			.select(stage.star)
			.where(stage.parent == self.plan)
			.orderby(stage.idx)
			.run(as_dict=True)
		)

	def dates(self) -> dict:
		return {row.name: row.key_date for row in self.stages()}

	# The rules

	def check(self, before: list) -> None:
		rows = self.stages()
		self.check_order(rows)
		self.check_reached_stay(before, rows)
		self.check_documents_dates(rows)
		self.check_tasks(rows)

	def counting(self, rows: list) -> list:
		"""The day by which each stage counts for later ones: reached early, by that day; skipped, by the one that passed it."""
		found = []
		for index, row in enumerate(rows):
			passed = [other.reached_on for other in rows[index:] if other.status == "Reached"]
			actual = row.reached_on if row.status == "Reached" else next(iter(passed), None)
			days = [day for day in (row.key_date, actual) if day]
			found.append(min(days) if row.key_date else None)
		return found

	def check_order(self, rows: list) -> None:
		counting = self.counting(rows)
		for index, row in enumerate(rows):
			is_skipped = any(other.status == "Reached" for other in rows[index:])
			if row.key_date and not is_skipped:
				for earlier in range(index):
					assert not counting[earlier] or counting[earlier] <= row.key_date, (
						rows[earlier].stage_name,
						row.stage_name,
					)

	def check_reached_stay(self, before: list, rows: list) -> None:
		for old, new in zip(before, rows, strict=True):
			if old.status == new.status == "Reached":
				assert old.key_date == new.key_date, new.stage_name

	def check_documents_dates(self, rows: list) -> None:
		"""What waits for its document is as near to the document's date as earlier ones allow; nothing else waits."""
		counting = self.counting(rows)
		plan = plan_of(self.order)
		for index, row in enumerate(rows):
			if row.status == "Reached" or row.key_date_rule != "Document Date Field":
				continue
			wanted = stage_dates.document_date(plan_rows.load_by_name(self.plan), row)
			if row.document_date_moved and wanted:
				allowed = max([wanted, *(day for day in counting[:index] if day)])
				assert row.key_date == allowed, (row.stage_name, wanted, allowed)
		assert plan.status == "Active" or all(row.status == "Reached" for row in rows)

	def check_tasks(self, rows: list) -> None:
		due = {row.plan_stage: row for row in frappe.get_all("Milestone Task", {"plan": self.plan}, ["*"])}
		for row in rows:
			one = due[row.name]
			if one.status == "Open" and row.key_date and one.due_date:
				assert one.due_date <= row.key_date
				assert (row.key_date - one.due_date).days >= one.due_days_before


@pytest.fixture
def same_day(site):
	with at(SAME_DAY, tick=True):
		yield


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_planner_does_the_dates_are_what_the_rules_say(seed, same_day):
	planner = Planner(seed)
	for _number in range(STEPS):
		before = planner.stages()
		planner.step()
		try:
			planner.check(before)
		except AssertionError as fault:
			history = "\n".join(planner.done)
			shown = "\n".join(
				f"{row.stage_name} {row.key_date_rule} {row.date_field} {row.offset_days} {row.status} key {row.key_date}"
				f" reached {row.reached_on} waits {row.document_date_moved}"
				for row in planner.stages()
			)
			raise AssertionError(f"{fault}\n{history}\n{shown}") from fault
