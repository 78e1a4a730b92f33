"""Tasks that come after other tasks of their plan: pure rules, no site needed.

A task that comes after open ones *waits*: it cannot be completed, and nobody is reminded of it, until they are closed.
"""

from collections import defaultdict
from collections.abc import Iterable

from milestone_automation.engine.rules import names


def waits_for(task, open_tasks: Iterable) -> list:
	"""Return the open tasks that must be closed before another one of their plan can be.

	Args:
		task: row of the task.
		open_tasks: the open tasks of its plan.
	"""
	return waiting([task], open_tasks).get(task.get("name"), [])


def waiting(tasks: Iterable, open_tasks: Iterable) -> dict[str, list]:
	"""Return which open tasks each of some tasks waits for, by name of the task; those that wait for none are left out.

	Args:
		tasks: rows of tasks of one plan.
		open_tasks: the open tasks of the plan.
	"""
	after = {task.get("name"): names.lines(task.get("after_tasks")) for task in tasks}
	if not any(after.values()):
		return {}
	by_title = defaultdict(list)
	for task in open_tasks:
		by_title[names.key(task.get("title"))].append(task)
	others_by_task = {
		name: [other for title in titles for other in by_title[names.key(title)] if other.get("name") != name]
		for name, titles in after.items()
	}
	return {name: others for name, others in others_by_task.items() if others}
