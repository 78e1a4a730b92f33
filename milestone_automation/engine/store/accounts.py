"""An account that is made later for an address from outside: what was asked of the address is the account's."""

from collections.abc import Callable

import frappe

from milestone_automation.engine.base import bulk, guard
from milestone_automation.engine.people import assigned, assignees, todos
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus, TaskStatus
from milestone_automation.engine.store.changing import changing

BATCH = 500  # addresses of one query


def take_over(user: str, commit: Callable[[], None] | None = None) -> None:
	"""Make an enabled user the owner and assignee of what is open and was asked of their address. Twice does no harm.

	Args:
		user: id of the user; nothing happens for one who is disabled or gone.
		commit: called after each plan.

	Raises:
		ConflictError: somebody else is changing one of the plans.
	"""
	account = frappe.db.get_value("User", user, ["email", "enabled", "owner", "last_login"], as_dict=True)
	if not account or not account.enabled or user in (assignees.GUEST, assignees.ADMINISTRATOR):
		return
	if account.owner == assignees.GUEST and not account.last_login:
		return  # signed up by whoever knows the address: it is proven by the first login, see `user_changes.on_login`
	address = (account.email or user).lower()
	for plan in sorted({*_plans_owned_by(address), *(row.plan for row in _assignee_rows(address))}):
		_take_over_in(plan, user, address)
		if commit:
			commit()


def is_asked(address: str) -> bool:
	"""Tell whether something open is asked of an address without an account.

	Args:
		address: e-mail address.
	"""
	return bool(_plans_owned_by(address.lower()) or _assignee_rows(address.lower()))


def _take_over_in(plan: str, user: str, address: str) -> None:
	with changing(plan, count_tasks=False) as changed:
		# Read once the plan is locked: somebody may have handed a task over meanwhile.
		rows = _assignee_rows(address, plan)
		for stage in changed.stages:
			if stage.status != StageStatus.REACHED and (stage.outside_owner or "").lower() == address:
				changed.set_stage(stage, stage_owner=user, outside_owner=None, outside_owner_name=None)
		bulk.update_rows(assigned.ASSIGNEE, {row.name: {"user": user} for row in rows})
		todos.assign(sorted({row.parent for row in rows}))


def take_over_all(commit: Callable[[], None] | None = None) -> None:
	"""Do so for every account whose address was asked before; for sites that have some from before.

	Args:
		commit: as in `take_over`.

	Raises:
		GateError, frappe.QueryDeadlockError: passed on where there is no commit.
	"""
	stage, person = frappe.qb.DocType("Milestone Plan Stage"), frappe.qb.DocType(assigned.ASSIGNEE)
	owners = frappe.qb.from_(stage).select(stage.outside_owner).distinct().run(pluck=True)
	people = frappe.qb.from_(person).select(person.email).distinct()
	people = people.where(person.user.isnull() | (person.user == "")).run(pluck=True)
	addresses = sorted({(address or "").lower() for address in (*owners, *people)} - {""})
	for begin in range(0, len(addresses), BATCH):
		filters = {"email": ("in", addresses[begin : begin + BATCH]), "enabled": 1}
		for user in frappe.get_all("User", filters, pluck="name"):
			# A plan that cannot be changed now must not stop the others.
			guard.run_alone(f"Milestones asked of {user}", commit, take_over, user, commit)


def _plans_owned_by(address: str) -> set[str]:
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).join(plan).on(plan.name == stage.parent).select(plan.name).distinct()
	query = query.where(plan.status == PlanStatus.ACTIVE.value).where(stage.outside_owner == address)
	return set(query.where(stage.status != StageStatus.REACHED.value).run(pluck=True))


def _assignee_rows(address: str, plan: str | None = None) -> list:
	task, person = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType(assigned.ASSIGNEE)
	query = frappe.qb.from_(person).join(task).on(task.name == person.parent)
	query = query.select(person.name, person.parent, task.plan)
	query = query.where(person.parenttype == "Milestone Task").where(person.email == address)
	query = query.where(person.user.isnull() | (person.user == "")).where(person.done == 0)
	query = query.where(task.plan == plan) if plan else query
	return query.where(task.status == TaskStatus.OPEN.value).run(as_dict=True)
