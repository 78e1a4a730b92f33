"""Data for the start of the Desk."""

from milestone_automation.engine.store import forecasts
from milestone_automation.engine.tracking import registry


def extend_bootinfo(bootinfo):
	"""Hook: list the DocTypes with a workflow, and the tracked fields by DocType. No query when the cache is warm.

	Forms of other DocTypes never ask for a plan; reports offer the tracked fields, and mark chances that are a risk.

	Args:
		bootinfo: Frappe's, filled in place: `milestone_doctypes`, `milestone_tracked`, and `milestone_at_risk_below` in per
			cent.
	"""
	all_rules = registry.all_rules()
	bootinfo.milestone_doctypes = sorted(
		doctype for doctype, rules in all_rules.items() if rules.has_workflow
	)
	bootinfo.milestone_tracked = {
		doctype: [field.fieldname for field in rules.tracker.fields]
		for doctype, rules in sorted(all_rules.items())
		if rules.tracker
	}
	bootinfo.milestone_at_risk_below = forecasts.at_risk_below()
