"""Two people at once, on two real connections: whoever comes second sees what the first one did, and the gate wins.

Both sides are processes of their own. The first does its part, says so, and keeps its transaction open; the second
starts meanwhile and has to wait; then the first commits.
"""

import subprocess

import frappe
import pytest

from milestone_automation.engine.progress import tasks
from milestone_automation.engine.store import plan_rows
from milestone_automation.engine.store.changing import refresh
from tests.support.factories import (
	ORDER,
	ensure_production_order,
	make_document,
	make_workflow,
	plan_of,
	stage,
	stage_of,
	task,
	task_of,
)

TASK = "Sign the packing list"
SECONDS = 240

# Until the database says that the second one waits: how long it takes to come there depends on the machine. MariaDB
# tells nobody but an administrator who holds a lock, but whose query takes long.
HELD_UP = {
	"postgres": "select count(*) from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))",
	"mariadb": "select count(*) from information_schema.processlist"
	" where db = database() and id <> connection_id() and command = 'Query' and time_ms > 800",
}
LET_WAIT = f"""
def let_the_second_wait():
	while not (folder / "second waits").exists():
		time.sleep(0.02)
	query, limit = {HELD_UP!r}.get(frappe.db.db_type), time.monotonic() + 10
	while query and not frappe.db.sql(query)[0][0] and time.monotonic() < limit:
		time.sleep(0.05)
	time.sleep(0.5 if query else 1.5)
""".replace("{", "{{").replace("}", "}}")
FIRST = f"""
import sys, time, pathlib, frappe
folder = pathlib.Path(sys.argv[1])
{LET_WAIT}
{{work}}
(folder / "first did it").touch()
let_the_second_wait()
frappe.db.commit()
print("committed")
"""
# The second imports the engine before it begins: on a busy machine that takes longer than the first one waits.
SECOND = """
import sys, time, pathlib, frappe
import milestone_automation.engine.plans.starting, milestone_automation.engine.progress.stages
folder = pathlib.Path(sys.argv[1])
{prepare}
while not (folder / "first did it").exists():
	time.sleep(0.02)
(folder / "second waits").touch()
begun = time.monotonic()
try:
	{work}
	frappe.db.commit()
	print("went through")
except Exception as error:
	frappe.db.rollback()
	print(type(error).__name__)
print("waited" if time.monotonic() - begun > 0.3 else "did not wait")
"""


@pytest.fixture
def race(scratch_site, tmp_path):
	"""Function `race(first, second, prepare="")`: two pieces of code on one site; what each printed."""
	scratch = scratch_site()

	def start(code: str):
		command = scratch.workplace.python_command(scratch.name, "-", str(tmp_path))
		options = {"cwd": scratch.workplace.sites, "env": scratch.workplace.environment(), "text": True}
		process = subprocess.Popen(
			command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
		)
		process.stdin.write(code)
		process.stdin.close()
		process.stdin = None
		return process

	def finish(process) -> list[str]:
		printed, faults = process.communicate(timeout=SECONDS)
		assert process.returncode == 0, faults[-3000:]
		return printed.split("\n")[:-1]

	def run(first: str, second: str, prepare: str = "") -> tuple[list[str], list[str]]:
		for mark in tmp_path.iterdir():
			mark.unlink()
		one = start(FIRST.format(work=first))
		two = start(SECOND.format(work=second, prepare=prepare))
		return finish(one), finish(two)

	run.site = scratch
	return run


@pytest.fixture
def held(race):
	"""A committed order with one open required task; everything of it by name."""
	with race.site.connect():
		ensure_production_order()
		make_workflow(
			stages=[stage("Shipped", "Shipped"), stage("Signed off")], tasks=[task("Shipped", TASK)]
		)
		order = make_document()
		frappe.db.commit()  # the other processes shall see it
		return frappe._dict(
			order=order.name, plan=plan_of(order).name, task=task_of(order, TASK).name, doc=order
		)


def complete(race, held) -> None:
	with race.site.connect():
		tasks.complete(held.task)
		frappe.db.commit()  # as above


def outcome(race, held) -> tuple[str, str, str, int]:
	"""Status of the document, of its stage, of the task, and the stage's sum."""
	with race.site.connect():
		row = stage_of(held.doc, "Shipped")
		return (
			frappe.db.get_value(ORDER, held.order, "status"),
			row.status,
			task_of(held.doc, TASK).status,
			row.open_required,
		)


def is_refused(second: list[str]) -> bool:
	"""Tell whether the second one had to wait and was refused.

	MariaDB reads what the first one wrote, and the gate refuses. PostgreSQL refuses to lock what has changed since the
	transaction began, so the second one is asked to try again. (Frappe prints such a query, hence the last lines.)
	"""
	return second[-2:] in (["GateError", "waited"], ["ConflictError", "waited"])


def comes_second(race, second: list[str], work: str, on_mariadb: str = "went through") -> None:
	"""Assert what happened to the one who had to wait; who is asked to try again (PostgreSQL) tries again."""
	with race.site.connect():
		if frappe.db.db_type != "postgres":
			assert second == [on_mariadb, "waited"]
			return
		assert second[-2:] == ["ConflictError", "waited"]
		if on_mariadb == "went through":
			exec(work)
			frappe.db.commit()  # as above
		else:
			with pytest.raises(getattr(frappe, on_mariadb)):
				exec(work)


def ships(held) -> str:
	return f"frappe.get_doc('{ORDER}', '{held.order}').update({{'status': 'Shipped'}}).save()"


def ships_by_db_set(held) -> str:
	return f"frappe.get_doc('{ORDER}', '{held.order}').db_set('status', 'Shipped')"


def ships_by_loaded_document(held) -> str:
	return "order.update({'status': 'Shipped'}).save()"


def reopens(held) -> str:
	return f"from milestone_automation.engine.progress import tasks; tasks.reopen('{held.task}', 'A page is missing')"


def completes(held) -> str:
	return f"from milestone_automation.engine.progress import tasks; tasks.complete('{held.task}')"


@pytest.mark.parametrize("ships", [ships, ships_by_db_set])
def test_a_task_is_reopened_while_somebody_ships_the_gate_wins(race, held, ships):
	complete(race, held)
	first, second = race(reopens(held), ships(held))
	assert first == ["committed"]
	assert is_refused(second), second
	assert outcome(race, held) == ("Open", "Open", "Open", 1)


def test_an_order_read_before_the_task_was_reopened_is_refused_too(race, held):
	complete(race, held)
	prepare = f"order = frappe.get_doc('{ORDER}', '{held.order}')"
	_first, second = race(reopens(held), ships_by_loaded_document(held), prepare)
	assert is_refused(second), second
	assert outcome(race, held) == ("Open", "Open", "Open", 1)


def test_a_task_is_reopened_after_somebody_has_shipped_the_reopening_is_refused(race, held):
	complete(race, held)
	first, second = race(ships(held), reopens(held))
	assert first == ["committed"]
	comes_second(race, second, reopens(held), "ValidationError")
	assert outcome(race, held) == ("Shipped", "Reached", "Completed", 0)


def test_a_task_completed_a_moment_before_lets_the_order_go(race, held):
	first, second = race(completes(held), ships(held))
	assert first == ["committed"]
	if second[-2:] == ["ConflictError", "waited"]:
		# PostgreSQL: asked to try again, which goes through.
		with race.site.connect():
			frappe.get_doc(ORDER, held.order).update({"status": "Shipped"}).save()
			frappe.db.commit()  # as above
	else:
		assert second == ["went through", "waited"]
	assert outcome(race, held) == ("Shipped", "Reached", "Completed", 0)


def test_two_people_complete_one_task_at_once_it_is_completed_once(race, held):
	first, second = race(completes(held), completes(held))
	assert first == ["committed"]
	comes_second(race, second, completes(held))
	assert outcome(race, held)[2:] == ("Completed", 0)
	with race.site.connect():
		assert frappe.db.count("Milestone Plan Log", {"event": "Task Completed"}) == 1


def test_two_tasks_completed_at_once_leave_the_right_sum(race, held):
	with race.site.connect():
		other = tasks.add(held.plan, "Shipped", title="Weigh the boxes", required=1)
		frappe.db.commit()  # as above
	second = f"from milestone_automation.engine.progress import tasks; tasks.complete('{other}')"
	_first, printed = race(completes(held), second)
	comes_second(race, printed, second)
	assert outcome(race, held) == ("Open", "Open", "Completed", 0)


def test_a_task_added_while_somebody_ships_holds(race, held):
	complete(race, held)
	adds = (
		"from milestone_automation.engine.progress import tasks;"
		f" tasks.add('{held.plan}', 'Shipped', title='Weigh', required=1)"
	)
	_first, second = race(adds, ships(held))
	assert is_refused(second), second
	_first, second = race(ships_other(held), adds)
	assert second[0] in ("went through", "ValidationError")


def ships_other(held) -> str:
	return f"frappe.get_doc('{ORDER}', '{held.order}').db_set('note', 'seen')"


def test_a_task_saved_as_completed_while_its_plan_is_busy_waits_without_deadlock(race, held):
	saves = f"frappe.get_doc('Milestone Task', '{held.task}').update({{'status': 'Completed'}}).save()"
	_first, second = race(ships_other(held), saves)
	assert second[0] == "went through"
	assert outcome(race, held)[2:] == ("Completed", 0)


def test_two_of_two_assignees_complete_their_parts_at_once_the_task_is_completed(race, held):
	with race.site.connect():
		people = [{"email": f"{name}@example.com", "full_name": name} for name in ("ann", "bob")]
		plan = plan_rows.load_by_name(held.plan)
		values = {
			"title": "Both sign",
			"plan_stage": plan.stages[0].name,
			"stage_name": "Shipped",
			"required": 1,
		}
		both = tasks.insert_tasks(plan, [values | {"completion_rule": "All Of", "assignees": people}])[0]
		refresh(held.plan)
		frappe.db.commit()  # as above
	signs = (
		"from milestone_automation.engine.progress import tasks; tasks.complete('{0}', by='{1}@example.com')"
	)
	_first, second = race(signs.format(both, "ann"), signs.format(both, "bob"))
	comes_second(race, second, signs.format(both, "bob"))
	with race.site.connect():
		assert frappe.db.get_value("Milestone Task", both, "status") == "Completed"


def test_a_task_cannot_be_added_after_a_stage_that_moves_earlier_at_the_same_moment(race, held):
	moves = (
		"from milestone_automation.engine.progress import rescheduling;"
		f" rescheduling.reschedule('{held.plan}', 'Shipped', '2030-06-01', 'The buyer wants it sooner', answer='Keep Order')"
	)
	adds = (
		"from milestone_automation.engine.progress import tasks;"
		f" tasks.add('{held.plan}', 'Shipped', title='Weigh', due_date='2030-06-20')"
	)
	prepare = f"frappe.db.get_value('Milestone Plan Stage', {{'parent': '{held.plan}'}}, 'key_date')"
	_first, second = race(moves, adds, prepare)
	assert second[-2:] in (["ValidationError", "waited"], ["ConflictError", "waited"])


def test_two_people_confirm_one_stage_at_once_it_is_reached_once(race, held):
	confirms = f"from milestone_automation.engine.progress import stages; stages.confirm('{held.plan}', 'Signed off')"
	first, second = race(confirms, confirms)
	assert first == ["committed"]
	comes_second(race, second, confirms, "ValidationError")
	with race.site.connect():
		assert frappe.db.count("Milestone", {"source": "Confirmation"}) == 1


# A save locks the document and then its plan; whoever changes the plan has that lock and may need the document.
CROSSING = """
from milestone_automation.engine.base import stored_rows
from milestone_automation.engine.store.changing import changing
try:
	with changing("{plan}"):
		(folder / "first did it").touch()
		let_the_second_wait()
		stored_rows.locked_document("{doctype}", "{order}")
	print("went through")
except Exception as error:
	frappe.db.rollback()
	print(type(error).__name__)
"""


def test_a_plan_and_its_document_locked_crosswise_ask_one_of_the_two_to_try_again(race, held):
	locks = f"order = frappe.get_doc('{ORDER}', '{held.order}', for_update=True)"
	saves = "order.update({'note': 'Crosswise'}).save()"
	first, second = race(CROSSING.format(plan=held.plan, doctype=ORDER, order=held.order), saves, locks)
	assert second[-1] == "waited"
	with race.site.connect():
		# SQLite has one lock for all, so nobody holds half of what the other one needs.
		one = "went through" if frappe.db.db_type == "sqlite" else "ConflictError"
	assert sorted([first[-2], second[-2]]) == [one, "went through"]
	assert first[-1] == "committed"
	assert outcome(race, held) == ("Open", "Open", "Open", 1)


def test_two_people_start_a_plan_at_once_there_is_one(race, held):
	with race.site.connect():
		frappe.db.set_value("Milestone Workflow", "Production", "enabled", 0)
		frappe.clear_cache()
		order = make_document()
		assert plan_of(order) is None
		frappe.db.set_value("Milestone Workflow", "Production", "enabled", 1)
		frappe.db.commit()  # as above
		frappe.clear_cache()
	starts = (
		"from milestone_automation.engine.plans import starting;"
		f" print(starting.start(frappe.get_doc('{ORDER}', '{order.name}'), 'Production', by_hand=True))"
	)
	first, second = race(starts, starts)
	if second[-2:] == ["ConflictError", "waited"]:
		comes_second(race, second, starts)
	else:
		assert (first[0], "went through") == (second[0], second[1])
	with race.site.connect():
		assert frappe.db.count("Milestone Plan", {"reference_name": order.name}) == 1
		assert frappe.db.count("Milestone Task", {"reference_name": order.name}) == 1


def test_a_second_save_of_one_order_makes_no_second_plan(race, held):
	with race.site.connect():
		frappe.db.set_value("Milestone Workflow", "Production", "condition", "doc.note == 'plan'")
		frappe.db.commit()  # as above
		frappe.clear_cache()
		order = make_document()
		frappe.db.commit()  # as above
	saves = f"frappe.get_doc('{ORDER}', '{order.name}').update({{'note': 'plan'}}).save()"
	first, second = race(saves, saves)
	assert first == ["committed"]
	# MariaDB gives the second one what the first wrote, and Frappe notices that the order is another one now.
	# PostgreSQL refuses the second save by itself.
	assert second[-2:] in (
		["went through", "waited"],
		["TimestampMismatchError", "waited"],
		["SerializationFailure", "waited"],
	)
	with race.site.connect():
		assert frappe.db.count("Milestone Plan", {"reference_name": order.name}) == 1
		assert frappe.db.count("Milestone Task", {"reference_name": order.name}) == 1
