"""Sites from before get the weekly summary too, ready to be switched on."""

from milestone_automation.desk import weekly_mail


def execute():
	"""Create the disabled Auto Email Report."""
	weekly_mail.make()
