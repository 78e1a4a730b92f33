"""Frappe assignments of tasks."""


def assign(task_names: list[str]) -> None:
	"""Assign tasks to their system users."""


def close(task: str, user: str | None = None) -> None:
	"""Close the assignments of a task."""


def reopen(task: str) -> None:
	"""Open the assignments of a task again."""


def cancel(task: str) -> None:
	"""Cancel the assignments of a task."""
