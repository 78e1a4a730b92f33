"""A user is enabled, disabled or gets other roles: the next sweep checks the plans concerned."""

from collections.abc import Callable

import frappe

from milestone_automation.engine.base import follow_ups, guard
from milestone_automation.engine.people import assignees, user_texts
from milestone_automation.engine.rules.vocabulary import (
	OUTSIDE_OWNERS,
	OwnerKind,
	PlanStatus,
	StageStatus,
	TaskStatus,
)
from milestone_automation.engine.store import accounts, sweep_requests


def on_user_change(doc, method=None) -> None:
	"""Hook: have the next sweep check the plans whose recipients may change with a user's account or roles.

	Plans are found and marked after commit: the save of a user never waits for one that the sweep has locked.

	Args:
		doc: the User.
		method: on_update.
	"""
	before = doc.get_doc_before_save()
	old_roles, new_roles = _roles_of(before), _roles_of(doc)
	is_toggled = not before or bool(before.enabled) != bool(doc.enabled)
	roles = old_roles | new_roles if is_toggled else old_roles ^ new_roles
	if is_toggled or roles:
		guard.run_guarded(
			f"Milestone sweep after a change of {doc.name}", _recheck_later, doc, roles, is_toggled
		)


def on_user_deleted(doc, method=None) -> None:
	"""Hook: a deleted user is nobody's outsider; messages no longer go to the address that was the account's name.

	Args:
		doc: the User.
		method: name of the document event; not used.
	"""
	guard.run_guarded(f"Texts with the deleted user {doc.name}", user_texts.forget, doc.name)


def on_login(login_manager=None) -> None:
	"""Hook: after the first login of somebody who has signed up, they are who was asked by that address.

	Args:
		login_manager: Frappe's.
	"""
	user = frappe.session.user
	if frappe.get_cached_value("User", user, "owner") == assignees.GUEST:
		guard.run_guarded(f"Milestones asked of {user}", _recheck_address, user)


def _recheck_address(user: str) -> None:
	address = frappe.get_cached_value("User", user, "email") or user
	if accounts.is_asked(address):
		follow_ups.add("recheck plans of a user", names=sorted({user, address}), roles=[])


def _roles_of(user) -> set[str]:
	return {row.role for row in user.roles} if user else set()


def _recheck_later(user, roles: set[str], is_toggled: bool) -> None:
	names = sorted({user.name, user.email or user.name}) if is_toggled else []
	follow_ups.add("recheck plans of a user", names=names, roles=sorted(roles))
	if is_toggled and not user.enabled and user.get_doc_before_save():
		follow_ups.add("complete tasks of disabled users", users=[user.name])


def recheck(names: list[str], roles: list[str], commit: Callable[[], None] | None = None) -> None:
	"""Have the plans that concern somebody looked at by the next sweep, after a new account has taken over what is theirs.

	Args:
		names: user id and address of a user who was disabled or enabled; empty for one who was not.
		roles: that were given or taken.
		commit: called between some hundred plans and the next.

	Raises:
		ConflictError: somebody else is changing one of the plans that a new account takes over.
	"""
	for name in names:
		accounts.take_over(name, commit)
	plans = _plans_of_roles(roles) if roles else set()
	if names:
		plans |= _plans_of_person(names)
	sweep_requests.recheck_some(sorted(plans), commit)


def _plans_of_roles(roles: list[str]) -> set[str]:
	"""Return the active plans whose messages are sent to one of these roles."""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	is_named = stage.owner_role.isin(roles) | stage.notify_role.isin(roles) | plan.escalation_role.isin(roles)
	return set(_open_stages(plan, stage).where(is_named).run(pluck=True))


def _plans_of_person(names: list[str]) -> set[str]:
	"""Return the active plans that name a person, and those with a stage whose owner could not be found."""
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	found_anew = (OwnerKind.USER_FIELD, OwnerKind.DOCUMENT_CREATOR, *OUTSIDE_OWNERS)
	by_field = stage.owner_kind.isin([kind.value for kind in found_anew])
	nobody = by_field & (stage.stage_owner.isnull() | (stage.stage_owner == ""))
	nobody &= stage.outside_owner.isnull() | stage.outside_owner.isin(names)
	is_named = stage.stage_owner.isin(names) | stage.owner_user.isin(names) | nobody
	plans = set(_open_stages(plan, stage).where(is_named).run(pluck=True))
	task, person = frappe.qb.DocType("Milestone Task"), frappe.qb.DocType("Milestone Task Assignee")
	query = frappe.qb.from_(person).join(task).on(task.name == person.parent).select(task.plan).distinct()
	query = query.where(person.parenttype == "Milestone Task").where(task.status == TaskStatus.OPEN.value)
	return plans | set(query.where(person.user.isin(names) | person.email.isin(names)).run(pluck=True))


def _open_stages(plan, stage):
	query = frappe.qb.from_(stage).join(plan).on(plan.name == stage.parent).select(plan.name).distinct()
	query = query.where(plan.status == PlanStatus.ACTIVE.value)
	return query.where(stage.status != StageStatus.REACHED.value)
