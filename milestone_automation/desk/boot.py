"""What the Desk learns when it starts."""

from milestone_automation.engine.tracking import registry


def extend_bootinfo(bootinfo):
	"""Name the DocTypes that have a workflow, and the fields of those that are tracked. Costs no SQL when warm.

	On a DocType without a workflow a form never asks for a plan; reports offer the tracked ones.
	"""
	rules = registry.all_rules()
	bootinfo.milestone_doctypes = sorted(doctype for doctype, own in rules.items() if own.has_workflow)
	bootinfo.milestone_tracked = {
		doctype: [field.fieldname for field in own.tracker.fields]
		for doctype, own in sorted(rules.items())
		if own.tracker
	}
