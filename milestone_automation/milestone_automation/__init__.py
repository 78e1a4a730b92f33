"""Shim: the Frappe module "Milestone Automation" lives in the app package itself.

Frappe looks for DocTypes at ``<app>/<module>/doctype``; this project keeps them at ``<app>/doctype``. So this
package answers with its parent's path, and Frappe's ``get_module_path`` (which reads ``__file__``) does too.
"""

import os.path

import milestone_automation

if __name__ != "milestone_automation.milestone_automation":
	# With the parent's path, the shim finds itself again as a child: walk_packages would never end.
	raise ImportError(f"{__name__} is the module shim a second time; import milestone_automation instead.")

__path__ = [os.path.dirname(milestone_automation.__file__)]
__file__ = milestone_automation.__file__
