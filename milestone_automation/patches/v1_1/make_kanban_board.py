"""Sites from before get the Kanban board of tasks too."""

from milestone_automation.desk import kanban


def execute():
	"""Create the board."""
	kanban.make()
