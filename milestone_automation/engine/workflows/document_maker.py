"""Next steps that make a document from another one, and those that start the plan of another document."""

from collections.abc import Iterator

import frappe
from frappe import _
from frappe.model import table_fields
from frappe.utils import cint, cstr, escape_html

from milestone_automation.engine.people import field_rights, rights
from milestone_automation.engine.tracking import protected
from milestone_automation.engine.workflows import field_mapping, step_rights

# What starts plans is a floor above.
START_PLAN = "milestone_automation.engine.plans.starting.start"
MOST_TABLES = 10


# Create Document


def create(
	doc,
	plan,
	stage,
	document_type: str,
	fields: list[dict],
	tables: list[dict] | None = None,
	submit: int = 0,
	workflow: str | None = None,
) -> str:
	"""Make a document from this one, with rows, as the session user could, and say so on this one.

	Args:
		doc, plan, stage: as for every action.
		document_type: of the new document.
		fields: its fields, see `field_mapping`.
		tables: rows of its tables: objects with `table`, `fields`, and `each`, the table of this document for each of whose
			rows there is one; without it there is one.
		submit: 1 to submit it.
		workflow: name of the Milestone Workflow whose plan it gets; by default the one that matches, if any.

	Returns:
		str: what a dry run says of it.

	Raises:
		frappe.ValidationError: the new document was refused, or it has got the plan of another workflow.
		frappe.PermissionError: the session user may not create, submit or, for a plan, write it.
		Exception: what a formula raises, `BudgetExceeded` too.
	"""
	new = frappe.new_doc(document_type)
	new.update(field_mapping.values(fields, doc))
	for table in tables or []:
		for row in doc.get(table["each"]) if table.get("each") else [None]:
			new.append(table["table"], field_mapping.values(table["fields"], doc, row))
	new.insert()
	if cint(submit):
		new.submit()
	if workflow:
		new.check_permission("write")
		_start_plan(new, workflow)
	text = _("Next step of {0}: {1} {2} was created.").format(stage.stage_name, _(new.doctype), new.name)
	doc.add_comment("Info", escape_html(text))
	rows = sum(len(new.get(field.fieldname)) for field in new.meta.get_table_fields())
	if rows:
		return _("A new {0} with {1} rows would be created.").format(_(new.doctype), rows)
	return _("A new {0} would be created.").format(_(new.doctype))


def _start_plan(new, workflow: str) -> None:
	plan = frappe.get_attr(START_PLAN)(new, workflow)
	started = frappe.db.get_value("Milestone Plan", plan, "workflow")
	if started != workflow:
		frappe.throw(
			_("{0} {1} has got a plan of {2}, whose conditions it meets, and not of {3}.").format(
				_(new.doctype), new.name, started, workflow
			)
		)


def problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from making such a document, as sentences.

	Args:
		arguments: of the step, named as for `create`, each of any type.
		doctype: of the documents that the step is for, from which values are copied.
	"""
	target = arguments["document_type"]
	fault = target_problem(target)
	if fault:
		yield fault
		return
	if cint(arguments.get("submit")):
		yield from step_rights.submit_problems(target)
	yield from field_mapping.problems(arguments["fields"], field_mapping.Place(target, None, doctype))
	yield from _table_problems(arguments.get("tables") or [], target, doctype)
	if arguments.get("workflow"):
		yield from workflow_problems(arguments["workflow"], target)


def target_problem(target) -> str | None:
	"""Return why the session user's next steps make no documents of a DocType, as a sentence; None if they do.

	Args:
		target: name of a DocType, or whatever a step says instead of one.
	"""
	meta = rights.stored_meta(target) if isinstance(target, str) else None
	if not meta or not frappe.has_permission(target, "create"):
		return _(
			"You may not create documents of {0}, or there are none. Choose another document type."
		).format(escape_html(cstr(target)))
	if meta.istable or meta.get("is_virtual"):
		return _("{0} has no documents of its own. Choose another document type.").format(_(target))
	return protected.why(target)


def _table_problems(tables, target: str, doctype: str) -> Iterator[str]:
	if not isinstance(tables, list) or len(tables) > MOST_TABLES or not all(_is_table(one) for one in tables):
		yield _("The rows of a new document are a list of objects such as {0}.").format(
			escape_html('{"table": "items", "each": "items", "fields": [{"field": "qty", "from": "qty"}]}')
		)
		return
	for table in tables:
		row, source = _table(target, table["table"]), _table(doctype, table.get("each"))
		if not row or (table.get("each") and not source):
			missing = (target, table["table"]) if not row else (doctype, table["each"])
			yield _("{0} has no table {1}. Choose one of its tables.").format(
				_(missing[0]), escape_html(missing[1])
			)
			continue
		place = field_mapping.Place(row, target, doctype, source)
		yield from field_mapping.problems(table["fields"], place)


def _is_table(table) -> bool:
	if not isinstance(table, dict) or not isinstance(table.get("table"), str):
		return False
	return (
		isinstance(table.get("each") or "", str)
		and table.keys() <= {"table", "each", "fields"}
		and bool(table.get("fields"))
	)


def _table(doctype: str, fieldname: str | None) -> str | None:
	"""Return the DocType of the rows of a table; None if there is no such table."""
	field = fieldname and frappe.get_meta(doctype).get_field(fieldname)
	return field.options if field and field.fieldtype in table_fields else None


# Plans


def workflow_problems(workflow, doctype: str) -> Iterator[str]:
	"""Yield why documents of a DocType cannot get the plan of a workflow.

	Args:
		workflow: name of a Milestone Workflow.
		doctype: of the documents.
	"""
	filters = {"name": cstr(workflow), "document_type": doctype, "enabled": 1}
	if not isinstance(workflow, str) or not frappe.db.exists("Milestone Workflow", filters):
		yield _("{0} is no enabled workflow for {1}. Choose one.").format(
			escape_html(cstr(workflow)), _(doctype)
		)


def plan_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from starting the plan of the document that a field links to, as sentences.

	Args:
		arguments: `link_field`, and maybe `workflow`, the name of the workflow of that plan; each of any type.
		doctype: of the documents that have the field.
	"""
	fieldname = arguments["link_field"]
	field = frappe.get_meta(doctype).get_field(fieldname) if isinstance(fieldname, str) else None
	if not field or field.fieldtype != "Link":
		yield _("{0} has no field {1} that links to another document. Choose one that does.").format(
			_(doctype), escape_html(cstr(fieldname))
		)
		return
	yield from field_rights.problems_of_reading(doctype, {fieldname}, set())
	reason = protected.why(field.options)
	faults = [reason] if reason else [*step_rights.write_problems(field.options)]
	yield from faults
	if not faults and arguments.get("workflow"):
		yield from workflow_problems(arguments["workflow"], field.options)


def next_plan_problems(arguments: dict, doctype: str) -> Iterator[str]:
	"""Yield what keeps the session user from starting the next plan of the same document, as sentences.

	Args:
		arguments: `workflow`, the name of the workflow of that plan, of any type.
		doctype: of the documents.
	"""
	yield from step_rights.write_problems(doctype)
	yield from workflow_problems(arguments["workflow"], doctype)
