"""Data for the start of the Desk."""

from milestone_automation.engine.tracking import registry


def extend_bootinfo(bootinfo):
	"""Hook: list the DocTypes with a workflow, so that other forms never ask for a plan. No query when the cache is warm."""
	bootinfo.milestone_doctypes = sorted(
		doctype for doctype, rules in registry.all_rules().items() if rules.has_workflow
	)
