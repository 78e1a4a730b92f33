"""Which DocTypes have no plans and are changed by no next step, each with the reason.

They decide who may do what, hold accounts or keys, are code, or make up the site itself: whoever may write a workflow must
not act on them through it. Recording them stays with System Managers, as in Frappe itself.
"""

import frappe
from frappe import _

NAMED = {
	"rights": (
		"Role", "Role Profile", "Custom Role", "User Permission", "User Type", "User Group", "DocShare",
		"Document Share Key", "Custom DocPerm", "Permission Type", "Module Profile", "Domain", "Assignment Rule",
		"Authorization Rule", "Energy Point Rule",
	),
	"accounts": (
		"User", "User Invitation", "OAuth Client", "OAuth Bearer Token", "OAuth Authorization Code",
		"Social Login Key", "Connected App", "Token Cache", "Google Calendar", "Google Contacts", "Email Account",
		"Email Domain",
	),
	"code": (
		"Server Script", "Client Script", "Scheduled Job Type", "Scheduler Event", "Report", "Print Format",
		"Print Format Field Template", "Print Style", "Web Form", "Web Page", "Web Template", "Website Theme",
		"Custom HTML Block", "Page", "Package", "Package Import", "Package Release", "Module Def", "Address Template",
		"Email Template", "Dashboard Chart Source", "Workflow Transition Tasks", "Transaction Log",
	),
	"structure": (
		"DocType", "Custom Field", "Property Setter", "DocType Layout", "Document Naming Rule", "Workflow",
		"Workflow State", "Workflow Action", "Workflow Action Master", "Workspace", "Dashboard", "Dashboard Chart",
		"Number Card", "Kanban Board", "Desktop Icon", "Accounting Dimension", "Inventory Dimension",
	),
	"outlets": (
		"Webhook", "Notification", "Auto Email Report", "Email Queue", "Email Group", "Slack Webhook URL",
		"Integration Request", "Data Import", "Bank Statement Import", "Auto Repeat", "Document Follow",
	),
	"files": ("File", "Prepared Report"),
	"records": (
		"Activity Log", "Access Log", "Version", "Deleted Document", "Error Log", "Comment", "Communication",
		"Scheduled Job Log", "Patch Log", "Permission Log", "API Request Log", "Webhook Request Log",
		"Data Import Log", "Personal Data Deletion Request", "Personal Data Download Request",
	),
}  # fmt: skip
REASON_OF = {doctype: reason for reason, doctypes in NAMED.items() for doctype in doctypes}

OWN_MODULE = "Milestone Automation"
FRAMEWORK = "frappe"
# What of Frappe's own DocTypes is work that people do; all others, those of later versions too, are the site itself.
WORK = frozenset(
	{
		"Address", "Blog Post", "Contact", "Event", "Help Article", "Marketing Campaign", "Newsletter", "Note", "ToDo",
		"UTM Campaign",
	}
)  # fmt: skip

# Rows of such tables grant something to somebody, whichever app's DocType has them.
GRANTING_ROWS = frozenset({"Has Role", "DocPerm", "Custom DocPerm", "Block Module", "User Permission"})
CODE = frozenset(("Code", language) for language in ("Python", "JavaScript", "Javascript", "JS"))


def _reasons() -> dict[str, str]:
	"""Return the sentences by the words above; {0} is the DocType."""
	return {
		"rights": _("{0} decides who may do what."),
		"accounts": _("{0} contains accounts, passwords or keys."),
		"code": _("{0} is code, or decides which code runs."),
		"structure": _("{0} decides how documents are built and shown."),
		"outlets": _("{0} sends data out of the site or brings it in."),
		"files": _("{0} decides who gets a file."),
		"records": _("{0} is a record the site keeps itself."),
		"settings": _("{0} is a setting of the site."),
		"own": _("{0} belongs to Milestone Automation itself."),
		"frame": _("{0} is a part of the site itself."),
	}


def why(doctype: str) -> str | None:
	"""Return why a DocType has no plans and next steps do not change its documents; None if it may have them.

	Args:
		doctype: an existing DocType.

	Returns:
		str | None: a sentence with the reason and one with what follows from it.

	Raises:
		frappe.DoesNotExistError: there is no such DocType.
	"""
	meta = frappe.get_meta(doctype)
	reason = _reason(meta)
	if not reason:
		return None
	consequence = _("Its documents cannot have plans, and next steps cannot change them.")
	return f"{_reasons()[reason].format(_(meta.name))} {consequence}"


def is_protected(doctype: str) -> bool:
	"""Tell whether documents of a DocType have no plans. Of one that is gone nothing has to be protected.

	Args:
		doctype: DocType; may be gone.
	"""
	try:
		return bool(_reason(frappe.get_meta(doctype)))
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return False


def _reason(meta) -> str | None:
	if meta.issingle:
		return "settings"
	if meta.module == OWN_MODULE or meta.name == "Milestone":
		return "own"
	return REASON_OF.get(meta.name) or _reason_by_build(meta)


def _reason_by_build(meta) -> str | None:
	"""Find a reason in how a DocType is built; what a site adds to it in custom fields does not count."""
	if meta.custom:
		return None
	app = (frappe.local.module_app or {}).get(frappe.scrub(meta.module or ""))
	if app == FRAMEWORK:
		return None if meta.name in WORK else "frame"
	return _reason_by_fields(meta)


def _reason_by_fields(meta) -> str | None:
	if any(field.options in GRANTING_ROWS for field in meta.get_table_fields()):
		return "rights"
	types = {
		(field.fieldtype, field.options if field.fieldtype == "Code" else None)
		for field in meta.fields
		if not field.get("is_custom_field")
	}
	if ("Password", None) in types:
		return "accounts"
	return "code" if types & CODE else None
