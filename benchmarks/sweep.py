"""The sweep over ten times as many plans, with as many due: its cost is to follow the due ones.

Run it with `./dev benchmark sweep [--plans=10000] [--due=1000] [--rounds=3]`. The site gets that many active plans, each
with three stages and four tasks, and in a second step ten times as many; each time as many of them are due. Measured are

- messages: every due plan prompts its owner (mail, notification, row), which is mostly Frappe making mails;
- health: every due plan only turns late, which is the sweep alone;
- nothing: no plan is due, as in most hours of a day.

The goal is a factor of at most 1.2 between the two steps.
"""

import argparse
import datetime
import statistics
import time

import frappe
from _site import commit

from milestone_automation.engine.base import bulk
from milestone_automation.engine.messages import hourly, sending_day, sweep

TODAY = datetime.date(2030, 6, 8)
NOW = datetime.datetime(2030, 6, 8, 8)
OWNER = "olga@example.com"
STEP = 5000
FACTOR = 10
GOAL = 1.2
MAIL = {
	"mail_server": "127.0.0.1",
	"mail_port": 9,
	"auto_email_id": "site@example.com",
	"use_tls": 0,
	"use_ssl": 0,
}


def main() -> None:
	"""Measure and print."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("--plans", type=int, default=10_000)
	parser.add_argument("--due", type=int, default=1000)
	parser.add_argument("--rounds", type=int, default=3)
	arguments = parser.parse_args()
	frappe.local.conf.update(MAIL)
	make_owner()
	few = measure(arguments.plans, arguments)
	many = measure(arguments.plans * FACTOR, arguments)
	print(f"{'':12}{arguments.plans:>12,} plans{arguments.plans * FACTOR:>12,} plans   factor (goal {GOAL})")
	for way in few:
		print(f"{way:12}{few[way]:>16.3f} s{many[way]:>16.3f} s   {many[way] / few[way]:.2f}")


def make_owner() -> None:
	if not frappe.db.exists("User", OWNER):
		user = {"doctype": "User", "email": OWNER, "first_name": "Olga", "send_welcome_email": 0}
		frappe.get_doc(user).insert(ignore_permissions=True)  # the benchmark's own site


def measure(plans: int, arguments) -> dict[str, float]:
	"""Return the median seconds of each way, with this many plans on the site.

	Args:
		plans: number of plans; what is missing is inserted first.
		arguments: of the command line: `due`, number of plans that are due each time, and `rounds`.
	"""
	while (count := frappe.db.count("Milestone Plan")) < plans:
		insert_plans(count, min(STEP, plans - count))
		print(f"… {min(count + STEP, plans):,} of {plans:,} plans are there", flush=True)
	analyze()
	ways = {"messages": make_due_for_messages, "health": make_due_for_health, "nothing": reset}
	seconds: dict[str, list[float]] = {way: [] for way in ways}
	for _round in range(arguments.rounds):
		for way, prepare in ways.items():
			prepare(arguments.due)
			seconds[way].append(timed())
			print(f"… {plans:,} plans, {way}: {seconds[way][-1]:.3f} s", flush=True)
	return {way: statistics.median(times) for way, times in seconds.items()}


def timed() -> float:
	begun = time.perf_counter()
	sweep.sweep_plans(hourly.due_plans(sending_day.latest_message_day(NOW)), NOW)
	return time.perf_counter() - begun


def reset(_due: int = 0) -> None:
	"""Leave no plan due and no message.

	Args:
		_due: not used; the other ways to prepare a round are called with it.
	"""
	for doctype in ("Milestone Message", "Notification Log", "Email Queue", "Email Queue Recipient"):
		frappe.db.delete(doctype)
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	touched = frappe.qb.from_(plan).select(plan.name).where(plan.title == "due")
	stamps = {
		"prompted_on": None,
		"asked_round": 0,
		"health": "On Track",
		"key_date": datetime.date(2031, 1, 1),
	}
	update(frappe.qb.update(stage).where(stage.parent.isin(touched)), stage, stamps)
	calm = {"title": "", "next_check": datetime.date(2031, 1, 1), "health": "On Track"}
	update(frappe.qb.update(plan).where(plan.title == "due"), plan, calm)
	commit()  # each round starts with a fresh transaction


def make_due_for_messages(due: int) -> None:
	make_due(due, {"key_date": TODAY})


def make_due_for_health(due: int) -> None:
	yesterday = TODAY - datetime.timedelta(days=1)
	make_due(due, {"key_date": yesterday, "prompted_on": f"{yesterday} 07:00:00", "asked_round": 1})
	rows = [
		{
			"plan": name,
			"kind": "Prompt",
			"recipient": OWNER,
			"message_key": f"Prompt|{stage}|{stage}/1|0|{OWNER}",
		}
		for name, stage in due_names()
	]
	bulk.insert_rows("Milestone Message", rows)
	commit()  # as above


def make_due(due: int, first_stage: dict) -> None:
	reset()
	names = frappe.get_all("Milestone Plan", order_by="name", limit=due, pluck="name")
	bulk.update_rows("Milestone Plan", {name: {"title": "due", "next_check": TODAY} for name in names})
	stage = frappe.qb.DocType("Milestone Plan Stage")
	update(frappe.qb.update(stage).where(stage.parent.isin(names)).where(stage.idx == 1), stage, first_stage)
	commit()  # as above


def due_names() -> list[tuple]:
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(plan).join(stage).on(stage.parent == plan.name).select(plan.name, stage.name)
	return query.where(plan.title == "due").where(stage.idx == 1).run()


def update(query, table, values: dict) -> None:
	for column, value in values.items():
		query = query.set(table[column], value)
	query.run()


def insert_plans(start: int, count: int) -> None:
	"""Insert active plans of nothing in particular, none due.

	Args:
		start: number of the first plan.
		count: how many.
	"""
	later = datetime.date(2031, 1, 1)
	common = {"reference_type": "ToDo", "workflow": "Benchmark", "status": "Active", "health": "On Track"}
	names = bulk.insert_rows(
		"Milestone Plan",
		[
			common | {"reference_name": f"doc-{start + n}", "next_check": later, "plan_key": f"{start + n}"}
			for n in range(count)
		],
	)
	child = {"parenttype": "Milestone Plan", "parentfield": "stages", "status": "Open", "key_date": later}
	owner = {"owner_kind": "User", "owner_user": OWNER, "stage_owner": OWNER, "health": "On Track"}
	stages = [
		{**child, **owner, "parent": name, "idx": idx, "stage_name": f"Stage {idx}"}
		for name in names
		for idx in (1, 2, 3)
	]
	rows = bulk.insert_rows("Milestone Plan Stage", stages)
	tasks = []
	for row, stage in zip(rows, stages, strict=True):
		if stage["idx"] > 1:
			task = {
				"plan": stage["parent"],
				"plan_stage": row,
				"status": "Open",
				"required": 1,
				"due_date": later,
			}
			tasks += [{**task, "title": f"Task {number}"} for number in (1, 2)]
	jobs = bulk.insert_rows("Milestone Task", tasks)
	person = {
		"parenttype": "Milestone Task",
		"parentfield": "assignees",
		"idx": 1,
		"user": OWNER,
		"email": OWNER,
	}
	bulk.insert_rows("Milestone Task Assignee", [{**person, "parent": job} for job in jobs])
	commit()  # many rows


def analyze() -> None:
	"""Let the database know its new size, as its own housekeeping would."""
	for doctype in ("Milestone Plan", "Milestone Plan Stage", "Milestone Task", "Milestone Task Assignee"):
		frappe.db.sql_ddl(
			f'ANALYZE "tab{doctype}"' if frappe.db.db_type == "postgres" else f"ANALYZE TABLE `tab{doctype}`"
		)


if __name__ == "__main__":
	main()
