"""Handing over from outside: a contact of the document's supplier gives a task or milestone to a colleague there.

The colleague is told at once, and asked from then on; the plan's log says who handed over what, and to whom.
"""

import frappe
from frappe import _
from frappe.utils import cstr

from milestone_automation.engine.base import bulk
from milestone_automation.engine.people import assigned, colleagues, rights, signed_links, todos
from milestone_automation.engine.progress import tasks
from milestone_automation.engine.rules.vocabulary import PlanEvent, StageStatus, TaskStatus
from milestone_automation.engine.store import plan_log, sweep_requests
from milestone_automation.engine.store.changing import changing

LOG = "Milestone Plan Log"


def hand_task(task: str, key: str, by: str) -> str:
	"""Give the part that somebody has in an open task to a colleague, and return the colleague's name.

	Args:
		task: name of the Milestone Task.
		key: of the colleague who takes it over, see `offered`.
		by: user id or e-mail address of the assignee, whom a signed link proves.

	Raises:
		frappe.ValidationError: the task is not open or no longer theirs, or this is none of their colleagues.
	"""
	with tasks.changing_task(task) as (doc, plan):
		plan.check_is_active()
		row = _own_row(doc, by)
		if doc.status != TaskStatus.OPEN or not row:
			frappe.throw(_("The task {0} is not yours to hand over any more.").format(doc.title))
		person = _colleague(plan, key, by, doc.assignees)
		values = {key: person[key] for key in ("user", "contact", "full_name", "email")}
		bulk.update_rows(assigned.ASSIGNEE, {row.name: values})
		todos.assign([doc.name])
		plan.forget_tasks()
		stage = tasks.stage_of_task(plan, doc)
		_log(plan, PlanEvent.TASK_HANDED_OVER, stage, person, by, doc.name)
		return colleagues.shown_name(person)


def hand_stage(plan: str, stage: str, key: str, by: str) -> str:
	"""Make a colleague the owner of an open milestone, and return the colleague's name.

	Args:
		plan: name of the plan.
		stage: row name of the stage.
		key, by: as in `hand_task`; by is its owner from outside.

	Raises:
		frappe.ValidationError: the milestone is reached or no longer theirs, or this is none of their colleagues.
	"""
	with changing(plan) as plan:
		plan.check_is_active()
		row = plan.stage(stage)
		if row.status == StageStatus.REACHED or not rights.is_outside_owner(row, by):
			frappe.throw(_("{0} is not yours to hand over any more.").format(_(row.stage_name)))
		person = _colleague(plan, key, by)
		has_account = bool(person["user"])
		plan.set_stage(
			row,
			stage_owner=person["user"],
			outside_owner=None if has_account else person["email"],
			outside_owner_name=None if has_account else person["full_name"],
			handed_to=person["contact"],
		)
		_log(plan, PlanEvent.MILESTONE_HANDED_OVER, row, person, by)
		return colleagues.shown_name(person)


def offered(plan, who: str, taken: list = ()) -> list[dict]:
	"""Return the colleagues to whom somebody can hand over, with `key` and the `name` that is shown.

	Args:
		plan: row of the plan, as in `colleagues.of_plans`.
		who: as `by` in `hand_task`.
		taken: assignee rows of people who have the task already.
	"""
	return as_choices(colleagues.of_plans([plan], who).get(plan.get("name"), []), taken)


def as_choices(people: list[dict], taken: list = ()) -> list[dict]:
	"""Return people as choices of a form, without those who have the task already; no addresses. In order of their names.

	Names of contacts are often addresses, so each has a key instead.

	Args:
		people: as `colleagues.of_plans` returns them.
		taken: assignee rows.
	"""
	names = {cstr(name).lower() for row in taken for name in assigned.identifiers_of(row)}
	choices = [
		{"key": signed_links.opaque(person["contact"]), "name": colleagues.shown_name(person)}
		for person in people
		if not colleagues.is_called(person, names)
	]
	return sorted(choices, key=lambda choice: ("@" in choice["name"], choice["name"].casefold()))


def taken_over_by(event: PlanEvent, who: str, **columns: str) -> str | None:
	"""Return to whom somebody has handed over a task or milestone last: a user id or address; None if to nobody.

	Args:
		event: of the plan's log.
		who: user id or e-mail address.
		columns: `task` or `plan_stage`.
	"""
	filters = {"event": event.value, "done_by": ("in", sorted({who, *colleagues.identities(who)})), **columns}
	return frappe.db.get_value(LOG, filters, "details", order_by="done_on desc")


def _own_row(doc, by: str):
	names = colleagues.identities(by)
	return next((row for row in doc.assignees if not row.done and colleagues.is_called(row, names)), None)


def _colleague(plan, key: str, by: str, taken: list = ()) -> dict:
	people = colleagues.of_plans([plan], by).get(plan.name, [])
	keys = {choice["key"] for choice in as_choices(people, taken)}
	chosen = [person for person in people if key in keys and signed_links.opaque(person["contact"]) == key]
	if not chosen:
		frappe.throw(_("Please choose the colleague who takes it over."))
	return chosen[0]


def _log(plan, event: PlanEvent, stage, person: dict, by: str, task: str | None = None) -> None:
	entry = plan_log.write(
		plan, event, stage=stage, task=task, details=person["user"] or person["email"], done_by=by
	)
	sweep_requests.alert(entry)
