"""What a refusal of the gate says: a text for everybody, one line where many documents are saved, and data for the Desk.

The Desk makes a dialog of the data, in which the user resolves what blocks. So the data says what the user may do.
"""

from typing import NoReturn

import frappe
from frappe import _
from frappe.utils import escape_html, get_link_to_form

from milestone_automation.engine.base import compat, save_state
from milestone_automation.engine.base.guard import GateError
from milestone_automation.engine.people import criterion_texts, rights
from milestone_automation.engine.rules import criteria, task_order
from milestone_automation.engine.store import plan_rows, step_outbox

# How many tasks, criteria or stages a refusal names; more would be a wall of text.
NAMED = 10
# One line names fewer.
NAMED_IN_LINE = 3


def refuse(plan: plan_rows.Plan, stage, obstacles, is_save: bool = True) -> NoReturn:
	"""Raise the refusal; the desk also gets it as data, in `milestone_gate` of the response.

	Met while another document is saved, it names the document it is about, to users who may read that.

	Args:
		plan, stage: what is blocked.
		obstacles: all that is in the way, see `gate.Obstacles`.
		is_save: whether a document is being saved; else it is confirmed that the stage is reached.

	Raises:
		GateError: always; titled "Milestone Blocked".
	"""
	step_outbox.request_blocked(plan, stage)
	is_about_another = _is_saving_another(plan)
	if not rights.can_read_document(plan.reference_type, plan.reference_name):
		# An owner from outside confirms a stage of a document that they may not read.
		throw(_hidden(stage, obstacles) if is_save and is_about_another else _hidden_stage(stage))
	visible_tasks = rights.visible_tasks(obstacles.tasks)
	if compat.saves_many():
		throw(_line(plan, stage, obstacles, visible_tasks))
	then = _("Then save again.") if is_save else _("Then try again.")
	throw(
		_text(plan, stage, obstacles, visible_tasks, then, names_document=is_about_another),
		_data(plan, stage, obstacles, visible_tasks),
	)


def throw(text: str, data: dict | None = None) -> NoReturn:
	"""Raise a refusal.

	Args:
		text: what it says, as HTML.
		data: what the desk makes a dialog of; none where there is nothing to resolve.

	Raises:
		GateError: always; titled "Milestone Blocked".
	"""
	if frappe.local.response is not None:
		# What an earlier refusal of the same request left, that nobody minded.
		frappe.local.response.pop("milestone_gate", None)
		if data:
			frappe.local.response["milestone_gate"] = data
	frappe.throw(text, exc=GateError, title=_("Milestone Blocked"))


def _data(plan: plan_rows.Plan, stage, obstacles, visible_tasks: list) -> dict:
	return {
		"plan": plan.name,
		"doctype": plan.reference_type,
		"name": plan.reference_name,
		"stage": stage.stage_name,
		"count": len(obstacles.tasks),
		"earlier": [row.stage_name for row in obstacles.earlier],
		"criteria_count": len(obstacles.criteria),
		"criteria": [_criterion(plan, verdict) for verdict in obstacles.criteria[:NAMED]],
		"tasks": _tasks(plan, visible_tasks[:NAMED]),
		"advice": _advice(obstacles),
	}


def _tasks(plan: plan_rows.Plan, tasks: list) -> list[dict]:
	waits = any(task.after_tasks for task in tasks)
	waiting = task_order.waiting(tasks, plan.open_tasks()) if waits else {}
	return [
		{
			"name": task.name,
			"title": task.title,
			"stage_name": task.stage_name,
			"assignees": people(task),
			"actions": _task_actions(task, is_waiting=task.name in waiting),
		}
		for task in tasks
	]


def _task_actions(task, is_waiting: bool) -> list[str]:
	actions = ["complete"] if not is_waiting and rights.can_act_on_task(task) else []
	return [*actions, "waive"] if rights.can_manage() else actions


def _criterion(plan: plan_rows.Plan, verdict: criteria.Verdict) -> dict:
	return {
		"key": verdict.criterion.key,
		"text": criterion_texts.describe_unmet(verdict, plan.reference_type),
		"stage_name": verdict.stage_name,
		"actions": ["waive_criterion"] if rights.can_manage() else [],
	}


def _line(plan: plan_rows.Plan, stage, obstacles, visible_tasks: list) -> str:
	"""Return the refusal of one of many documents as one sentence with the document."""
	obstacle_texts = [
		*(_task_in_line(task) for task in visible_tasks),
		*_criteria_in_line(plan, obstacles),
		*_earlier_in_line(obstacles),
	]
	total = len(obstacles.tasks) + len(obstacles.criteria) + len(obstacles.earlier)
	shown_texts = obstacle_texts[:NAMED_IN_LINE]
	if not shown_texts:
		return _("{0}: {1}").format(_link_to_document(plan), _block(stage, obstacles.tasks, [])[0])
	if total > len(shown_texts):
		shown_texts.append(_("{0} more").format(total - len(shown_texts)))
	return _("{0}: {1} is blocked by {2}.").format(
		_link_to_document(plan), bold(stage.stage_name), ", ".join(shown_texts)
	)


def _task_in_line(task) -> str:
	names, title = people(task), escape_html(task.title)
	return f"{title} ({escape_html(', '.join(names))})" if names else title


def _criteria_in_line(plan: plan_rows.Plan, obstacles) -> list[str]:
	return [escape_html(one) for one in criterion_texts.describe_all(obstacles.criteria, plan.reference_type)]


def _earlier_in_line(obstacles) -> list[str]:
	return [escape_html(row.stage_name) for row in obstacles.earlier]


def _is_saving_another(plan: plan_rows.Plan) -> bool:
	"""Tell whether a document other than the plan's is being saved: its user does not see which one refuses."""
	own_key = (plan.reference_type, plan.reference_name)
	return any(key != own_key for key in compat.saves_under_way())


def throw_about(doc, text: str) -> NoReturn:
	"""Raise a refusal of a document without a plan; it says which one where another document is being saved.

	Args:
		doc: the document, new or about to match a workflow.
		text: what it says, as HTML.

	Raises:
		GateError: always.
	"""
	if save_state.other_writes(doc):
		is_stored = not doc.is_new() and not doc.flags.in_insert
		label = escape_html(f"{_(doc.doctype)} {doc.name}" if is_stored else _(doc.doctype))
		text = _("{0}: {1}").format(label, text)
	throw(text)


def _hidden(stage, obstacles) -> str:
	"""Return the refusal for users who may not read the document: whom to ask."""
	if not obstacles.tasks and not obstacles.criteria:
		return _(
			"Another document cannot reach its next milestone yet: an earlier one comes first. Ask a Milestone Manager."
		)
	if not obstacles.tasks:
		return _(
			"Another document cannot reach its next milestone yet: its exit criteria are not met. Ask a Milestone Manager."
		)
	owner = stage.stage_owner and frappe.db.get_value("User", stage.stage_owner, "full_name")
	if owner:
		return _(
			"Another document cannot reach its next milestone yet: required tasks are open. Ask {0}."
		).format(escape_html(owner))
	return _(
		"Another document cannot reach its next milestone yet: required tasks are open. Ask a Milestone Manager."
	)


def _hidden_stage(stage) -> str:
	"""Return the refusal for whoever answers for a stage of a document of which they may read nothing."""
	return _(
		"{0} cannot be reached yet: something that comes before it is still open. Nothing was saved."
	).format(escape_html(_(stage.stage_name)))


def _text(
	plan: plan_rows.Plan, stage, obstacles, visible_tasks: list, then: str, names_document: bool = False
) -> str:
	"""Return the refusal as HTML: what is blocked, by what, who has the tasks, what is not met, what the reader may do.

	Args:
		plan, stage: what is blocked.
		obstacles: all that is in the way.
		visible_tasks: those of the tasks that the reader may see.
		then: what to do afterwards.
		names_document: begin with the document, as a link.
	"""
	parts = []
	if obstacles.earlier:
		parts += [_come_first(stage, obstacles.earlier)]
	if obstacles.tasks:
		parts += _block(stage, obstacles.tasks, visible_tasks)
	if obstacles.criteria:
		parts += _lack(plan, stage, obstacles.criteria)
	if names_document:
		parts[0] = _("{0}: {1}").format(_link_to_document(plan), parts[0])
	parts.append(f"{_advice(obstacles)} {then}")
	return "".join(f"<p>{part}</p>" if not part.startswith("<ul>") else part for part in parts)


def _come_first(stage, earlier: list) -> str:
	names = [escape_html(row.stage_name) for row in earlier[:NAMED]]
	if len(earlier) > len(names):
		names.append(_("and {0} more").format(len(earlier) - len(names)))
	return _("{0} cannot be reached yet: milestones are reached in order, and {1} comes first.").format(
		bold(stage.stage_name), ", ".join(names)
	)


def _block(stage, open_tasks: list, visible_tasks: list) -> list[str]:
	if len(open_tasks) == 1:
		parts = [_("{0} cannot be reached yet: one required task is open.").format(bold(stage.stage_name))]
	else:
		parts = [
			_("{0} cannot be reached yet: {1} required tasks are open.").format(
				bold(stage.stage_name), len(open_tasks)
			)
		]
	items = [f"<li>{_describe(task, stage)}</li>" for task in visible_tasks[:NAMED]]
	if items and len(open_tasks) > len(items):
		items.append(f"<li>{_('and {0} more').format(len(open_tasks) - len(items))}</li>")
	if items:
		parts.append(f"<ul>{''.join(items)}</ul>")
	return parts


def _lack(plan: plan_rows.Plan, stage, unmet: list[criteria.Verdict]) -> list[str]:
	if len(unmet) == 1:
		sentence = _("{0} cannot be reached yet: one exit criterion is not met.").format(
			bold(stage.stage_name)
		)
	else:
		sentence = _("{0} cannot be reached yet: {1} exit criteria are not met.").format(
			bold(stage.stage_name), len(unmet)
		)
	items = [f"<li>{_describe_criterion(plan, stage, verdict)}</li>" for verdict in unmet[:NAMED]]
	if len(unmet) > len(items):
		items.append(f"<li>{_('and {0} more').format(len(unmet) - len(items))}</li>")
	return [sentence, f"<ul>{''.join(items)}</ul>"]


def _describe_criterion(plan: plan_rows.Plan, stage, verdict: criteria.Verdict) -> str:
	text = escape_html(criterion_texts.describe_unmet(verdict, plan.reference_type))
	if verdict.stage_name != stage.stage_name:
		text += " " + _("(of the earlier milestone {0})").format(escape_html(verdict.stage_name))
	return text


def _link_to_document(plan: plan_rows.Plan) -> str:
	label = escape_html(f"{_(plan.reference_type)} {plan.reference_name}")
	return get_link_to_form(plan.reference_type, plan.reference_name, label)


def _describe(task, stage) -> str:
	link = get_link_to_form("Milestone Task", task.name, escape_html(task.title))
	names = people(task)
	text = (
		_("{0}: {1}").format(link, escape_html(", ".join(names)))
		if names
		else _("{0}: nobody assigned").format(link)
	)
	if task.stage_name != stage.stage_name:
		text += " " + _("(task of the earlier milestone {0})").format(escape_html(task.stage_name))
	return text


def _advice(obstacles) -> str:
	if not obstacles.tasks and not obstacles.criteria:
		return _("Reach or confirm that first.")
	if not obstacles.tasks:
		return (
			_("Meet the exit criteria, or waive them with a reason.")
			if rights.can_manage()
			else _("Meet the exit criteria, or ask a Milestone Manager to waive them.")
		)
	if obstacles.criteria:
		return (
			_("Complete the tasks and meet the exit criteria, or waive them with a reason.")
			if rights.can_manage()
			else _("Complete the tasks and meet the exit criteria, or ask a Milestone Manager to waive them.")
		)
	if rights.can_manage():
		return _("Complete the tasks, or waive them with a reason.")
	return _("Complete the tasks, or ask a Milestone Manager to waive them.")


def bold(text: str) -> str:
	"""Return a text that people wrote as bold HTML.

	Args:
		text: plain text; what is HTML in it is escaped.
	"""
	return f"<b>{escape_html(text)}</b>"


def people(task) -> list[str]:
	"""Return the names of a task's assignees who are not done yet.

	Args:
		task: with `assignees`, rows of Milestone Task Assignee.

	Returns:
		list: full names; the user id or address of who has none.
	"""
	return [p.full_name or p.user or p.email for p in task.assignees if not p.done]
