"""The rules for a Milestone Workflow; its controller calls them.

All problems are reported at once. A sentence about a row begins with the row: "Milestone 2 (Inspection): ...".
"""

from collections.abc import Iterator

import frappe
from frappe import _
from frappe.model import data_fieldtypes
from frappe.utils import cint, cstr, escape_html

from milestone_automation.engine.base import values
from milestone_automation.engine.people import rights
from milestone_automation.engine.rules import names, network
from milestone_automation.engine.rules.vocabulary import (
	KeyDateRule,
	PlanStatus,
	ReachRule,
	StageKind,
	StepEvent,
)
from milestone_automation.engine.tracking import conditions, protected, trackable
from milestone_automation.engine.tracking.registry import field_type
from milestone_automation.engine.workflows import (
	authors,
	criteria_validation,
	default_values,
	dependencies,
	document_filters,
	field_use,
	people_validation,
	shown_fields,
	stage_validation,
	step_validation,
	task_validation,
)

# A change of these fields does not make a new version.
UNVERSIONED_FIELDS = frozenset(
	{
		"workflow_name",
		"enabled",
		"priority",
		"description",
		"version",
		"builder",
		"forecast_up_to",
		"forecast_again_on",
	}
)


# Rows


def check_name(name: str) -> None:
	"""Refuse a workflow's name that ends an attribute: Frappe's lists print names of linked documents into some.

	Args:
		name: the name it is to have.

	Raises:
		frappe.NameError: it contains a double quote.
	"""
	if '"' in (name or ""):
		frappe.throw(
			_("The name of a workflow cannot contain {0}. Leave it out.").format("&quot;"), frappe.NameError
		)


def label(row, name: str | None, kind: str) -> str:
	"""Return the label of a row in messages: "Milestone 2 (Inspection)".

	Args:
		row: the row.
		name: its name or title, if it has one.
		kind: what the row is, translated.
	"""
	numbered = f"{kind} {row.idx}"
	return f"{numbered} ({escape_html(name)})" if name else numbered


def stage_label(stage) -> str:
	"""Return the label of a stage in messages: "Milestone 2 (Inspection)", translated; safe HTML.

	Args:
		stage: row with `idx` and `stage_name`, also of a plan.
	"""
	return label(stage, stage.stage_name, _("Milestone"))


def task_label(task) -> str:
	"""Return the label of a task in messages: "Task 3 (Count the parts)", translated; safe HTML.

	Args:
		task: row with `idx` and `title`.
	"""
	return label(task, task.title, _("Task"))


# Steps of validation


def check_rights(workflow) -> None:
	"""Refuse a workflow for documents that the user may not read, and new next steps for those they may not write.

	Messages show values of the documents, and next steps do not run with the rights of the user who reaches the stage.
	System Managers may do both.

	Args:
		workflow: Milestone Workflow document that is being saved, with its state before.

	Raises:
		frappe.PermissionError: says whom to ask.
	"""
	if rights.sees_everything() or not frappe.db.exists("DocType", workflow.document_type):
		return
	doctype = workflow.document_type
	if not frappe.has_permission(doctype, "read"):
		frappe.throw(
			_(
				"You may not read documents of {0}, so you cannot create a workflow for them. Ask a System Manager."
			).format(_(doctype)),
			frappe.PermissionError,
		)
	if _next_actions(workflow) - _next_actions(workflow.get_doc_before_save()) and not frappe.has_permission(
		doctype, "write"
	):
		frappe.throw(
			_(
				"You may not write documents of {0}, so you cannot give them next steps. Ask a System Manager."
			).format(_(doctype)),
			frappe.PermissionError,
		)


def _next_actions(workflow) -> set[str]:
	if not workflow:
		return set()
	texts = [workflow.completed_actions, *(stage.next_actions for stage in workflow.stages)]
	return {cstr(text).strip() for text in texts} - {""}


def check_document_type(workflow) -> None:
	"""Refuse a DocType whose documents cannot have plans, and a change of the DocType once there are plans.

	Args:
		workflow: Milestone Workflow document that is being saved, with its state before.

	Raises:
		frappe.ValidationError: says why, and what to do.
	"""
	trackable.check_doctype(workflow.document_type)
	reason = protected.why(workflow.document_type)
	if reason:
		frappe.throw(reason, title=_("Cannot Be Planned"))
	before = workflow.get_doc_before_save()
	if before and before.document_type != workflow.document_type and count_plans(workflow.name):
		frappe.throw(
			_(
				"Plans were made from {0} for documents of {1}, so its document type cannot be changed. Create another workflow for {2}."
			).format(workflow.name, _(before.document_type), _(workflow.document_type)),
			title=_("Milestone Workflow"),
		)


def tidy(workflow) -> None:
	"""Number, trim and complete the rows before they are checked, see `tidy` of the rows.

	Args:
		workflow: Milestone Workflow document that is being saved; by its state before, renamed stages are known.
	"""
	for rows in (workflow.stages, workflow.tasks):
		for idx, row in enumerate(rows, 1):
			row.idx = idx
	workflow.condition = cstr(workflow.condition).strip()
	workflow.shown_fields = "\n".join(names.lines(workflow.shown_fields))
	for stage in workflow.stages:
		stage_validation.tidy(stage)
	renamed = _renamed_stages(workflow)
	rename_stages_of_tasks(workflow, renamed)
	dependencies.tidy(workflow, renamed, _unchanged_dependencies(workflow))
	stage_names = {stage.stage_name.casefold(): stage.stage_name for stage in workflow.stages}
	for task in workflow.tasks:
		task_validation.tidy(task, stage_names)
	dependencies.rename_tasks(workflow)


def _renamed_stages(workflow) -> dict[str, str]:
	"""Return the name of each stage by the one it had before this save."""
	before = workflow.get_doc_before_save()
	old_names = {row.name: row.stage_name for row in before.stages} if before else {}
	return {old_names[row.name]: row.stage_name for row in workflow.stages if row.name in old_names}


def _unchanged_dependencies(workflow) -> set[str]:
	"""Return the row names of the stages that depend on the same names as before this save."""
	before = workflow.get_doc_before_save()
	old = {row.name: names.lines(row.predecessors) for row in before.stages} if before else {}
	return {row.name for row in workflow.stages if old.get(row.name) == names.lines(row.predecessors)}


def rename_stages_of_tasks(workflow, renamed: dict[str, str]) -> None:
	"""Give tasks the new name of a renamed stage if they still carry the old one.

	Args:
		workflow: Milestone Workflow document.
		renamed: new name by old name of the stages.
	"""
	before = workflow.get_doc_before_save()
	if not before:
		return
	old_tasks = {row.name: row.stage for row in before.tasks}
	names = {row.stage_name for row in workflow.stages}
	for task in workflow.tasks:
		untouched = old_tasks.get(task.name) == task.stage
		if untouched or task.stage not in names:
			task.stage = renamed.get(task.stage, task.stage)


def check(workflow) -> None:
	"""Refuse a workflow with problems.

	Args:
		workflow: Milestone Workflow document, after `tidy`.

	Raises:
		frappe.ValidationError: lists all problems, one per line.
	"""
	conditions.check(workflow.condition, workflow.document_type)
	sentences = list(dict.fromkeys(problems(workflow)))
	if sentences:
		frappe.throw("<br>".join(sentences), title=_("Milestone Workflow"))
	for stage in workflow.stages:
		stage_validation.normalize_value(stage, workflow.document_type)


def check_draft(workflow) -> None:
	"""Tell the problems of a disabled workflow, which can be saved at any time; refuse what not even a draft may say.

	Args:
		workflow: Milestone Workflow document, after `tidy`.

	Raises:
		frappe.ValidationError: see `check_texts`.
	"""
	check_texts(workflow)
	sentences = list(dict.fromkeys(problems(workflow)))
	if sentences:
		frappe.msgprint(
			_("Saved as a draft. Before it can be enabled:") + "<br>" + "<br>".join(sentences),
			indicator="orange",
			alert=True,
		)
		return
	for stage in workflow.stages:
		stage_validation.normalize_value(stage, workflow.document_type)


def check_usable(workflow) -> None:
	"""Refuse to use a disabled workflow that is saved with problems; an enabled one has none.

	Args:
		workflow: stored Milestone Workflow document.

	Raises:
		frappe.ValidationError: lists all problems, one per line.
	"""
	if not workflow.enabled:
		# What is stored its authors have written: the rights of whoever uses it say nothing about it.
		workflow._doc_before_save = workflow
		check(workflow)


def check_texts(workflow) -> None:
	"""Refuse a workflow whose condition or filters cannot be evaluated, or that uses fields its author may not read.

	Args:
		workflow: Milestone Workflow document that is not saved, tidied.

	Raises:
		frappe.ValidationError: the condition cannot be evaluated, or lists all other problems, one per line.
	"""
	conditions.check(workflow.condition, workflow.document_type)
	sentences = [*document_filters.problems(workflow.document_filters, workflow.document_type)]
	for stage in workflow.stages:
		criteria = criteria_validation.problems(stage, workflow.document_type, _known_criteria(workflow))
		sentences += [f"{stage_label(stage)}: {problem}" for problem in criteria]
	sentences += field_use.problems(workflow, _row_label)
	sentences += shown_fields.problems(workflow)
	if sentences:
		frappe.throw("<br>".join(sentences), title=_("Milestone Workflow"))


def problems(workflow) -> Iterator[str]:
	"""Yield all problems of a workflow with a valid DocType, as sentences; the condition is checked elsewhere.

	Args:
		workflow: Milestone Workflow document, after `tidy`. What it said before the save is its former authors' right.
	"""
	known = people_validation.read_known(workflow)
	known_criteria = _known_criteria(workflow)
	yield from document_filters.problems(workflow.document_filters, workflow.document_type)
	yield from _role_problems(workflow, known)
	yield from _stage_list_problems(workflow)
	for position, stage in enumerate(workflow.stages):
		for problem in stage_validation.problems(stage, position, workflow, known, known_criteria):
			yield f"{stage_label(stage)}: {problem}"
	for task in workflow.tasks:
		for problem in task_validation.problems(task, workflow, known):
			yield f"{task_label(task)}: {problem}"
	yield from _completion_problems(workflow)
	yield from field_use.problems(workflow, _row_label)
	yield from shown_fields.problems(workflow)


def completion_label() -> str:
	"""Return how a sentence about the next steps of a completed plan begins."""
	return _("When the plan is completed:") + " "


def _completion_problems(workflow) -> Iterator[str]:
	step_problems = step_validation.problems(
		workflow.completed_actions,
		workflow.document_type,
		(StepEvent.PLAN_COMPLETED,),
		is_own=authors.wrote_now(workflow, authors.COMPLETED_BY),
	)
	return (completion_label() + problem for problem in step_problems)


def _known_criteria(workflow) -> frozenset[str]:
	before = workflow.get_doc_before_save()
	stages = before.stages if before and before.document_type == workflow.document_type else ()
	return frozenset(one.key for stage in stages for one in criteria_validation.parsed(stage) or ())


def _row_label(row) -> str:
	return stage_label(row) if row.doctype == "Milestone Workflow Stage" else task_label(row)


def _role_problems(workflow, known) -> Iterator[str]:
	for fieldname in ("team_role", "escalation_role"):
		problem = workflow.get(fieldname) and people_validation.role_problem(workflow.get(fieldname), known)
		if problem:
			yield f"{_(workflow.meta.get_label(fieldname))}: {problem}"
	field, doctype = workflow.supplier_field, workflow.document_type
	if field and (problem := people_validation.supplier_field_problem(field, doctype)):
		yield problem


def _stage_list_problems(workflow) -> Iterator[str]:
	if workflow.enabled and not workflow.stages:
		yield _("A workflow without milestones cannot be enabled. Add at least one milestone.")
	yield from _repeated_names(workflow.stages)
	yield from dependencies.problems(workflow, stage_label)
	yield from dependencies.task_problems(workflow, task_label)
	yield from _stages_before_earlier_ones(workflow.stages)
	yield from _acceptance_with_tasks(workflow)
	yield from _tasks_before_default_values(workflow)
	yield from _acceptance_with_criteria(workflow)
	yield from _criteria_before_default_values(workflow)


def _repeated_names(stages) -> Iterator[str]:
	first: dict[str, object] = {}
	for stage in stages:
		earlier = first.setdefault(stage.stage_name.casefold(), stage)
		if stage.stage_name and earlier is not stage:
			yield _(
				"{0}: Milestone {1} already has this name. Names must be unique within a workflow."
			).format(stage_label(stage), earlier.idx)


def _stages_before_earlier_ones(stages) -> Iterator[str]:
	"""Yield stages that count fewer days from the same date than an earlier stage and so can never be in order."""
	dependencies_of = network.Network.of(stages)
	counted: list[tuple | None] = []
	for position, stage in enumerate(stages):
		counted.append(_counted_from(stage, [counted[i] for i in dependencies_of.direct[position]]))
		later = _counted_later(counted, dependencies_of.before(position))
		if later is not None:
			yield _(
				"{0}: Its key date would always come before that of {1}. "
				"Move it up in the list, or change the days of one of them."
			).format(stage_label(stage), stage_label(stages[later]))


def _counted_later(counted: list, before) -> int | None:
	"""Return the position of the earlier stage that counts the most days from the same date as the last; None if it has."""
	if not counted[-1]:
		return None
	start, days = counted[-1]
	same = [(counted[i][1], i) for i in before if counted[i] and counted[i][0] == start]
	most, position = max(same, default=(days, None))
	return position if most > days else None


def _counted_from(stage, before: list) -> tuple | None:
	"""Return what a stage's key date is counted from, through the stages in between, and the days; None if unknown."""
	rule, days, unit = stage.key_date_rule, cint(stage.offset_days), cint(stage.working_days)
	if rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE:
		is_known = all(before) and len({start for start, _days in before}) == 1
		previous = max(before) if is_known else None
		same_unit = previous and (previous[0][2] == unit or not days)
		return (previous[0], previous[1] + days) if same_unit else None
	if rule == KeyDateRule.SET_MANUALLY:
		return None
	return (rule, stage.date_field if rule == KeyDateRule.DOCUMENT_DATE_FIELD else None, unit), days


def _acceptance_with_tasks(workflow) -> Iterator[str]:
	for stage in workflow.stages:
		titles = [cstr(task.title) for task in workflow.tasks if task.stage == stage.stage_name]
		if stage.kind == StageKind.ACCEPTANCE and titles:
			yield _(
				"{0}: An acceptance milestone cannot have tasks, but has {1}. Move them to another milestone, or make this one Standard."
			).format(stage_label(stage), ", ".join(escape_html(title) for title in titles))


def _tasks_before_default_values(workflow) -> Iterator[str]:
	"""Yield stages with required tasks that new documents have reached before anybody could do them."""
	for stage in workflow.stages:
		titles = _required_titles(workflow, stage)
		if titles and _has_default_value(workflow, stage):
			yield _(
				"{0}: New documents have this value by default, so its required tasks could not be done before ({1}). Move them to a later milestone, or choose another value."
			).format(stage_label(stage), ", ".join(escape_html(title) for title in titles))


def _acceptance_with_criteria(workflow) -> Iterator[str]:
	for stage in workflow.stages:
		if stage.kind == StageKind.ACCEPTANCE and criteria_validation.parsed(stage):
			yield _(
				"{0}: An acceptance milestone cannot have exit criteria. Move them to another milestone, or make this one Standard."
			).format(stage_label(stage))


def _criteria_before_default_values(workflow) -> Iterator[str]:
	"""Yield stages with required exit criteria that new documents have reached before anybody could meet them."""
	for stage in workflow.stages:
		rows = _blocking_rows(workflow, stage)
		texts = criteria_validation.required_texts(rows, workflow.document_type)
		if texts and _has_default_value(workflow, stage):
			yield _(
				"{0}: New documents have this value by default, so its exit criteria could not be met before ({1}). Move them to a later milestone, or choose another value."
			).format(stage_label(stage), ", ".join(escape_html(text) for text in texts))


def _blocking_rows(workflow, stage) -> list:
	"""Return the rows whose required tasks and exit criteria block a stage of a new document."""
	if not cint(workflow.earlier_tasks_block):
		return [stage]
	before = network.Network.of(workflow.stages).before(workflow.stages.index(stage))
	earlier = [workflow.stages[i] for i in before]
	return [*(row for row in earlier if not _has_default_value(workflow, row)), stage]


def _required_titles(workflow, stage) -> list[str]:
	names = {row.stage_name for row in _blocking_rows(workflow, stage)}
	return [cstr(task.title) for task in workflow.tasks if cint(task.required) and task.stage in names]


def _has_default_value(workflow, stage) -> bool:
	if stage.reach_rule != ReachRule.FIELD_VALUE or not stage.track_field:
		return False
	fieldtype = field_type(workflow.document_type, stage.track_field)
	default = default_values.of_field(workflow.document_type, stage.track_field)
	return bool(default) and values.is_same(default, cstr(stage.track_value).strip(), fieldtype)


def warn_of_repeated_values(workflow) -> None:
	"""Warn if two stages are reached by the same value: this is right for rework, otherwise a mistake.

	Args:
		workflow: Milestone Workflow document without problems.
	"""
	first: dict[tuple, object] = {}
	for stage in workflow.stages:
		if stage.reach_rule != ReachRule.FIELD_VALUE:
			continue
		earlier = first.setdefault((stage.track_field, stage.track_value), stage)
		if earlier is not stage:
			frappe.msgprint(
				_(
					"{0}: It is reached by the same value as {1}, {2} {3}. The document has to get this value a second time."
				).format(
					stage_label(stage),
					stage_label(earlier),
					stage.track_field,
					escape_html(stage.track_value),
				),
				title=_("Same Value Twice"),
				indicator="orange",
			)


def is_only_switched_off(workflow) -> bool:
	"""Tell whether this save only disables the workflow, which must work even if its DocType no longer exists.

	Args:
		workflow: Milestone Workflow document that is being saved, with its state before.
	"""
	before = workflow.get_doc_before_save()
	return bool(before and before.enabled and not workflow.enabled and not has_changed(workflow))


# Version


def count_version(workflow) -> None:
	"""Increase the version if this save changes what plans are made of; nobody sets it otherwise.

	Args:
		workflow: Milestone Workflow document that is being saved, with its state before; its `version` is set.
	"""
	before = workflow.get_doc_before_save()
	if not before:
		workflow.version = 1
	else:
		workflow.version = (before.version or 1) + int(has_changed(workflow))


def has_changed(workflow) -> bool:
	"""Tell whether a workflow differs from the stored one in a field that counts for its version. A new one does.

	Args:
		workflow: Milestone Workflow document, with its state before the save; `UNVERSIONED_FIELDS` do not count.
	"""
	before = workflow.get_doc_before_save()
	return not before or _versioned_values(before) != _versioned_values(workflow)


def _versioned_values(workflow) -> list:
	rows = [[_row_values(row) for row in workflow.get(table)] for table in ("stages", "tasks")]
	return [_row_values(workflow), rows]


def _row_values(row) -> dict[str, str]:
	"""Return the values of a row by field; no value, 0 and an empty text are the same."""
	return {
		field.fieldname: cstr(row.get(field.fieldname) or "")
		for field in row.meta.fields
		if field.fieldname not in UNVERSIONED_FIELDS and field.fieldtype in _stored_types()
	}


def _stored_types() -> frozenset[str]:
	return frozenset(data_fieldtypes)


# Plans


def count_plans(workflow: str, status: PlanStatus | None = None) -> int:
	"""Return the number of plans that were made from a workflow, whoever may read them.

	Args:
		workflow: name of a Milestone Workflow.
		status: only plans with this one; None for all.
	"""
	filters = {"workflow": workflow} | ({"status": status.value} if status else {})
	return frappe.db.count("Milestone Plan", filters)


def check_deletable(workflow) -> None:
	"""Refuse to delete a workflow that has plans: running plans need it, finished plans refer to it.

	Args:
		workflow: Milestone Workflow document.

	Raises:
		frappe.ValidationError: says what to do instead, and no number: some plans may not be the user's to count.
	"""
	if count_plans(workflow.name, PlanStatus.ACTIVE):
		frappe.throw(
			_(
				"Plans of the workflow {0} are running. Disable the workflow instead: its plans go on and no new ones are started. Or cancel its plans first."
			).format(workflow.name),
			title=_("Plans Are Running"),
		)
	if count_plans(workflow.name):
		frappe.throw(
			_(
				"Finished plans refer to the workflow {0}. Disable it instead, or delete those plans first."
			).format(workflow.name),
			title=_("Workflow Has Plans"),
		)
