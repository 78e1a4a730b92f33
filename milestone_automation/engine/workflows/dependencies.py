"""Rules for what the milestones and tasks of a workflow depend on."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from frappe import _
from frappe.utils import cstr, escape_html

from milestone_automation.engine.rules import names, network
from milestone_automation.engine.rules.vocabulary import Dependency, KeyDateRule


def tidy(workflow, renamed: dict[str, str], unchanged: set[str]) -> None:
	"""Write the chosen milestones one per line, each once, spelled as they are, under the new names of renamed ones.

	Args:
		workflow: Milestone Workflow document; its rows are tidied.
		renamed: new name by old name of the milestones.
		unchanged: row names of the milestones whose dependencies this save does not change.
	"""
	spelled = {names.key(stage.stage_name): stage.stage_name for stage in workflow.stages}
	for stage in workflow.stages:
		follows = stage.name in unchanged
		chosen = [
			renamed.get(name, name) if follows or names.key(name) not in spelled else name
			for name in names.lines(stage.predecessors)
		]
		chosen = [spelled.get(names.key(name), name) for name in chosen]
		stage.predecessors = "\n".join(dict.fromkeys(chosen)) or None


def problems(workflow, label) -> Iterator[str]:
	"""Yield what is wrong with the dependencies of a workflow, as sentences that say what to do.

	Args:
		workflow: Milestone Workflow document, tidied.
		label: function that returns the label of a row in messages.
	"""
	circle = network.cycle(workflow.stages)
	if circle:
		yield _(
			"These milestones depend on each other in a circle: {0}. Remove one of the dependencies."
		).format(" → ".join(escape_html(cstr(name)) for name in circle))
		return
	places = {}
	for place, stage in enumerate(workflow.stages):
		places.setdefault(names.key(stage.stage_name), place)
	for place, stage in enumerate(workflow.stages):
		for problem in _problems(stage, place, places):
			yield f"{label(stage)}: {problem}"


def _problems(stage, place: int, places: dict[str, int]) -> Iterator[str]:
	counts = stage.key_date_rule == KeyDateRule.AFTER_PREVIOUS_MILESTONE
	if stage.dependency == Dependency.NOTHING and counts and place:
		yield _(
			"It depends on nothing, so its key date has no milestone to count from. Count it from a date field or from the document's creation, or set it manually."
		)
	if stage.dependency != Dependency.CHOSEN:
		return
	chosen = names.lines(stage.predecessors)
	if not chosen:
		yield _("Choose the milestones it depends on.")
	for name in chosen:
		other = places.get(names.key(name))
		if other is None:
			yield _("It depends on {0}, which is no milestone of this workflow. Choose another one.").format(
				escape_html(name)
			)
		elif other > place:
			yield _("It depends on {0}, which comes later in the list. Move it below {0}.").format(
				escape_html(name)
			)


# Tasks


def rename_tasks(workflow) -> None:
	"""Let tasks come after a renamed task under its new title, if they still carry the old one.

	Args:
		workflow: Milestone Workflow document; its rows are tidied.
	"""
	before = workflow.get_doc_before_save()
	old = {row.name: row.title for row in before.tasks} if before else {}
	renamed = {old[row.name]: row.title for row in workflow.tasks if row.name in old}
	existing = {names.key(task.title) for task in workflow.tasks}
	for task in workflow.tasks:
		titles = [
			title if names.key(title) in existing else renamed.get(title, title)
			for title in names.lines(task.after_tasks)
		]
		task.after_tasks = "\n".join(dict.fromkeys(titles)) or None


def task_problems(workflow, label) -> Iterator[str]:
	"""Yield what is wrong with the order of a workflow's tasks, as sentences that say what to do.

	Args:
		workflow: Milestone Workflow document, tidied.
		label: function that returns the label of a row in messages.
	"""
	if not any(task.after_tasks for task in workflow.tasks):
		return
	by_title: dict[str, list] = {}
	for task in workflow.tasks:
		by_title.setdefault(names.key(task.title), []).append(task)
	try:
		TopologicalSorter(
			{key: _keys_before(tasks) & set(by_title) for key, tasks in by_title.items()}
		).prepare()
	except CycleError as error:
		circle = [escape_html(by_title[key][0].title) for key in error.args[1]]
		yield _("These tasks come after each other in a circle: {0}. Remove one of them.").format(
			" → ".join(circle)
		)
		return
	for task in workflow.tasks:
		for problem in _task_problems(workflow, task, by_title):
			yield f"{label(task)}: {problem}"


def _keys_before(tasks) -> set[str]:
	return {names.key(title) for task in tasks for title in names.lines(task.after_tasks)}


def _task_problems(workflow, task, by_title: dict[str, list]) -> Iterator[str]:
	reachable = _stages_up_to(workflow, task.stage)
	for title in names.lines(task.after_tasks):
		others = by_title.get(names.key(title), [])
		if not others:
			yield _("It comes after {0}, which is no task of this workflow. Choose another one.").format(
				escape_html(title)
			)
			continue
		# It waits for all tasks of that title.
		later = [other for other in others if other.stage not in reachable]
		if later:
			yield _(
				"It comes after {0}, a task of {1}, which does not come before its own milestone. Choose another one."
			).format(escape_html(title), escape_html(cstr(later[0].stage)))


def _stages_up_to(workflow, stage_name: str) -> set[str]:
	"""Return the names of a milestone and of all that come before it."""
	all_names = [stage.stage_name for stage in workflow.stages]
	if stage_name not in all_names:
		return set(all_names)
	position = all_names.index(stage_name)
	return {stage_name, *(all_names[i] for i in network.Network.of(workflow.stages).before(position))}
