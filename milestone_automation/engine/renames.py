"""Names that plans and workflows have written down follow when they change: values of Link fields, DocTypes."""

import json

import frappe

from milestone_automation.engine import bulk, plans, rules
from milestone_automation.engine.vocabulary import PlanStatus, ReachRule

# Where the value that reaches a stage is written down, with the column that names the DocType it is a value of.
STAGE_TABLES = (
	("Milestone Workflow Stage", "Milestone Workflow", "document_type"),
	("Milestone Plan Stage", "Milestone Plan", "reference_type"),
)


def is_tracked_value(doctype: str) -> bool:
	"""Tell whether documents with a workflow link to this DocType. No SQL with a warm cache."""
	return any(own.has_workflow and _link_fields(name, doctype) for name, own in rules.all_rules().items())


def follow_value(doctype: str, old: str, new: str) -> None:
	"""Let stages that wait for a document by its name wait for its new one; Frappe has renamed it in the documents.

	Args:
		doctype: of the renamed document, for example Workflow State.
		old, new: its names.
	"""
	for name, own in rules.all_rules().items():
		fields = _link_fields(name, doctype) if own.has_workflow else []
		if not fields:
			continue
		for table, parent, about in STAGE_TABLES:
			_rename_in_stages(table, parent, about, (name, fields), (old, new))
		_rename_in_snapshots(name, fields, old, new)


def _link_fields(doctype: str, target: str) -> list[str]:
	try:
		meta = frappe.get_meta(doctype)
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return []
	return [field.fieldname for field in meta.get_link_fields() if field.options == target]


def _rename_in_stages(table: str, parent: str, about: str, watched: tuple, names: tuple) -> None:
	doctype, fields = watched
	old, new = names
	stage, of = frappe.qb.DocType(table), frappe.qb.DocType(parent)
	query = frappe.qb.from_(stage).join(of).on(of.name == stage.parent).select(stage.name)
	query = query.where((of[about] == doctype) & stage.track_field.isin(fields))
	query = query.where(stage.reach_rule == ReachRule.FIELD_VALUE.value)
	columns = ("track_value", "value_before") if table == "Milestone Plan Stage" else ("track_value",)
	for column in columns:
		found = query.where(stage[column] == old).run(pluck=True)
		bulk.update_rows(table, {name: {column: new} for name in found})


def _rename_in_snapshots(doctype: str, fields: list[str], old: str, new: str) -> None:
	filters = {
		"reference_type": doctype,
		"status": ("!=", PlanStatus.CANCELLED.value),
		"snapshot": ("like", f"%{json.dumps(old)[1:-1]}%"),
	}
	changes = {}
	for row in frappe.get_all("Milestone Plan", filters=filters, fields=["name", "snapshot"]):
		known = json.loads(row.snapshot)
		renamed = {field: new for field in fields if known.get(field) == old}
		if renamed:
			changes[row.name] = {"snapshot": json.dumps({**known, **renamed})}
	bulk.update_rows("Milestone Plan", changes)


def follow_doctype(new: str) -> None:
	"""Key the plans of a renamed DocType anew: a plan is found by the DocType's name and the document's."""
	filters = {"reference_type": new, "plan_key": ("is", "set")}
	rows = frappe.get_all("Milestone Plan", filters=filters, fields=["name", "reference_name"])
	changes = {row.name: {"plan_key": plans.plan_key(new, row.reference_name)} for row in rows}
	bulk.update_rows("Milestone Plan", changes)
