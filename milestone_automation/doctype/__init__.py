"""DocTypes of the module Milestone Automation.

They are imported as ``milestone_automation.milestone_automation.doctype`` (Frappe's rule for modules); the shorter
second name would make two classes of every controller, so it is refused.
"""

if __name__ != "milestone_automation.milestone_automation.doctype":
	raise ImportError(
		f"Import DocTypes as milestone_automation.milestone_automation.doctype, not as {__name__}:"
		" a second name would make a second class of every controller."
	)
