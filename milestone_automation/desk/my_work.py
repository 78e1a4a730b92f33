"""The page *My Milestones and Tasks*: open tasks and milestones of the user."""

from datetime import date

import frappe
from frappe.utils import cstr, getdate, nowdate

from milestone_automation.engine.messages import letters
from milestone_automation.engine.people import directory, rights, signed_links
from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.engine.rules.vocabulary import (
	OUTSIDE_OWNERS,
	Health,
	PlanStatus,
	StageStatus,
	TaskStatus,
)

MAX_ROWS = 500
# What people from outside see of their milestones.
SEEN_OUTSIDE = ("name", "plan", "stage_name", "key_date", "reference_type", "reference_name")


def my_work() -> dict:
	"""Return the user's open tasks, and the open milestones that the user owns in running plans.

	Returns:
		dict: `today`; `tasks` and `stages`, each a list of dicts, by date; `mail_preference`. A stage that the user owns as
		somebody from outside, without a right to its document, has `answer_url` and nothing that only readers see.

	Raises:
		frappe.PermissionError: the user does not work in the desk.
	"""
	rights.check_desk_user()
	return {
		"today": nowdate(),
		"tasks": _my_tasks(),
		"stages": _my_stages(),
		"mail_preference": directory.mail_preference(frappe.session.user).value,
	}


def _my_tasks() -> list:
	person, task = frappe.qb.DocType("Milestone Task Assignee"), frappe.qb.DocType("Milestone Task")
	plan = frappe.qb.DocType("Milestone Plan")
	mine = (
		frappe.qb.from_(person)
		.join(task)
		.on(person.parent == task.name)
		.join(plan)
		.on(plan.name == task.plan)
		.select(person.parent)
		# As of milestones, nobody is asked for what is on hold.
		.where(plan.on_hold_since.isnull())
		.where(person.user == frappe.session.user)
		.where(person.done == 0)
		.where(person.parenttype == "Milestone Task")
		.where(task.status == TaskStatus.OPEN.value)
		.run(pluck=True)
	)
	if not mine:
		return []
	# Asked for in order, MariaDB would walk all open tasks by their date to find these.
	tasks = frappe.get_list(
		"Milestone Task",
		filters={"name": ("in", sorted(set(mine)))},
		fields=["name", "title", "required", "due_date", "stage_name", "reference_type", "reference_name"],
		order_by=None,
		limit=0,
	)
	return sorted(tasks, key=lambda row: (getdate(row.due_date or date.max), row.name))[:MAX_ROWS]


def _my_stages() -> list:
	stage = frappe.qb.DocType("Milestone Plan Stage")
	plan = frappe.qb.DocType("Milestone Plan")
	mine = (
		frappe.qb.from_(stage)
		.join(plan)
		.on(stage.parent == plan.name)
		.select(
			stage.name,
			stage.parent.as_("plan"),
			stage.stage_name,
			stage.key_date,
			stage.health,
			stage.open_required,
			stage.open_criteria,
			stage.owner_kind,
			stage.stage_owner,
			plan.reference_type,
			plan.reference_name,
		)
		.where(plan.status == PlanStatus.ACTIVE.value)
		.where(stage.status == StageStatus.OPEN.value)
		# Nobody is asked for what was skipped or is on hold.
		.where(stage.health.notin([Health.SKIPPED.value, Health.ON_HOLD.value]))
		.where(is_owner(stage))
		.orderby(stage.key_date)
		.limit(MAX_ROWS)
		.run(as_dict=True)
	)
	if not mine:
		return []
	# The owner of a stage may not be allowed to read its document.
	names = list({row.plan for row in mine})
	readable = set(frappe.get_list("Milestone Plan", filters={"name": ("in", names)}, pluck="name", limit=0))
	return [
		row if row.plan in readable else _for_outside(row)
		for row in mine
		if row.plan in readable or _is_asked_from_outside(row)
	]


def _is_asked_from_outside(row) -> bool:
	return row.owner_kind in OUTSIDE_OWNERS and row.stage_owner == frappe.session.user


def _for_outside(row) -> frappe._dict:
	"""Return what the user sees of a milestone that they own as somebody from outside: as on `/milestones`, and where to answer."""
	user = frappe.session.user
	token = signed_links.make_token(Purpose.ANSWER, row.name, user, cstr(row.key_date or ""))
	shown = {name: row[name] for name in SEEN_OUTSIDE}
	return frappe._dict(shown, answer_url=signed_links.url(letters.ANSWER_PAGE, token, answer="yes"))


def is_owner(stage):
	"""Return the condition that the user owns a stage; a user without roles of their own owns none by a role.

	Args:
		stage: the table of Milestone Plan Stage in a query of the query builder.
	"""
	by_name = stage.stage_owner == frappe.session.user
	roles = [role for role in frappe.get_roles() if role not in ("All", "Guest")]
	return by_name | stage.owner_role.isin(roles) if roles else by_name
