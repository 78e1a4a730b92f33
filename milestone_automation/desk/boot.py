"""What the Desk learns when it starts."""

from milestone_automation.engine.tracking import registry


def extend_bootinfo(bootinfo):
	"""Name the DocTypes that have a workflow: on all others a form never asks for a plan. Costs no SQL when warm."""
	bootinfo.milestone_doctypes = sorted(
		doctype for doctype, own in registry.all_rules().items() if own.has_workflow
	)
