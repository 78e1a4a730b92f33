"""Plans driven through random legal and illegal moves; after each one, what must always be true is checked anew.

The machine knows nothing of the engine's insides: it does what people do, notes what was refused, and then looks at
the rows of the database.
"""

import json
import os
from collections import Counter
from contextlib import nullcontext
from datetime import timedelta

import frappe
import pytest
from frappe.utils import add_days, cstr, getdate, nowdate
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
	RuleBasedStateMachine,
	initialize,
	invariant,
	precondition,
	rule,
	run_state_machine_as_test,
)

from milestone_automation.engine.plans import catching_up, starting
from milestone_automation.engine.progress import (
	criterion_waivers,
	holding,
	proposals,
	rescheduling,
	stages,
	tasks,
)
from milestone_automation.engine.rules import criteria
from tests.support.clock import SAME_DAY, at
from tests.support.factories import ORDER, make_document, make_workflow, plan_of, stage, task
from tests.support.transactions import end_transaction

STATUSES = ("Open", "Cut", "Inspected", "Shipped", "Closed")
# Exit criteria of two stages, and what each asks of the order.
NOTE = {"kind": "Field Is Set", "field": "note"}
COMMENT = {"kind": "Comment Was Given"}
# What an entry of the log makes of a task.
TASK_STATUS = {
	"Task Completed": "Completed",
	"Task Reopened": "Open",
	"Task Waived": "Waived",
	"Task Cancelled": "Cancelled",
}
DAYS = st.integers(min_value=-40, max_value=40)
# Plays so many random cases instead of the same few: for a longer search than every run can afford.
EXAMPLES = int(os.environ.get("MILESTONE_MACHINE_EXAMPLES", "0"))


def names_before(rows, row) -> set[str]:
	"""The names of all stages before one, as its own words and those of the stages before it say."""
	if row.dependency == "Chosen Milestones":
		direct = row.predecessors.split("\n")
	elif row.dependency == "Nothing":
		direct = []
	else:
		direct = [other.stage_name for other in rows if other.idx == row.idx - 1]
	before = [names_before(rows, other) for other in rows if other.stage_name in direct]
	return set(direct).union(*before)


def names_passed(rows) -> set[str]:
	"""The names of the stages that come before a reached one."""
	return set().union(*(names_before(rows, row) for row in rows if row.status == "Reached"))


class PlanMachine(RuleBasedStateMachine):
	"""One order with its plan."""

	# How often what must be true was looked at: once for the beginning of each case, then after each move.
	states = 0

	@initialize(
		strict=st.booleans(),
		in_order=st.booleans(),
		mode=st.sampled_from(("Block", "Block", "Warn", "Off")),
		later=st.sampled_from(("Shift Too", "Keep Order")),
		working=st.booleans(),
		branches=st.booleans(),
		asks=st.booleans(),
	)
	def begin(self, strict, in_order, mode, later, working, branches, asks):
		frappe.db.rollback()
		name = f"Machine {frappe.generate_hash(length=8)}"
		days = {"working_days": int(working)}
		side_by_side = {"dependency": "Chosen Milestones", "predecessors": "Cut"} if branches else {}
		both = {"dependency": "Chosen Milestones", "predecessors": "Inspected\nApproved"} if branches else {}
		note, comment = ({"exit_criteria": json.dumps([row]) if asks else None} for row in (NOTE, COMMENT))
		make_workflow(
			name,
			earlier_tasks_block=int(strict),
			reached_in_order=int(in_order),
			later_stages=later,
			stages=[
				stage("Cut", "Cut", -30, **days),
				stage("Inspected", "Inspected", -10, gate_mode=mode, **note, **days),
				stage(
					"Approved",
					key_date_rule="After Previous Milestone",
					date_field=None,
					days=5,
					**comment,
					**days,
					**side_by_side,
				),
				stage("Shipped", "Shipped", 0, gate_mode=mode, **both),
			],
			tasks=[
				task("Cut", "Order the cloth", days=4, **days),
				task("Inspected", "Book the inspector", days=2, **days),
				task("Inspected", "Take photographs", required=0, after_tasks="Book the inspector"),
				task("Approved", "Ask the buyer", days=1),
				task("Shipped", "Sign the packing list", days=3, **days),
			],
		)
		self.order = make_document().name
		self.plan = plan_of(frappe.get_doc(ORDER, self.order)).name
		self.reached_before = set()
		self.closed_before = {}
		self.cancelled = False

	def attempt(self, action, passes_gate: bool = False) -> bool:
		"""Do it as a request would: all or nothing. Tells whether it went through."""
		open_before = Counter(self.open_required_by_stage()) + Counter(self.unmet_by_stage())
		stages_before = self.stage_rows()
		tasks_before = self.task_rows()
		frappe.db.savepoint("request")
		try:
			action()
		except (frappe.ValidationError, frappe.PermissionError, frappe.DoesNotExistError):
			frappe.db.rollback(save_point="request")
			frappe.clear_messages()
			assert self.stage_rows() == stages_before
			assert self.task_rows() == tasks_before
			return False
		end_transaction()
		if not passes_gate:
			self.check_gate(stages_before, open_before)
		self.check_closed_tasks(tasks_before)
		return True

	def stage_rows(self):
		return frappe.get_all("Milestone Plan Stage", {"parent": self.plan}, ["*"], order_by="idx")

	def task_rows(self):
		return frappe.get_all("Milestone Task", {"plan": self.plan}, ["*"], order_by="name")

	def open_required_by_stage(self) -> dict[str, int]:
		counted = {}
		for row in self.task_rows():
			counted.setdefault(row.plan_stage, 0)
			counted[row.plan_stage] += int(row.status == "Open" and row.required == 1)
		return counted

	def unmet_by_stage(self) -> dict[str, int]:
		"""Exit criteria that are neither met nor waived, looked up in the order and the log."""
		has_note = bool(frappe.db.get_value(ORDER, self.order, "note"))
		about = {"reference_doctype": ORDER, "reference_name": self.order, "comment_type": "Comment"}
		is_met = {"Inspected": has_note, "Approved": bool(frappe.db.exists("Comment", about))}
		waived = self.waived_stages()
		return {
			row.name: int(not is_met[row.stage_name] and row.name not in waived)
			for row in self.stage_rows()
			if row.exit_criteria
		}

	def waived_stages(self) -> set[str]:
		"""Stages whose exit criterion is waived, by the log."""
		turns = {
			row.plan_stage: row.event for row in self.log() if row.event.startswith("Exit Criterion Waive")
		}
		return {name for name, event in turns.items() if event == "Exit Criterion Waived"}

	def check_gate(self, stages_before, open_before):
		"""What was reached by this move had no open required task or criterion at that moment, where the gate blocks."""
		was_open = {row.name: row for row in stages_before if row.status == "Open"}
		for row in self.stage_rows():
			if row.name not in was_open or row.status != "Reached" or row.gate_mode != "Block":
				continue
			before = names_before(stages_before, row)
			earlier = [other.name for other in was_open.values() if other.stage_name in before]
			self.check_order(row, earlier)
			blocking = [row.name, *(earlier if self.plan_row().earlier_tasks_block else ())]
			assert sum(open_before.get(name, 0) for name in blocking) == 0, (
				f"{row.stage_name} slipped through"
			)

	def check_order(self, row, earlier):
		"""Where milestones are reached in order, none that was open before is still open."""
		if self.plan_row().reached_in_order:
			still_open = {other.name for other in self.stage_rows() if other.status == "Open"}
			assert not still_open & set(earlier), f"{row.stage_name} is reached out of order"

	def check_closed_tasks(self, tasks_before):
		"""A task that was closed and still is has not been touched."""
		now = {row.name: row for row in self.task_rows()}
		for row in tasks_before:
			if row.status != "Open" and now[row.name].status == row.status:
				kept = ("due_date", "closed_on", "closed_by", "reason", "stage_name")
				assert [now[row.name][field] for field in kept] == [row[field] for field in kept]

	def plan_row(self):
		return frappe.db.get_value("Milestone Plan", self.plan, "*", as_dict=True)

	# Moves of the document

	@rule(status=st.sampled_from(STATUSES), by_db_set=st.booleans())
	def change_status(self, status, by_db_set):
		order = frappe.get_doc(ORDER, self.order)

		def save():
			if by_db_set:
				order.db_set("status", status)
			else:
				order.status = status
				order.save()

		self.attempt(save)

	@rule(way=st.sampled_from(STATUSES), status=st.sampled_from(STATUSES))
	def reopen_by_way_of_another_status(self, way, status):
		"""As ERPNext reopens an order: both in one transaction. What only passes undoes nothing."""
		reached = {row.name for row in self.stage_rows() if row.status == "Reached"}
		kept = frappe.db.get_value(ORDER, self.order, "status")
		order = frappe.get_doc(ORDER, self.order)

		def set_both():
			order.db_set("status", way)
			order.db_set("status", status)

		if self.attempt(set_both) and status == kept:
			assert reached <= {row.name for row in self.stage_rows() if row.status == "Reached"}

	@rule(status=st.sampled_from(STATUSES))
	def write_past_the_hooks(self, status):
		"""By SQL; the check at night finds it."""
		frappe.db.set_value(ORDER, self.order, "status", status)
		self.attempt(lambda: catching_up.run(ORDER), passes_gate=True)

	@rule(days=DAYS)
	def change_delivery_date(self, days):
		order = frappe.get_doc(ORDER, self.order)
		order.delivery_date = order.delivery_date + timedelta(days=days)
		self.attempt(order.save)

	@rule()
	def clear_delivery_date(self):
		order = frappe.get_doc(ORDER, self.order)
		if order.delivery_date:
			kept = order.delivery_date
			order.delivery_date = None
			self.attempt(order.save)
			again = frappe.get_doc(ORDER, self.order)
			again.delivery_date = kept
			self.attempt(again.save)

	# Moves of stages

	@rule(index=st.integers(0, 3), days_ago=st.integers(-2, 5))
	def confirm(self, index, days_ago):
		row = self.stage_rows()[index]
		went = self.attempt(lambda: stages.confirm(self.plan, row.name, add_days(nowdate(), -days_ago)))
		assert not (went and days_ago < 0), "A stage was reached on a day to come"

	@rule(index=st.integers(0, 3), reason=st.sampled_from(("", "A mistake")))
	def undo(self, index, reason):
		row = self.stage_rows()[index]
		went = self.attempt(lambda: stages.undo(self.plan, row.name, reason))
		assert not (went and not reason)

	@rule(index=st.integers(0, 3), days=DAYS, reason=st.sampled_from(("", "The cloth is late")))
	def reschedule(self, index, days, reason):
		row = self.stage_rows()[index]
		if row.key_date:
			new = row.key_date + timedelta(days=days)
			went = self.attempt(lambda: rescheduling.reschedule(self.plan, row.name, new, reason))
			assert not (went and (row.status == "Reached" or not reason))

	@rule(index=st.integers(0, 3), days=DAYS)
	def change_a_date_in_the_form(self, index, days):
		plan = frappe.get_doc("Milestone Plan", self.plan)
		row = plan.stages[index]
		if row.key_date:
			row.key_date = row.key_date + timedelta(days=days)
			went = self.attempt(plan.save)
			assert went == (not days), "A date moved without a reason"

	# Moves of tasks

	@rule(number=st.integers(0, 9))
	def complete(self, number):
		self.attempt(lambda: tasks.complete(self.pick(number).name))

	@rule(number=st.integers(0, 9))
	def complete_by_saving(self, number):
		doc = frappe.get_doc("Milestone Task", self.pick(number).name)
		doc.status = "Completed"
		self.attempt(doc.save)

	@rule(number=st.integers(0, 9), reason=st.sampled_from(("", "Not good enough")))
	def reopen(self, number, reason):
		self.attempt(lambda: tasks.reopen(self.pick(number).name, reason))

	@rule(number=st.integers(0, 9), how=st.sampled_from(("waive", "cancel")))
	def let_go(self, number, how):
		self.attempt(lambda: getattr(tasks, how)(self.pick(number).name, "Agreed"))

	@rule(number=st.integers(0, 9), days=DAYS)
	def move_a_task(self, number, days):
		doc = frappe.get_doc("Milestone Task", self.pick(number).name)
		if doc.due_date and doc.status == "Open":
			doc.due_date = doc.due_date + timedelta(days=days)
			self.attempt(doc.save)

	@precondition(lambda self: len(self.task_rows()) < 10)
	@rule(index=st.integers(0, 3), required=st.booleans(), before=st.integers(-1, 5))
	def add_task(self, index, required, before):
		row = self.stage_rows()[index]
		values = {"title": f"Added {before}", "required": int(required), "due_days_before": before}
		went = self.attempt(lambda: tasks.add(self.plan, row.name, **values))
		assert not (went and before < 0)

	# Exit criteria

	@rule(note=st.sampled_from(("", "Packed")), by_db_set=st.booleans())
	def write_a_note(self, note, by_db_set):
		order = frappe.get_doc(ORDER, self.order)
		if by_db_set:
			self.attempt(lambda: order.db_set("note", note))
		else:
			order.note = note
			self.attempt(order.save)

	@rule()
	def comment_or_take_it_back(self):
		about = {"reference_doctype": ORDER, "reference_name": self.order, "comment_type": "Comment"}
		given = frappe.db.get_value("Comment", about)
		if given:
			self.attempt(lambda: frappe.delete_doc("Comment", given))
		else:
			self.attempt(lambda: frappe.get_doc(ORDER, self.order).add_comment("Comment", "Agreed"))

	@rule(index=st.integers(1, 2), reason=st.sampled_from(("", "Agreed")), back=st.booleans())
	def waive_or_take_it_back(self, index, reason, back):
		row = self.stage_rows()[index]
		key = criteria.parse(json.dumps([NOTE if index == 1 else COMMENT]))[0].key
		act = criterion_waivers.reopen if back else criterion_waivers.waive
		went = self.attempt(lambda: act(self.plan, row.name, key, reason))
		assert not (went and (not reason or row.status == "Reached" or not row.exit_criteria))

	@rule(index=st.integers(0, 3), days=DAYS)
	def propose(self, index, days):
		row = self.stage_rows()[index]
		day = add_days(nowdate(), days)
		went = self.attempt(lambda: proposals.propose(self.plan, row.name, day, "The cloth is late"))
		assert not (went and (days <= 0 or row.status == "Reached"))
		assert self.stage_rows()[index].key_date == row.key_date

	@rule(index=st.integers(0, 3), accept=st.booleans())
	def decide(self, index, accept):
		row = self.stage_rows()[index]
		decision = proposals.accept if accept else proposals.decline
		arguments = () if accept else ("No",)
		went = self.attempt(lambda: decision(self.plan, row.name, *arguments))
		assert not (went and not row.proposal)
		if went and accept:
			assert self.stage_rows()[index].key_date == row.proposed_date

	@rule(reason=st.sampled_from(("", "The mill is on strike")))
	def put_on_hold(self, reason):
		plan = self.plan_row()
		went = self.attempt(lambda: holding.put_on_hold(self.plan, reason))
		assert went == (bool(reason) and plan.status == "Active" and not plan.on_hold_since)

	@rule(shift=st.booleans(), keep=st.booleans())
	def resume(self, shift, keep):
		plan = self.plan_row()
		went = self.attempt(lambda: holding.resume(self.plan, shift, keep))
		assert not went or (plan.status == "Active" and plan.on_hold_since)

	@rule()
	def start_again(self):
		assert starting.start(frappe.get_doc(ORDER, self.order), by_hand=True) == self.plan

	def pick(self, number):
		# Not by name: names are random, and a case played again must pick the same tasks.
		rows = sorted(self.task_rows(), key=lambda row: (row.title, row.creation))
		return rows[number % len(rows)]

	# What must always be true

	@invariant()
	def counted(self):
		PlanMachine.states += 1

	@invariant()
	def one_plan(self):
		assert frappe.db.count("Milestone Plan", {"reference_type": ORDER, "reference_name": self.order}) == 1

	@invariant()
	def tasks_never_after_their_stage(self):
		key_dates = {row.name: row.key_date for row in self.stage_rows()}
		for row in self.task_rows():
			if row.status == "Open" and row.due_date and key_dates[row.plan_stage]:
				assert row.due_date <= key_dates[row.plan_stage], f"{row.title} is due after its stage"

	@invariant()
	def open_stages_in_order(self):
		rows = self.stage_rows()
		passed = names_passed(rows)
		for row in rows:
			if row.status == "Reached" or row.stage_name in passed or not row.key_date:
				continue
			for earlier in rows:
				if earlier.stage_name in names_before(rows, row) and earlier.key_date:
					assert row.key_date >= self.counts_from(rows, earlier), (
						f"{row.stage_name} is before {earlier.stage_name}"
					)

	def counts_from(self, rows, earlier):
		"""A stage that was reached before its key date lets later ones be pulled ahead; so does one that was skipped."""
		later = [
			row.reached_on
			for row in rows
			if row.reached_on and (row is earlier or earlier.stage_name in names_before(rows, row))
		]
		return min([earlier.key_date, *later[:1]])

	@invariant()
	def sums_equal_a_recount(self):
		counted = self.open_required_by_stage()
		for row in self.stage_rows():
			assert row.open_required == counted.get(row.name, 0), row.stage_name

	@invariant()
	def waivers_are_those_of_the_log(self):
		stored = {row.name for row in self.stage_rows() if row.waived_criteria}
		assert stored == self.waived_stages()

	@invariant()
	def reached_today_or_earlier(self):
		for row in self.stage_rows():
			assert (row.status == "Reached") == bool(row.reached_on)
			assert not row.reached_on or row.reached_on <= getdate(nowdate())

	@invariant()
	def the_plan_says_what_its_stages_say(self):
		plan, rows = self.plan_row(), self.stage_rows()
		passed = names_passed(rows)
		skipped = [row for row in rows if row.status == "Open" and row.stage_name in passed]
		open_rows = [row for row in rows if row.status == "Open" and row.stage_name not in passed]
		assert [row for row in rows if row.health == "Skipped"] == skipped
		assert plan.status == ("Active" if open_rows or skipped else "Completed")
		current = [*open_rows, *skipped]
		assert (plan.current_stage or "") == (current[0].stage_name if current else "")
		on_hold = bool(plan.on_hold_since and open_rows)
		assert (plan.health == "On Hold") == on_hold
		assert not plan.on_hold_since or plan.next_check is None
		dated = [row.key_date for row in open_rows if row.key_date]
		assert plan.next_date == (min(dated) if dated else None)

	@invariant()
	def every_move_of_a_date_is_on_record(self):
		for row in self.stage_rows():
			changes = frappe.get_all(
				"Milestone Date Change",
				{"plan_stage": row.name, "status": "Accepted"},
				["old_date", "new_date"],
				order_by="creation, name",
			)
			moved = {row.planned_date} | {change.new_date for change in changes}
			assert row.key_date in moved

	@invariant()
	def replaying_what_is_on_record_gives_the_stored_plan(self):
		stored = {row.name: (row.stage_name, row.status, row.key_date) for row in self.stage_rows()}
		stored |= {row.name: (row.title, row.status) for row in self.task_rows()}
		replayed = self.replayed()
		assert {name: (row, replayed[name]) for name, row in stored.items() if row != replayed[name]} == {}

	@invariant()
	def a_proposal_waits_on_record_and_nowhere_else(self):
		filters = {"plan": self.plan, "status": "Proposed"}
		waiting = frappe.get_all("Milestone Date Change", filters, ["name", "plan_stage", "proposed_date"])
		shown = [
			{"name": row.proposal, "plan_stage": row.name, "proposed_date": row.proposed_date}
			for row in self.stage_rows()
			if row.proposal
		]
		assert sorted(waiting, key=lambda row: row["name"]) == sorted(shown, key=lambda row: row["name"])
		assert not [row for row in self.stage_rows() if row.proposal and row.status == "Reached"]

	@invariant()
	def the_log_says_whether_the_plan_is_on_hold(self):
		turns = [row for row in self.log() if row.event in ("Plan Put on Hold", "Plan Resumed")]
		is_on_hold = bool(turns) and turns[-1].event == "Plan Put on Hold"
		plan = self.plan_row()
		assert bool(plan.on_hold_since) == is_on_hold
		assert not is_on_hold or plan.hold_reason == turns[-1].reason

	def replayed(self) -> dict[str, tuple]:
		"""Stages and tasks rebuilt from milestones, date changes and the log."""
		task_statuses = {row.name: "Open" for row in self.task_rows()}
		undone_on = {}
		for entry in self.log():
			if entry.event in TASK_STATUS:
				task_statuses[entry.task] = TASK_STATUS[entry.event]
			if entry.event == "Milestone Undone":
				undone_on[entry.plan_stage] = entry.done_on
		dates_now = {row.name: row.planned_date for row in self.stage_rows()}
		dates_now |= {change.plan_stage: change.new_date for change in self.date_changes()}
		stages_now = {
			row.name: (
				row.stage_name,
				"Reached" if self.is_reached(row, undone_on.get(row.name)) else "Open",
				dates_now[row.name],
			)
			for row in self.stage_rows()
		}
		return stages_now | {row.name: (row.title, task_statuses[row.name]) for row in self.task_rows()}

	def is_reached(self, row, undone_on) -> bool:
		"""A stage is reached by a milestone of its value that was not undone later."""
		value = row.track_value if row.reach_rule == "Field Value" else row.stage_name
		filters = {"name": row.milestone or "", "value": value, "undone": 0}
		return bool(frappe.db.exists("Milestone", filters)) and not (undone_on and undone_on > row.reached_at)

	def log(self):
		return frappe.get_all("Milestone Plan Log", {"plan": self.plan}, ["*"], order_by="done_on, creation")

	def date_changes(self):
		return frappe.get_all(
			"Milestone Date Change",
			{"plan": self.plan, "status": "Accepted"},
			["*"],
			order_by="changed_on, creation",
		)

	@invariant()
	def the_plan_knows_the_document_as_it_is_stored(self):
		known = json.loads(self.plan_row().snapshot)
		status, delivery = frappe.db.get_value(ORDER, self.order, ["status", "delivery_date"])
		assert (known["status"], known["delivery_date"]) == (status or "", cstr(delivery))

	@invariant()
	def milestones_are_one_chain_that_ends_where_the_document_is(self):
		rows = frappe.get_all(
			"Milestone",
			{"reference_name": self.order, "track_field": "status"},
			["from_value", "value"],
			order_by="reached_on, idx, creation",
		)
		assert [row.from_value for row in rows] == ["", *(row.value for row in rows[:-1])]
		assert rows[-1].value == frappe.db.get_value(ORDER, self.order, "status")

	@invariant()
	def no_fault_was_swallowed(self):
		faults = frappe.get_all("Error Log", {"method": ("like", "Milestone%")}, ["method", "error"])
		assert faults == []


@pytest.mark.usefixtures("production_order")
def test_no_sequence_of_moves_breaks_a_plan(site, pytestconfig):
	# A site under load is slow; that says nothing about plans.
	options = settings(
		max_examples=EXAMPLES or 25,
		stateful_step_count=25,
		deadline=None,
		suppress_health_check=list(HealthCheck),
		print_blob=True,
		derandomize=not EXAMPLES,
	)
	PlanMachine.states = 0
	try:
		with nullcontext() if EXAMPLES else at(SAME_DAY, tick=True):
			run_state_machine_as_test(PlanMachine, settings=options)
		result = "no difference"
	except BaseException:
		result = "a difference"
		raise
	finally:
		seed = pytestconfig.getoption("hypothesis_seed", None) or "the suite's own"
		print(f"seed {seed}, {options.max_examples} cases, {PlanMachine.states} states checked: {result}")
	assert PlanMachine.states > options.max_examples
