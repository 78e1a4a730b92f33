"""`bench --site SITE milestones ...`: what an administrator does from a terminal."""

import click

from milestone_automation.commands import history, plans


@click.group("milestones")
def milestones():
	"""Milestone Automation: plans and what is due, history in and out, and a doctor."""


for command in (*history.COMMANDS, *plans.COMMANDS):
	milestones.add_command(command)

commands = [milestones]
