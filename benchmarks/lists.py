"""Lists, board and cards over ten times as many plans, for a user whom a User Permission limits to the same documents.

Run it with `./dev benchmark lists [--plans=10000] [--rounds=9]`. Each plan has a document, three stages and four tasks.
The user sees those of one customer, 500 in both steps, among which are the user's own tasks and milestones. The goal: ten times
the plans cost at most 1.3 times.

Beside the shortest time of the rounds, which other work on the machine disturbs least, stand the rows that the database
read for one look, which it does not disturb at all (MariaDB, and PostgreSQL without those read from an index alone).
"""

import argparse
import datetime
import time

import frappe
from _site import commit
from frappe.desk import reportview
from frappe.query_builder.functions import Coalesce, Sum

from milestone_automation.desk import board, cards, my_work
from milestone_automation.engine.base import bulk

DOCTYPE, CUSTOMER = "Listed Order", "Listed Customer"
ROLE, USER, OTHER = "Listed Reader", "limited@example.com", "somebody@example.com"
WORKFLOW = "Listed"
SEEN, OWN, STEP, FACTOR, GOAL = 500, 50, 5000, 10, 1.3
TABLES = (
	DOCTYPE,
	"Milestone Plan",
	"Milestone Plan Stage",
	"Milestone Task",
	"Milestone Task Assignee",
)
LATER = datetime.date(2031, 1, 1)


def main() -> None:
	"""Measure and print."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("--plans", type=int, default=10_000)
	parser.add_argument("--rounds", type=int, default=9)
	arguments = parser.parse_args()
	prepare()
	few = measure(arguments.plans, arguments.rounds)
	many = measure(arguments.plans * FACTOR, arguments.rounds)
	print(f"{frappe.db.db_type}, Frappe {frappe.__version__}, a user limited to {SEEN} documents")
	print(f"{'':24}{arguments.plans:>19,} plans{arguments.plans * FACTOR:>19,} plans   factor (goal {GOAL})")
	for way, (seconds, rows) in few.items():
		later, more = many[way]
		print(
			f"{way:24}{seconds * 1000:>11.1f} ms{rows:>7,} rows{later * 1000:>11.1f} ms{more:>7,} rows"
			f"   {later / seconds:.2f}"
		)


def prepare() -> None:
	"""Make the DocType, the workflow, and the user who is limited to one customer."""
	everything = {"read": 1, "write": 1, "create": 1}
	make_doctype(CUSTOMER, [], [{"role": "System Manager", **everything}])
	make_doctype(
		DOCTYPE,
		[
			{
				"fieldname": "customer",
				"label": "Customer",
				"fieldtype": "Link",
				"options": CUSTOMER,
				"search_index": 1,
			},
			{"fieldname": "day", "label": "Day", "fieldtype": "Date"},
		],
		[{"role": "System Manager", **everything}],
	)
	frappe.get_doc({"doctype": "Role", "role_name": ROLE, "desk_access": 1}).insert()
	frappe.get_doc(
		{"doctype": "Custom DocPerm", "parent": DOCTYPE, "role": ROLE, "read": 1, "report": 1, "permlevel": 0}
	).insert()
	user = {"doctype": "User", "email": USER, "first_name": "Lim", "send_welcome_email": 0}
	frappe.get_doc({**user, "roles": [{"role": ROLE}]}).insert()
	for name in ("mine", "other"):
		frappe.get_doc({"doctype": CUSTOMER, "name": name}).insert(set_name=name)
	limit = {"doctype": "User Permission", "user": USER, "allow": CUSTOMER, "for_value": "mine"}
	frappe.get_doc(limit).insert()
	stages = [{"stage_name": f"Stage {number}", "key_date_rule": "After Creation"} for number in (1, 2, 3)]
	workflow = {"doctype": "Milestone Workflow", "workflow_name": WORKFLOW, "document_type": DOCTYPE}
	frappe.get_doc({**workflow, "enabled": 1, "stages": stages}).insert()
	commit()


def make_doctype(name: str, fields: list[dict], permissions: list[dict]) -> None:
	doctype = {"doctype": "DocType", "name": name, "module": "Custom", "custom": 1, "autoname": "prompt"}
	frappe.get_doc({**doctype, "fields": fields, "permissions": permissions}).insert()


def measure(plans: int, rounds: int) -> dict[str, tuple[float, int]]:
	"""Return of each way the shortest time in seconds and the number of rows read, with this many plans on the site.

	Args:
		plans: number of plans; what is missing is inserted first.
		rounds: how often each way is looked at, after a round that warms up.
	"""
	while (count := frappe.db.count("Milestone Plan")) < plans:
		insert_plans(count, min(STEP, plans - count))
		print(f"… {min(count + STEP, plans):,} of {plans:,} plans are there", flush=True)
	for doctype in TABLES:
		frappe.db.sql_ddl(
			f'ANALYZE "tab{doctype}"' if frappe.db.db_type == "postgres" else f"ANALYZE TABLE `tab{doctype}`"
		)
	frappe.set_user(USER)
	seconds: dict[str, list[float]] = {way: [] for way in WAYS}
	rows = {}
	for number in range(rounds + 1):
		for way, look in WAYS.items():
			before, begun = rows_read(), time.perf_counter()
			look()
			if number:  # the first round warms up
				seconds[way].append(time.perf_counter() - begun)
				rows[way] = rows_read() - before
	frappe.set_user("Administrator")
	return {way: (min(times), rows[way]) for way, times in seconds.items()}


def rows_read() -> int:
	"""Return how many rows this connection (MariaDB) or transaction (PostgreSQL) has read so far; 0 on SQLite."""
	if frappe.db.db_type == "mariadb":
		return sum(int(count) for _name, count in frappe.db.sql("show session status like 'Handler_read%'"))
	if frappe.db.db_type == "postgres":
		tables = frappe.qb.Table("pg_stat_xact_user_tables")
		fetched = Sum(tables.seq_tup_read + Coalesce(tables.idx_tup_fetch, 0))
		return int(frappe.qb.from_(tables).select(fetched).run()[0][0])
	return 0


def a_list(doctype: str, *filters: list) -> None:
	"""Ask for what the desk's list view asks for: a page of rows, the latest first.

	Args:
		doctype: of the list; has a `status`.
		*filters: each [DocType, field, operator, value].
	"""
	frappe.local.form_dict = frappe._dict(
		doctype=doctype,
		fields=frappe.as_json([f"`tab{doctype}`.`{name}`" for name in ("name", "modified", "status")]),
		filters=frappe.as_json(list(filters)),
		order_by=f"`tab{doctype}`.`modified` desc",
		start="0",
		page_length="20",
		view="List",
	)
	reportview.get()


def a_count(doctype: str, *filters: list) -> None:
	"""Ask for what the desk's list view asks for beside its rows: how many there are.

	Args:
		doctype: of the list.
		*filters: as for `a_list`.
	"""
	frappe.local.form_dict = frappe._dict(
		doctype=doctype, filters=frappe.as_json(list(filters)), fields="[]", distinct="false"
	)
	reportview.get_count()


ACTIVE = ["Milestone Plan", "status", "=", "Active"]
OPEN = ["Milestone Task", "status", "=", "Open"]
WAYS = {
	"Plan, list": lambda: a_list("Milestone Plan"),
	"Plan, list of active": lambda: a_list("Milestone Plan", ACTIVE),
	"Plan, count": lambda: a_count("Milestone Plan", ACTIVE),
	"Task, list": lambda: a_list("Milestone Task"),
	"Task, list of open": lambda: a_list("Milestone Task", OPEN),
	"Task, count": lambda: a_count("Milestone Task", OPEN),
	"My Milestones": my_work.my_work,
	"board": lambda: board.board(WORKFLOW),
	"board, its workflows": board.workflows_with_plans,
	"card: tasks due": cards.my_tasks_due,
	"card: on time": cards.on_time_this_month,
	"chart: plans by health": cards.plans_by_health,
}


def insert_plans(start: int, count: int) -> None:
	"""Insert documents with their plans, stages and tasks; those the user sees are spread over the first step.

	Args:
		start: number of the first document.
		count: how many.
	"""
	numbers = range(start, start + count)
	insert_orders(numbers)
	names = bulk.insert_rows("Milestone Plan", [plan_row(n) for n in numbers])
	stages = [stage_row(n, plan, idx) for n, plan in zip(numbers, names, strict=True) for idx in (1, 2, 3)]
	rows = bulk.insert_rows("Milestone Plan Stage", stages)
	tasks = [
		task_row(n, names[position], rows[3 * position + number % 3], number)
		for position, n in enumerate(numbers)
		for number in range(4)
	]
	jobs = bulk.insert_rows("Milestone Task", tasks)
	people = [user_of(n) for n in numbers for _number in range(4)]
	person = {"parenttype": "Milestone Task", "parentfield": "assignees", "idx": 1}
	assignees = [
		{**person, "parent": job, "user": user, "email": user} for job, user in zip(jobs, people, strict=True)
	]
	bulk.insert_rows("Milestone Task Assignee", assignees)
	commit()  # many rows


def insert_orders(numbers: range) -> None:
	stamp, owner = datetime.datetime(2026, 1, 1), "Administrator"
	columns = ["name", "creation", "modified", "owner", "modified_by", "customer", "day"]
	orders = [
		(f"order-{n}", stamp, stamp, owner, owner, "mine" if is_seen(n) else "other", LATER) for n in numbers
	]
	frappe.db.bulk_insert(DOCTYPE, columns, orders, chunk_size=1000)


def is_seen(number: int) -> bool:
	return number % 20 == 0 and number // 20 < SEEN


def user_of(number: int) -> str:
	"""Return whose tasks and milestones those of a document are.

	Args:
		number: of the document.
	"""
	return USER if is_seen(number) and number // 20 < OWN else OTHER


def about(number: int) -> dict:
	return {"reference_type": DOCTYPE, "reference_name": f"order-{number}", "modified": when(number)}


def plan_row(number: int) -> dict:
	state = {"workflow": WORKFLOW, "status": "Active", "health": "On Track", "current_stage": "Stage 1"}
	return {
		**about(number),
		**state,
		"next_check": LATER,
		"next_date": LATER,
		"plan_key": f"{number}",
	}


def stage_row(number: int, plan: str, idx: int) -> dict:
	place = {"parent": plan, "parenttype": "Milestone Plan", "parentfield": "stages", "idx": idx}
	state = {"status": "Open", "health": "On Track", "key_date": LATER, "stage_owner": user_of(number)}
	return {**place, **state, "stage_name": f"Stage {idx}"}


def task_row(number: int, plan: str, stage: str, position: int) -> dict:
	state = {"status": "Open", "required": 1, "due_date": LATER, "title": f"Task {position}"}
	return {**about(number), **state, "plan": plan, "plan_stage": stage}


def when(number: int) -> datetime.datetime:
	"""Return when something was changed: the user's rows, which come first, are the oldest.

	Args:
		number: of the document.
	"""
	return datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=number)


if __name__ == "__main__":
	main()
