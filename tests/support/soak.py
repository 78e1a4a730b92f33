"""Workers that change orders over HTTP in every way at once, and a checker that judges them by the tables alone.

Each change writes a token of its own into the tracked field `note`. What a worker asked and got is kept; so afterwards
the token of a change that was accepted has exactly one milestone, and that of a refused one none.
"""

import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import frappe
import requests

from milestone_automation.engine.plans import catching_up

from .documents import ensure_doctype
from .factories import make_workflow, stage, task

ORDER = "Soaked Order"
SCRIPT = "soak_an_order"
STATUSES = ("Open", "Cut", "Inspected", "Shipped", "Closed")
TASKS = {"Inspected": "Book the inspector", "Shipped": "Sign the packing list"}
FIELDS = [
	{
		"fieldname": "status",
		"fieldtype": "Select",
		"options": "\n".join(("", *STATUSES)),
		"allow_on_submit": 1,
	},
	{"fieldname": "note", "fieldtype": "Data", "allow_on_submit": 1},
	{"fieldname": "delivery_date", "fieldtype": "Date", "allow_on_submit": 1},
	{"fieldname": "amended_from", "fieldtype": "Link", "options": ORDER, "no_copy": 1},
]
# Runs on the server, as scripts of a site do.
CODE = f"""
how = frappe.form_dict.how
name = frappe.form_dict.order
values = {{"status": frappe.form_dict.status, "note": frappe.form_dict.token}}
doc = frappe.get_doc("{ORDER}", name)
if how == "save":
	doc.update(values)
	doc.save()
elif how == "db_set":
	doc.db_set(values)
elif how == "stale copy":
	other = frappe.get_doc("{ORDER}", name)
	other.db_set("delivery_date", frappe.utils.add_days(other.delivery_date, 1))
	doc.db_set(values)
elif how == "other copy":
	doc.db_set("status", frappe.form_dict.way)
	frappe.get_doc("{ORDER}", name).db_set(values)
elif how == "passing":
	doc.db_set("status", frappe.form_dict.way)
	doc.db_set(values)
elif how == "past the hooks":
	frappe.db.set_value("{ORDER}", name, "status", values["status"])
elif how == "swallowed":
	try:
		doc.update(values)
		doc.save()
	except Exception:
		frappe.response["swallowed"] = 1
elif how == "submit":
	doc.note = values["note"]
	doc.submit()
elif how == "cancel":
	doc.cancel()
elif how == "amend":
	new = frappe.copy_doc(doc)
	new.amended_from = doc.name
	new.docstatus = 0
	new.update({{"note": values["note"]}})
	new.insert()
	frappe.response["made"] = new.name
elif how == "insert":
	new = frappe.copy_doc(doc)
	new.amended_from = None
	new.docstatus = 0
	new.update(values)
	new.insert()
	frappe.response["made"] = new.name
elif how == "bring in":
	frappe.flags.in_import = True
	new = frappe.copy_doc(doc)
	new.amended_from = None
	new.docstatus = 0
	new.update(values)
	new.insert()
	frappe.response["made"] = new.name
frappe.response["message"] = how
"""
# How often each kind of change is asked for.
WEIGHTS = {
	"save": 8,
	"db_set": 8,
	"stale copy": 4,
	"other copy": 4,
	"passing": 4,
	"past the hooks": 2,
	"swallowed": 4,
	"submit": 1,
	"cancel": 1,
	"amend": 1,
	"insert": 1,
	"bring in": 1,
	"complete": 10,
	"reopen": 3,
}
# As Frappe's own writes say it when somebody else was faster.
# Two amendments of one order get one name from Frappe, which tries again: on PostgreSQL in a transaction that has failed.
CONFLICTS = (
	"could not serialize",
	"SerializationFailure",
	"Deadlock",
	"Lock wait timeout",
	"QueryTimeout",
	f"tab{ORDER}_pkey",
	"PRIMARY",
)
# Of an answer that was lost on its way: the change was made, or it was not.
LOST = 0
# More than one lost answer of so many is a fault of the server.
ANSWERS_FOR_ONE_LOST = 100
# These write no token.
WITHOUT_TOKEN = ("past the hooks", "cancel", "complete", "reopen")


@dataclass
class Asked:
	"""What a worker asked for, and what it got: the HTTP status, or LOST; the fault; whether a script swallowed a refusal."""

	how: str
	token: str
	status: int
	swallowed: bool
	fault: str = ""

	@property
	def is_accepted(self) -> bool:
		return self.status == 200 and not self.swallowed


@dataclass
class Run:
	"""What all workers asked, and the names of the orders."""

	asked: list[Asked] = field(default_factory=list)
	orders: list[str] = field(default_factory=list)

	def told(self) -> Counter:
		"""How often each kind of change was accepted, for the report."""
		return Counter(asked.how for asked in self.asked if asked.is_accepted)


def prepare(orders: int) -> list[str]:
	"""Make DocType, workflow, script and orders on the connected site, and commit them."""
	ensure_doctype(ORDER, FIELDS, is_submittable=True)
	if not frappe.db.exists("Server Script", SCRIPT):
		script = {"doctype": "Server Script", "name": SCRIPT, "script_type": "API", "api_method": SCRIPT}
		frappe.get_doc(script | {"script": CODE}).insert()
	if not frappe.db.exists("Milestone Workflow", ORDER):
		names = ("Cut", "Inspected", "Shipped")
		make_workflow(
			ORDER,
			document_type=ORDER,
			stages=[stage(name, name, days) for name, days in zip(names, (-20, -7, 0), strict=True)],
			tasks=[task(stage_name, title) for stage_name, title in TASKS.items()],
		)
		tracker = frappe.get_doc("Milestone Tracker", {"document_type": ORDER})
		tracker.append("extra_fields", {"track_field": "note"})
		tracker.save()
	values = {"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"}
	names = [frappe.get_doc(dict(values)).insert().name for _number in range(orders)]
	frappe.db.commit()  # the server shall see it
	return names


def play(server, orders: list[str], workers: int, changes: int, seconds: float, seed: int) -> Run:
	"""Let workers change the orders until each has made so many changes, or the time is over.

	Args:
		server: of the tests.
		orders: names of the orders; new ones join them.
		workers, changes, seconds: how many, how often each at most, how long.
		seed: of all chance.
	"""
	run = Run(orders=orders)
	clients = [server.login() for _worker in range(workers)]
	until = time.monotonic() + seconds
	threads = [
		threading.Thread(target=_work, args=(client, run, random.Random(f"{seed}/{number}"), changes, until))
		for number, client in enumerate(clients)
	]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	return run


def _work(client, run: Run, chance: random.Random, changes: int, until: float) -> None:
	kinds, weights = zip(*WEIGHTS.items(), strict=True)
	for _change in range(changes):
		if time.monotonic() > until:
			return
		how = chance.choices(kinds, weights)[0]
		name = chance.choice(run.orders)
		if how in ("complete", "reopen"):
			_change_task(client, run, how, name, chance)
		else:
			_change_order(client, run, how, name, chance)


def _change_order(client, run: Run, how: str, name: str, chance: random.Random) -> None:
	token = f"{chance.getrandbits(64):016x}"
	values = {"status": chance.choice(STATUSES), "way": chance.choice(STATUSES)}
	try:
		answer = client.post(
			f"/api/method/{SCRIPT}", json={"how": how, "order": name, "token": token, **values}
		)
	except requests.ConnectionError:
		run.asked.append(Asked(how, token, LOST, False))
		return
	content = answer.json() if answer.ok else {}
	fault = "" if answer.ok else answer.text
	run.asked.append(Asked(how, token, answer.status_code, bool(content.get("swallowed")), fault))
	if content.get("made"):
		run.orders.append(content["made"])


def _change_task(client, run: Run, how: str, name: str, chance: random.Random) -> None:
	about = {"reference_name": name, "title": chance.choice(list(TASKS.values()))}
	try:
		found = client.call("frappe.client.get_list", doctype="Milestone Task", filters=about)
		if not found:
			return
		arguments = {"task": found[0]["name"]} | ({"reason": "Not good enough"} if how == "reopen" else {})
		answer = client.post(f"/api/method/milestone_automation.api.{how}_task", json=arguments)
	except requests.ConnectionError:
		run.asked.append(Asked(how, "", LOST, False))
		return
	run.asked.append(Asked(how, "", answer.status_code, False, "" if answer.ok else answer.text))


# The checker


def faults(run: Run) -> list[str]:
	"""Return what is wrong in the tables, after what passed the hooks was found; empty if nothing is."""
	catching_up.run(ORDER, frappe.db.commit)
	return [
		*_answers_that_broke(run),
		*_tokens(run),
		*_chains(),
		*_plans_out_of_step(),
		*_gates_passed(),
		*_errors(),
	]


def _answers_that_broke(run: Run):
	"""200, refused (417), missing (404) and asked to try again are answers; so is 500 where the database refused."""
	lost = sum(asked.status == LOST for asked in run.asked)
	if lost > 1 + len(run.asked) // ANSWERS_FOR_ONE_LOST:
		yield f"{lost} answers of {len(run.asked)} were lost"
	for asked in run.asked:
		is_conflict = any(word in asked.fault for word in CONFLICTS)
		if asked.status not in (LOST, 200, 404, 409, 417) and not is_conflict:
			yield f"{asked.how} was answered with {asked.status}: {asked.fault[-600:]}"


def _tokens(run: Run):
	rows = frappe.get_all("Milestone", {"reference_type": ORDER, "track_field": "note"}, pluck="value")
	recorded = Counter(rows)
	for asked in run.asked:
		if asked.how in WITHOUT_TOKEN or (asked.status == LOST and recorded[asked.token] <= 1):
			continue
		if recorded[asked.token] != int(asked.is_accepted):
			yield (
				f"{asked.how} was answered with {asked.status}"
				f"{' and swallowed' if asked.swallowed else ''}, and has {recorded[asked.token]} milestones"
			)


def _chains():
	rows = frappe.get_all(
		"Milestone",
		{"reference_type": ORDER, "reference_deleted": 0, "track_field": ("in", ("status", "note"))},
		["reference_name", "track_field", "from_value", "value"],
		order_by="reached_on, idx, creation",
	)
	last: dict[tuple, str] = defaultdict(str)
	for row in rows:
		place = (row.reference_name, row.track_field)
		if last[place] != row.from_value:
			yield f"{place} went to {row.value} from {row.from_value}, after {last[place]}"
		if row.value == row.from_value:
			yield f"{place} went to {row.value} twice"
		last[place] = row.value
	stored = {row.name: row for row in frappe.get_all(ORDER, fields=["name", "status", "note"])}
	for (name, fieldname), value in last.items():
		if (stored[name][fieldname] or "") != value:
			yield f"{name} has {fieldname} {stored[name][fieldname]}, recorded is {value}"


def _plans_out_of_step():
	stored = {row.name: row for row in frappe.get_all(ORDER, fields=["name", "status", "docstatus"])}
	plans = frappe.get_all(
		"Milestone Plan", {"reference_type": ORDER}, ["name", "reference_name", "status", "snapshot"]
	)
	for plan in plans:
		order = stored[plan.reference_name]
		if (order.docstatus == 2) != (plan.status == "Cancelled"):
			yield f"{order.name} has document status {order.docstatus}, its plan is {plan.status}"
		known = frappe.parse_json(plan.snapshot)["status"]
		if plan.status != "Cancelled" and known != (order.status or ""):
			yield f"{order.name} is {order.status}, its plan knows {known}"
	for name, count in Counter(plan.reference_name for plan in plans).items():
		if count > 1:
			yield f"{name} has {count} plans"


def _gates_passed():
	"""When a milestone was reached, none of its tasks was open by the log, unless the plan says how it got past."""
	closed_by = _task_events()
	stages = frappe.qb.DocType("Milestone Plan Stage")
	plans = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(stages).join(plans).on(plans.name == stages.parent).select(stages.star)
	query = query.where(plans.reference_type == ORDER).where(stages.status == "Reached")
	# Plans of amendments begin with tasks closed before: their own log does not say so.
	query = query.where(plans.amended_from.isnull() & stages.reached_without_tasks_on.isnull())
	for row in query.run(as_dict=True):
		tasks = frappe.get_all("Milestone Task", {"plan_stage": row.name}, pluck="name")
		still_open = [task for task in tasks if _is_open(closed_by[task], row.reached_at)]
		if still_open:
			yield f"{row.stage_name} of plan {row.parent} was reached with {len(still_open)} tasks open"


def _task_events() -> dict[str, list]:
	"""Return when each task was closed or reopened, oldest first."""
	filters = {"reference_type": ORDER, "task": ("is", "set")}
	events = defaultdict(list)
	for entry in frappe.get_all(
		"Milestone Plan Log", filters, ["task", "event", "done_on"], order_by="done_on, creation"
	):
		events[entry.task].append(entry)
	return events


def _is_open(events: list, moment) -> bool:
	before = [entry.event for entry in events if moment and entry.done_on <= moment]
	return not before or before[-1] not in ("Task Completed", "Task Waived", "Task Cancelled")


def _errors():
	for error in frappe.get_all("Error Log", {"method": ("like", "Milestone%")}, ["method", "error"]):
		yield f"{error.method}: {error.error[-400:]}"


def clean_up() -> None:
	"""Remove what the run has made, and commit."""
	frappe.db.rollback()
	for doctype in ("Milestone Task", "Milestone Plan Log", "Milestone Date Change", "Milestone Message"):
		frappe.db.delete(doctype, {"reference_type": ORDER})
	plans = frappe.get_all("Milestone Plan", {"reference_type": ORDER}, pluck="name")
	if plans:
		frappe.db.delete("Milestone Plan Stage", {"parent": ("in", plans)})
	frappe.db.delete("Milestone Plan", {"reference_type": ORDER})
	frappe.db.delete("Milestone", {"reference_type": ORDER})
	frappe.db.delete(ORDER)
	for doctype, name in (("Milestone Workflow", ORDER), ("Server Script", SCRIPT)):
		frappe.delete_doc(doctype, name, force=True)
	frappe.delete_doc("Milestone Tracker", frappe.db.get_value("Milestone Tracker", {"document_type": ORDER}))
	frappe.db.commit()  # the site is shared with other tests
