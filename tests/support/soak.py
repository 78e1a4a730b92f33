"""Workers that change orders over HTTP in every way at once, and a checker that judges them by the tables alone.

Each change writes a token of its own into the tracked field `note`. What a worker asked and got is kept; so afterwards
the token of a change that was accepted has exactly one milestone, and that of a refused one none.
"""

import itertools
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import frappe
import requests
from frappe.utils import add_days, cstr

from milestone_automation.engine.plans import catching_up

from .documents import ensure_doctype
from .factories import make_workflow, member, stage, task

ORDER = "Soaked Order"
SCRIPT = "soak_an_order"
START_IMPORT = "frappe.core.doctype.data_import.data_import.form_start_import"
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
# What the tracker of the orders records.
TRACKED = ("status", "note", "delivery_date", "docstatus")
# Of a document that can be submitted, cancelled or amended.
NEEDED = {"submit": 0, "cancel": 1, "amend": 2}
# Runs on the server, as scripts of a site do.
CODE = f"""
how = frappe.form_dict.how
name = frappe.form_dict.order
needed = {NEEDED}.get(how)
if needed is not None and frappe.db.get_value("{ORDER}", name, "docstatus") != needed:
	names = frappe.get_all("{ORDER}", {{"docstatus": needed}}, pluck="name", order_by="modified desc")
	name = names[0] if names else name
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
	day = frappe.utils.add_days(doc.delivery_date, 1)
	frappe.db.set_value("{ORDER}", name, {{"status": values["status"], "delivery_date": day}})
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
elif how == "pretend":
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
	"pretend": 1,
	"import": 1,
	"complete": 10,
	"reopen": 3,
}
# As Frappe's own writes say it when somebody else was faster.
# Two amendments of one order get one name from Frappe, which tries again: on PostgreSQL in a transaction that has failed,
# and not at all on SQLite.
CONFLICTS = (
	"could not serialize",
	"SerializationFailure",
	"Deadlock",
	"Lock wait timeout",
	"QueryTimeout",
	f"tab{ORDER}_pkey",
	"PRIMARY",
	f"UNIQUE constraint failed: tab{ORDER}.name",
)
# Of an answer that was lost on its way: the change was made, or it was not.
LOST = 0
# More than one lost answer of so many is a fault of the server.
ANSWERS_FOR_ONE_LOST = 100
# These write no token.
WITHOUT_TOKEN = ("past the hooks", "cancel", "complete", "reopen")
# So often each worker tries, once its time is over, what nobody was able to do yet.
MORE_TRIES = 30


@dataclass
class Asked:
	"""What a worker asked for, and what it got.

	Attributes:
		how, token: the kind of change, and the text it wrote.
		status: of HTTP, or LOST.
		swallowed: whether a script swallowed a refusal.
		fault: what the server said.
		imported: name of a Data Import, which a background job does.
	"""

	how: str
	token: str
	status: int
	swallowed: bool
	fault: str = ""
	imported: str = ""

	@property
	def is_accepted(self) -> bool:
		return self.status == 200 and not self.swallowed

	def was_made(self) -> bool:
		"""Whether what was accepted was done, also in the background. Needs the site."""
		if not self.imported:
			return self.is_accepted
		return frappe.db.get_value("Data Import", self.imported, "status") == "Success"


@dataclass
class Run:
	"""What all workers asked, and the names of the orders."""

	asked: list[Asked] = field(default_factory=list)
	orders: list[str] = field(default_factory=list)

	def told(self) -> Counter:
		"""How often each kind of change was accepted, for the report."""
		return Counter(asked.how for asked in self.asked if asked.is_accepted)

	def made(self) -> Counter:
		"""How often each kind of change was done, for the report. Needs the site."""
		return Counter(asked.how for asked in self.asked if asked.was_made())

	def missing(self) -> list[str]:
		"""The kinds of change that nobody was able to make yet."""
		return sorted(set(WEIGHTS) - set(self.told()))


def prepare(orders: int) -> list[str]:
	"""Make DocType, workflow, script and orders on the connected site, and commit them."""
	ensure_doctype(ORDER, FIELDS, is_submittable=True, allow_import=1)
	# Data Import asks for it; the worker is the test's own.
	frappe.db.set_single_value("System Settings", "enable_scheduler", 1)
	if not frappe.db.exists("Server Script", SCRIPT):
		script = {"doctype": "Server Script", "name": SCRIPT, "script_type": "API", "api_method": SCRIPT}
		frappe.get_doc(script | {"script": CODE}).insert()
	if not frappe.db.exists("Milestone Workflow", ORDER):
		names = ("Cut", "Inspected", "Shipped")
		make_workflow(
			ORDER,
			document_type=ORDER,
			stages=[stage(name, name, days) for name, days in zip(names, (-20, -7, 0), strict=True)],
			tasks=[task(stage_name, title, **member("Administrator")) for stage_name, title in TASKS.items()],
		)
		tracker = frappe.get_doc("Milestone Tracker", {"document_type": ORDER})
		known = {tracker.track_field, *(row.track_field for row in tracker.extra_fields)}
		for fieldname in TRACKED:
			if fieldname not in known:
				tracker.append("extra_fields", {"track_field": fieldname})
		tracker.save()
	values = {"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"}
	names = [frappe.get_doc(dict(values)).insert().name for _number in range(orders)]
	frappe.db.commit()  # the server shall see it
	return names


def play(server, orders: list[str], workers: int, changes: int, seconds: float, seed: int) -> Run:
	"""Let workers change the orders until each has made so many changes, or the time is over; a worker does the jobs.

	Each kind of change is tried until it was accepted once.

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
	over = threading.Event()
	jobs = threading.Thread(target=_do_jobs, args=(server, over))
	for thread in (*threads, jobs):
		thread.start()
	for thread in threads:
		thread.join()
	over.set()
	jobs.join()
	server.worker()
	return run


def _do_jobs(server, over: threading.Event) -> None:
	"""Do the jobs of imports and sweeps while people work, as a site's worker does."""
	while not over.wait(1):
		server.worker()


def _work(client, run: Run, chance: random.Random, changes: int, until: float) -> None:
	kinds, weights = zip(*WEIGHTS.items(), strict=True)
	for _turn in range(changes):
		if time.monotonic() > until:
			break
		_change(client, run, chance.choices(kinds, weights)[0], chance)
	for _try in range(MORE_TRIES):
		missing = run.missing()
		if not missing:
			return
		how = chance.choice(missing)
		if how in ("complete", "reopen"):
			_change_task_of_new_order(client, run, chance)
		else:
			_change(client, run, how, chance)


def _change_task_of_new_order(client, run: Run, chance: random.Random) -> None:
	"""Complete a task and reopen it where nobody has gone past its stage."""
	values = {"doctype": ORDER, "status": "Open", "delivery_date": "2030-06-28"}
	try:
		name = client.call("frappe.client.insert", doc=values)["name"]
	except (requests.ConnectionError, requests.HTTPError):
		return
	for how in ("complete", "reopen"):
		_change_task(client, run, how, name, chance, reopened={"reference_name": name})
	run.orders.append(name)


def _change(client, run: Run, how: str, chance: random.Random) -> None:
	name = chance.choice(run.orders)
	if how in ("complete", "reopen"):
		_change_task(client, run, how, name, chance)
	elif how == "import":
		_import_order(client, run, chance)
	else:
		_change_order(client, run, how, name, chance)


def _import_order(client, run: Run, chance: random.Random) -> None:
	"""Have Frappe import a file with one new order, at any status."""
	token = f"{chance.getrandbits(64):016x}"
	lines = f"Status,Note,Delivery Date\n{chance.choice(STATUSES)},{token},2030-06-28\n"
	try:
		values = {"file_name": f"{token}.csv", "content": lines, "is_private": 1}
		file = client.call("frappe.client.insert", doc={"doctype": "File", **values})
		values = {
			"reference_doctype": ORDER,
			"import_type": "Insert New Records",
			"import_file": file["file_url"],
			"mute_emails": 1,
		}
		name = client.call("frappe.client.insert", doc={"doctype": "Data Import", **values})["name"]
		answer = client.post(f"/api/method/{START_IMPORT}", json={"data_import": name})
	except requests.ConnectionError:
		run.asked.append(Asked("import", token, LOST, False))
		return
	except requests.HTTPError as error:
		run.asked.append(Asked("import", token, error.response.status_code, False, error.response.text))
		return
	run.asked.append(
		Asked("import", token, answer.status_code, False, "" if answer.ok else answer.text, imported=name)
	)


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


def _change_task(
	client, run: Run, how: str, name: str, chance: random.Random, reopened: dict | None = None
) -> None:
	about = {"reference_name": name, "title": chance.choice(list(TASKS.values()))}
	if how == "reopen":
		about = {"reference_type": ORDER, "status": "Completed"} | (reopened or {})
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
		*_stages_out_of_step(),
		*_sums_out_of_step(),
		*_date_chains(),
		*_told_or_logged_twice(),
		*_accepted_without_import(run),
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
		if recorded[asked.token] != int(asked.was_made()):
			yield (
				f"{asked.how} was answered with {asked.status}"
				f"{' and swallowed' if asked.swallowed else ''}, and has {recorded[asked.token]} milestones"
			)


def _chains():
	rows = frappe.get_all(
		"Milestone",
		{"reference_type": ORDER, "reference_deleted": 0, "track_field": ("in", TRACKED)},
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
	stored = {row.name: row for row in frappe.get_all(ORDER, fields=["name", *TRACKED])}
	for name, fieldname in ((name, fieldname) for name in stored for fieldname in TRACKED):
		value = last[name, fieldname]
		if cstr(stored[name][fieldname]) != value:
			yield f"{name} has {fieldname} {stored[name][fieldname]}, recorded is {value}"


def _plans_out_of_step():
	fields = ["name", "status", "docstatus", "delivery_date"]
	stored = {row.name: row for row in frappe.get_all(ORDER, fields=fields)}
	plans = frappe.get_all(
		"Milestone Plan", {"reference_type": ORDER}, ["name", "reference_name", "status", "snapshot"]
	)
	for plan in plans:
		order = stored[plan.reference_name]
		if (order.docstatus == 2) != (plan.status == "Cancelled"):
			yield f"{order.name} has document status {order.docstatus}, its plan is {plan.status}"
		known = frappe.parse_json(plan.snapshot)
		for fieldname in ("status", "delivery_date", "docstatus"):
			if plan.status != "Cancelled" and known[fieldname] != cstr(order[fieldname]):
				yield f"{order.name} has {fieldname} {order[fieldname]}, its plan knows {known[fieldname]}"
	for name, count in Counter(plan.reference_name for plan in plans).items():
		if count > 1:
			yield f"{name} has {count} plans"
	for name in set(stored) - {plan.reference_name for plan in plans}:
		yield f"{name} has no plan"


def _running_plans() -> list:
	"""Plans that are not cancelled, with their order as `order` and their stages as `stages`, in order."""
	filters = {"reference_type": ORDER, "status": ("!=", "Cancelled")}
	plans = frappe.get_all("Milestone Plan", filters, ["*"])
	orders = {row.name: row for row in frappe.get_all(ORDER, fields=["*"])}
	stages = defaultdict(list)
	for row in frappe.get_all("Milestone Plan Stage", fields=["*"], order_by="idx"):
		stages[row.parent].append(row)
	for plan in plans:
		plan.order, plan.stages = orders[plan.reference_name], stages[plan.name]
	return plans


def _stages_out_of_step():
	"""Stages are reached by a milestone of their value, and open again where the order is at an earlier stage.

	Open ones are dated from the order; reached ones keep their date.
	"""
	milestones = {
		row.name: row
		for row in frappe.get_all("Milestone", {"reference_type": ORDER}, ["name", "value", "undone"])
	}
	for plan in _running_plans():
		for row in plan.stages:
			about = f"{row.stage_name} of {plan.order.name}, which is {plan.order.status},"
			yield from (f"{about} {fault}" for fault in _stage_out_of_step(plan, row, milestones))


def _stage_out_of_step(plan, row, milestones: dict):
	is_reached = row.status == "Reached"
	at = [stage.idx for stage in plan.stages if stage.track_value == plan.order.status]
	# At the value of a stage, that stage is reached and none of the later ones.
	if at and row.idx >= at[0] and is_reached != (row.idx == at[0]):
		yield f"is {row.status}"
	if is_reached != bool(row.reached_on):
		yield f"is {row.status}, since {row.reached_on}"
	yield from _reached_out_of_step(row, milestones) if is_reached else _open_out_of_step(plan, row)


def _reached_out_of_step(row, milestones: dict):
	milestone = milestones.get(row.milestone)
	if not milestone or milestone.undone or milestone.value != row.track_value:
		yield f"was reached by {milestone}"


def _open_out_of_step(plan, row):
	if row.milestone:
		yield f"is open, and has the milestone {row.milestone}"
	expected = add_days(plan.order.delivery_date, row.offset_days)
	if row.key_date != expected:
		yield f"has the date {row.key_date}, expected is {expected}"


def _sums_out_of_step():
	"""What a plan and its stages say of themselves, worked out anew from tasks and stages."""
	filters = {"reference_type": ORDER, "status": "Open", "required": 1}
	open_required = Counter(frappe.get_all("Milestone Task", filters, pluck="plan_stage"))
	for plan in _running_plans():
		about = f"the plan of {plan.order.name}"
		for row in plan.stages:
			if row.open_required != open_required[row.name]:
				yield f"{about} counts {row.open_required} tasks for {row.stage_name}, {open_required[row.name]} are open"
		for fieldname, value in _expected_of(plan).items():
			if (plan[fieldname] or None) != (value or None):
				yield f"{about} has {fieldname} {plan[fieldname]}, expected is {value}"


def _expected_of(plan) -> dict:
	"""What a plan says, by its stages: those before a reached one wait last, and have no date to come."""
	last_reached = max((row.idx for row in plan.stages if row.status == "Reached"), default=0)
	waiting = [row for row in plan.stages if row.status != "Reached"]
	ahead = [row for row in waiting if row.idx > last_reached]
	current = [row.stage_name for row in (*ahead, *waiting)][:1]
	return {
		"status": "Active" if waiting else "Completed",
		"current_stage": "".join(current),
		"next_date": min((row.key_date for row in ahead), default=None),
	}


def _dates_of(plan: str | None) -> dict:
	"""Key dates by place: an amendment takes them over, and the changes before stay with the amended order."""
	rows = frappe.get_all("Milestone Plan Stage", {"parent": plan}, ["idx", "key_date"]) if plan else []
	return {row.idx: row.key_date for row in rows}


def _date_chains():
	"""The date changes of a stage lead from its planned date to its key date, each from where the one before ended."""
	rows = frappe.get_all(
		"Milestone Date Change",
		{"reference_type": ORDER, "status": "Accepted"},
		["plan_stage", "old_date", "new_date"],
		order_by="changed_on, creation",
	)
	changes = defaultdict(list)
	for row in rows:
		changes[row.plan_stage].append(row)
	for plan in _running_plans():
		taken_over = _dates_of(plan.amended_from)
		for row in plan.stages:
			day = taken_over.get(row.idx, row.planned_date)
			for change in changes[row.name]:
				if change.old_date != day or change.new_date == day:
					yield f"{row.stage_name} of {plan.order.name} moved from {change.old_date} to {change.new_date}, it was on {day}"
				day = change.new_date
			if day != row.key_date:
				yield f"{row.stage_name} of {plan.order.name} is on {row.key_date}, the last change says {day}"


def _told_or_logged_twice():
	about = {"reference_type": ORDER}
	yield from _repeated(
		"Milestone Message", about, ["plan_stage", "task", "kind", "recipient", "channel", "for_date"]
	)
	yield from _repeated("Milestone Plan Log", about, ["plan", "plan_stage", "task", "event", "done_on"])
	names = frappe.get_all("Milestone Task", about, pluck="name") or [""]
	todos = {"reference_type": "Milestone Task", "reference_name": ("in", names), "status": "Open"}
	yield from _repeated("ToDo", todos, ["reference_name", "allocated_to"])
	closing = {"Task Completed", "Task Waived", "Task Cancelled"}
	for task_name, events in _task_events().items():
		turns = [event.event for event in events if event.event in {*closing, "Task Reopened"}]
		for before, after in itertools.pairwise(turns):
			if (before in closing) == (after in closing):
				yield f"Task {task_name} has the events {before} and {after} one after the other"


def _repeated(doctype: str, filters: dict, fields: list[str]):
	rows = frappe.get_all(doctype, filters=filters, fields=fields)
	for values, count in Counter(tuple(row.values()) for row in rows).items():
		if count > 1:
			yield f"{doctype}: {count} rows of {dict(zip(fields, values, strict=True))}"


def _accepted_without_import(run: Run):
	"""Only what is really imported has reached a stage without tasks; a script that says it imports does not."""
	tokens = {asked.token for asked in run.asked if asked.how == "import"}
	accepted = frappe.get_all(
		"Milestone Plan Log",
		{"reference_type": ORDER, "event": "Accepted as Reached"},
		pluck="reference_name",
		distinct=True,
		order_by=None,
	)
	for name in accepted:
		first = {
			"reference_name": name,
			"track_field": "note",
			"from_value": "",
			"value": ("in", tokens or {""}),
		}
		if not frappe.db.exists("Milestone", first):
			yield f"{name} was accepted as reached, and was not imported"


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
	frappe.db.set_single_value("System Settings", "enable_scheduler", 0)
	for doctype, name in (("Milestone Workflow", ORDER), ("Server Script", SCRIPT)):
		frappe.delete_doc(doctype, name, force=True)
	frappe.delete_doc("Milestone Tracker", frappe.db.get_value("Milestone Tracker", {"document_type": ORDER}))
	frappe.db.commit()  # the site is shared with other tests
