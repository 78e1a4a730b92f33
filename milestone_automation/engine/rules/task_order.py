"""Tasks that come after other tasks of their plan: pure rules, no site needed.

A task that comes after open ones *waits*: it cannot be completed, and nobody is reminded of it, until they are closed.
"""

from collections.abc import Iterable


def titles(task) -> list[str]:
	"""Return the titles of the tasks that one comes after, each once, in its order.

	Args:
		task: row of a task, of a plan or a workflow.
	"""
	lines = (line.strip() for line in str(task.get("after_tasks") or "").splitlines())
	return list(dict.fromkeys(line for line in lines if line))


def waits_for(task, open_tasks: Iterable) -> list:
	"""Return the open tasks that must be closed before another one of their plan can be.

	Args:
		task: row of the task.
		open_tasks: the open tasks of its plan.
	"""
	keys = {title.casefold() for title in titles(task)}
	if not keys:
		return []
	return [
		other
		for other in open_tasks
		if other.get("name") != task.get("name") and str(other.get("title") or "").strip().casefold() in keys
	]
