"""Rules for the tasks of a workflow. `problems` yields sentences; only `tidy` changes a row, before the checks."""

from collections.abc import Iterator

from frappe import _
from frappe.utils import cint, cstr, escape_html

from milestone_automation.engine.rules import names
from milestone_automation.engine.rules.vocabulary import AssigneeKind
from milestone_automation.engine.workflows import people_validation
from milestone_automation.engine.workflows.people_validation import Known
from milestone_automation.engine.workflows.row_fields import MAX_DAYS, drop_unused, fill_choices

FIELDS_BY_CHOICE = {
	"assignee_kind": {
		AssigneeKind.ONE_TEAM_MEMBER: ("assignee_user",),
		AssigneeKind.ROLE: ("assignee_role",),
		AssigneeKind.USER_FIELD: ("assignee_field",),
		AssigneeKind.THIRD_PARTY_COLLABORATOR: ("collaborator_name", "collaborator_email"),
	}
}


def tidy(task, stage_names: dict[str, str]) -> None:
	"""Trim texts, spell the stage's name as the stage does, and clear the fields of other assignee kinds.

	Args:
		task: row of Milestone Workflow Task.
		stage_names: names of the stages by their name in lower case.
	"""
	task.title = cstr(task.title).strip()
	stage = cstr(task.stage).strip()
	task.stage = stage_names.get(stage.casefold(), stage)
	task.after_tasks = "\n".join(names.lines(task.after_tasks)) or None
	fill_choices(task)
	drop_unused(task, FIELDS_BY_CHOICE)


def problems(task, workflow, known: Known) -> Iterator[str]:
	"""Yield the problems of one task, as sentences that say what to do.

	Args:
		task: row of Milestone Workflow Task, after `tidy`.
		workflow: its Milestone Workflow document.
		known: users and roles of the site.
	"""
	if not task.title:
		yield _("Enter a title.")
	if problem := _stage_problem(task, workflow):
		yield problem
	days = cint(task.due_days_before)
	if days < 0:
		yield _("A task is never due after its milestone. Set Due Days Before Milestone to 0 or more.")
	elif days > MAX_DAYS:
		yield _("{0} days are too many. Set Due Days Before Milestone to at most {1}.").format(days, MAX_DAYS)
	if problem := assignee_problem(task, workflow, known):
		yield problem


def _stage_problem(task, workflow) -> str | None:
	names = [stage.stage_name for stage in workflow.stages]
	if not task.stage:
		return _("Choose the milestone it belongs to.")
	if task.stage not in names:
		return _("This workflow has no milestone {0}. Choose one of: {1}.").format(
			escape_html(task.stage), ", ".join(escape_html(name) for name in names) or "-"
		)
	return None


def assignee_problem(task, workflow, known: Known) -> str | None:
	"""Return the problem of a task's assignee as a sentence, or None. A task may have no assignee.

	Args:
		task, workflow, known: as in `problems`.
	"""
	check = ASSIGNEE_CHECKS.get(task.assignee_kind)
	return check(task, workflow, known) if check else None


def _team_problem(task, workflow, known: Known) -> str | None:
	if workflow.team_role or workflow.team_group:
		return None
	return _("It is for the whole team, but the workflow has no team. Set the team's role or user group.")


def _supplier_problem(task, workflow, known: Known) -> str | None:
	return people_validation.supplier_field_problem(workflow.supplier_field, workflow.document_type)


def _member_problem(task, workflow, known: Known) -> str | None:
	if not task.assignee_user:
		return _("Choose the team member who gets it.")
	return people_validation.user_problem(task.assignee_user, known)


def _role_problem(task, workflow, known: Known) -> str | None:
	if not task.assignee_role:
		return _("Choose the role that gets it.")
	return people_validation.role_problem(task.assignee_role, known)


def _field_problem(task, workflow, known: Known) -> str | None:
	if not task.assignee_field:
		return _("Choose the field of {0} that names who gets it.").format(_(workflow.document_type))
	return people_validation.user_field_problem(task.assignee_field, workflow.document_type)


def _collaborator_problem(task, workflow, known: Known) -> str | None:
	if not task.collaborator_email:
		return _("Enter the collaborator's e-mail address.")
	return people_validation.address_problem(task.collaborator_email)


ASSIGNEE_CHECKS = {
	AssigneeKind.WHOLE_TEAM: _team_problem,
	AssigneeKind.ALL_SUPPLIER_CONTACTS: _supplier_problem,
	AssigneeKind.ONE_TEAM_MEMBER: _member_problem,
	AssigneeKind.ROLE: _role_problem,
	AssigneeKind.USER_FIELD: _field_problem,
	AssigneeKind.THIRD_PARTY_COLLABORATOR: _collaborator_problem,
}
