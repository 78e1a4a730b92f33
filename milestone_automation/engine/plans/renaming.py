"""What happens to plans and workflows when a document, a linked document or a DocType is renamed."""

import json
from collections.abc import Callable
from dataclasses import replace

import frappe
from frappe import _

from milestone_automation.engine.base import bulk, follow_ups, guard
from milestone_automation.engine.people import todos, user_texts
from milestone_automation.engine.plans import ending, following
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.vocabulary import PlanStatus, ReachRule
from milestone_automation.engine.store import plan_rows, snapshots, watched
from milestone_automation.engine.tracking import milestones, registry
from milestone_automation.engine.workflows import action_registry

# Plans that one statement reads, so that it stays short on a site with thousands.
BATCH = 500
# Tables with the value that reaches a stage, their parent, and its field with the DocType of the documents.
STAGE_TABLES = (
	("Milestone Workflow Stage", "Milestone Workflow", "document_type"),
	("Milestone Plan Stage", "Milestone Plan", "reference_type"),
)

# Tables with next steps as JSON, which may name a workflow.
STEP_TEXTS = (
	("Milestone Workflow", "completed_actions"),
	("Milestone Workflow Stage", "next_actions"),
	("Milestone Plan", "completed_actions"),
	("Milestone Plan Stage", "next_actions"),
	("Milestone Next Step", "arguments"),
)


def follow(part: str, *about) -> None:
	"""Let one part of what the app keeps follow a rename. A fault is logged, and a job does that part after the commit.

	Without it the document would go on without its plan, and its gate.

	Args:
		part: one of `PARTS`.
		about: arguments of the part's function, plain values.
	"""

	def do_later():
		follow_ups.add("follow a rename", part=part, about=about)

	what = f"Milestones after a rename, {part}: {about[0]}, {about[1]}"
	guard.run_guarded(what, PARTS[part], *about, on_fault=do_later)


def make_good(part: str, about: list, commit: Callable[[], None] | None = None) -> None:
	"""Do a part of a rename that failed. Doing it twice does no harm.

	Args:
		part, about: as in `follow`.
		commit: not called, as a part is done at once.
	"""
	if part not in OF_DOCUMENT:
		PARTS[part](*about)
		return
	doctype, old, new = about[:3]
	# What goes by the old name now may be of the document that has it by now.
	if not _is_there(doctype, old) and _is_there(doctype, new):
		PARTS[part](*about)
	else:
		what = f"Milestones after a rename, {part}: {doctype}, {old}, {new}"
		guard.log_fault(what, "The old name is taken, or the new one is gone. Look at the plans of both.")


def _is_there(doctype: str, name) -> bool:
	"""Tell whether there is a document of just this name: MariaDB finds it by other letters too."""
	return str(frappe.db.get_value(doctype, name, "name")) == str(name)


def is_tracked_value(doctype: str) -> bool:
	"""Tell whether tracked documents link to a DocType. Needs no query when the cache is warm.

	Args:
		doctype: of the documents that may be linked to.
	"""
	return any(
		_link_fields(name, doctype) or _dynamic_fields(name, rules)
		for name, rules in registry.all_rules().items()
	)


def rename_value(doctype: str, old: str, new: str) -> None:
	"""Update what has the name of a renamed document as its value: milestones, stages, the snapshots of plans.

	Frappe updates the Link fields of the documents themselves.

	Args:
		doctype: DocType of the renamed document, for example Workflow State.
		old, new: its names.
	"""
	for name, rules in registry.all_rules().items():
		for field, type_field in _dynamic_fields(name, rules):
			_rename_dynamic_values(name, field, {type_field: doctype, field: new}, old)
		fields = _link_fields(name, doctype)
		if not fields:
			continue
		milestones.rename_values(name, fields, old, new)
		if not rules.has_workflow:
			continue
		for table, parent, type_field in STAGE_TABLES:
			_rename_in_stages(table, parent, type_field, (name, fields), (old, new))
		_rename_in_snapshots(name, fields, old, new)


def _rename_dynamic_values(doctype: str, field: str, renamed: dict, old: str) -> None:
	"""Update what has the name of a renamed document as its value, where another field says of which DocType it is.

	Only documents that link to it now are known to mean it: Frappe has given these its new name already.

	Args:
		doctype, field: the tracked Dynamic Link.
		renamed: values of the documents that link to the renamed one.
		old: its old name.
	"""
	names = frappe.get_all(doctype, filters=renamed, pluck="name", order_by="name")
	for begin in range(0, len(names), BATCH):
		batch = [str(name) for name in names[begin : begin + BATCH]]
		milestones.rename_values(doctype, [field], old, renamed[field], batch)
		_rename_in_snapshots(doctype, [field], old, renamed[field], batch)


def _dynamic_fields(doctype: str, rules: registry.Rules) -> list[tuple[str, str]]:
	"""Return the tracked Dynamic Links of a DocType, each with the field that says to which DocType it links."""
	tracked = {field.fieldname for field in rules.tracker.stored_fields} if rules.tracker else set()
	return [
		(field.fieldname, field.options)
		for field in _fields_of(doctype, "Dynamic Link")
		if field.fieldname in tracked
	]


def _link_fields(doctype: str, target: str) -> list[str]:
	return [field.fieldname for field in _fields_of(doctype, "Link") if field.options == target]


def _fields_of(doctype: str, fieldtype: str) -> list:
	try:
		return frappe.get_meta(doctype).get("fields", {"fieldtype": fieldtype})
	except frappe.DoesNotExistError:
		frappe.clear_last_message()
		return []


def _rename_in_stages(table: str, parent: str, type_field: str, watched: tuple, names: tuple) -> None:
	doctype, fields = watched
	old, new = names
	stage, of = frappe.qb.DocType(table), frappe.qb.DocType(parent)
	query = frappe.qb.from_(stage).join(of).on(of.name == stage.parent).select(stage.name)
	query = query.where((of[type_field] == doctype) & stage.track_field.isin(fields))
	query = query.where(stage.reach_rule == ReachRule.FIELD_VALUE.value)
	columns = ("track_value", "value_before") if table == "Milestone Plan Stage" else ("track_value",)
	for column in columns:
		rows = query.where(stage[column] == old).run(pluck=True)
		bulk.update_rows(table, {name: {column: new} for name in rows})


def _rename_in_snapshots(
	doctype: str, fields: list[str], old: str, new: str, documents: list[str] | None = None
) -> None:
	filters = {} if documents is None else {"reference_name": ("in", documents)}
	filters |= {
		"reference_type": doctype,
		"status": ("!=", PlanStatus.CANCELLED.value),
		"snapshot": ("like", f"%{json.dumps(old)[1:-1]}%"),
	}
	table = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(table).select(table.name, table.snapshot).orderby(table.name)
	names = frappe.get_all("Milestone Plan", filters=filters, pluck="name", order_by="name")
	for begin in range(0, len(names), BATCH):
		changes = {}
		# As they are now: a save since this transaction began may have written more of them.
		for row in plan_rows.run_locked(query.where(table.name.isin(names[begin : begin + BATCH]))):
			snapshot = json.loads(row.snapshot)
			renamed = {field: new for field in fields if snapshot.get(field) == old}
			if renamed:
				changes[row.name] = {"snapshot": json.dumps({**snapshot, **renamed})}
		bulk.update_rows("Milestone Plan", changes)


def rename_doctype(old: str, new: str) -> None:
	"""Update the keys of the plans of a renamed DocType, which contain its name, and exit criteria that ask for it.

	Args:
		old, new: names of the DocType.
	"""
	for table, _parent, _about in STAGE_TABLES:
		_rename_in_criteria(table, old, new)
	filters = {"reference_type": new, "plan_key": ("is", "set")}
	rows = frappe.get_all("Milestone Plan", filters=filters, fields=["name", "reference_name"])
	changes = {row.name: {"plan_key": plan_rows.plan_key(new, row.reference_name)} for row in rows}
	bulk.update_rows("Milestone Plan", changes)


def _rename_in_criteria(table: str, old: str, new: str) -> None:
	"""Let exit criteria ask for the DocType by its new name; what was waived stays waived."""
	columns = ["exit_criteria", *(["waived_criteria"] if table == "Milestone Plan Stage" else [])]
	filters = {"exit_criteria": ("like", f"%{json.dumps(old)[1:-1]}%")}
	changes = {}
	for row in frappe.get_all(table, filters=filters, fields=["name", *columns]):
		before = criteria.parse_or_none(row.exit_criteria) or ()
		if not before:
			continue
		after = [replace(one, doctype=new) if one.doctype == old else one for one in before]
		keys = {one.key: now.key for one, now in zip(before, after, strict=True)}
		waived = criteria.waivers(row.get("waived_criteria"))
		renamed = {keys.get(key, key): waiver for key, waiver in waived.items()}
		changes[row.name] = {"exit_criteria": criteria.dump(after)}
		changes[row.name] |= {"waived_criteria": json.dumps(renamed)} if waived else {}
	bulk.update_rows(table, changes)


def rename_workflow(old: str, new: str) -> None:
	"""Let next steps that start a plan name its workflow as it is called now.

	Args:
		old, new: names of the workflow.
	"""
	for table, column in STEP_TEXTS:
		rows = frappe.get_all(table, {column: ("like", '%"workflow"%')}, ["name", column])
		texts = {row.name: _with_workflow(row[column], old, new) for row in rows}
		bulk.update_rows(table, {name: {column: text} for name, text in texts.items() if text})


def _with_workflow(text: str, old: str, new: str) -> str | None:
	"""Return a next step or a list of some, as JSON, with the new name of a workflow; None where none has the old one."""
	try:
		steps = json.loads(text)
	except ValueError:
		return None
	naming = [
		step
		for step in (steps if isinstance(steps, list) else [steps])
		if isinstance(step, dict)
		and step.get("workflow") == old
		and step.get("action") in action_registry.OWN
	]
	for step in naming:
		step["workflow"] = new
	return json.dumps(steps) if naming else None


def rename_document(doctype: str, old, new, merge: bool = False) -> None:
	"""Update the plan of a renamed document and everything that belongs to it.

	If two documents are merged, the plan of the remaining one goes on and the other one is cancelled.

	Args:
		doctype: DocType of the document.
		old, new: its names.
		merge: whether it was merged into an existing document.

	Raises:
		ConflictError: somebody else is changing a plan that is cancelled, as its document was merged into another one.
	"""
	_move_references(doctype, old, new)
	moved_plans, has_plan = _plans_of(doctype, new, merge)
	key = plan_rows.plan_key(doctype, new)
	for plan in moved_plans:
		if has_plan:
			ending.cancel(
				plan_rows.load_by_name(plan.name, lock=True), _("{0} was merged into {1}.").format(old, new)
			)
		values = {"plan_key": None if has_plan else key, "title": f"{new}: {plan.workflow}"[:140]}
		if merge and not has_plan:
			values |= _as_now(plan, frappe.get_doc(doctype, new))
		bulk.update_rows("Milestone Plan", {plan.name: values})
		_rename_in_todos(plan.name)
	_rename_in_earlier_plans(doctype, new)
	following.settle_renamed(doctype, old, new)


def _rename_in_earlier_plans(doctype: str, new) -> None:
	"""Give plans whose place another one has taken, and which have no key, the new name of their document."""
	filters = {"reference_type": doctype, "reference_name": str(new), "plan_key": ("is", "not set")}
	for plan in frappe.get_all("Milestone Plan", filters, ["name", "workflow", "title"]):
		title = f"{new}: {plan.workflow}"[:140]
		if plan.title != title:
			bulk.update_rows("Milestone Plan", {plan.name: {"title": title}})
			_rename_in_todos(plan.name)


def _rename_in_todos(plan: str) -> None:
	todos.update_open([task.name for task in plan_rows.task_rows(plan)], text=True)


def _plans_of(doctype: str, new, merge: bool) -> tuple[list, bool]:
	"""Return the plans that still have the key of the old name, and whether the document has one by its new name."""
	key = plan_rows.plan_key(doctype, new)
	plans = frappe.get_all(
		"Milestone Plan",
		filters={"reference_type": doctype, "reference_name": str(new), "plan_key": ("is", "set")},
		fields=["name", "workflow", "plan_key", "snapshot"],
	)
	moved_plans = [plan for plan in plans if plan.plan_key != key]
	by_new_name = [plan for plan in plans if plan.plan_key == key]
	if moved_plans and by_new_name and not merge:
		# The rest of the rename is done later, and a save in between has started a plan of its own.
		_give_way(by_new_name[0].name, new)
		by_new_name = []
	return moved_plans, bool(by_new_name)


def _give_way(plan: str, document) -> None:
	"""End the plan that a document got because the one it had before was not found by its new name."""
	row = plan_rows.load_by_name(plan, lock=True)
	ending.cancel(row, _("{0} was renamed. Its earlier plan continues.").format(document))
	watched.release(plan, row.reference_type, row.reference_name)


def _as_now(plan, doc) -> dict:
	"""Return what a plan remembers of the document it gets by a merge, whose present values are not changes."""
	snapshot = snapshots.take(doc, json.loads(plan.snapshot or "{}"))
	return {"snapshot": json.dumps(snapshot), "document_created_on": doc.creation}


def _move_references(doctype: str, old, new) -> None:
	"""Update the rows about a renamed document.

	Frappe does so too, but with a map of links that it caches for a request and that may be older than the plan.
	"""
	for name in ("Milestone Plan", *ending.PARTS):
		table = frappe.qb.DocType(name)
		is_about = (table.reference_type == doctype) & (table.reference_name == str(old))
		frappe.qb.update(table).set(table.reference_name, str(new)).where(is_about).run()


# What follows a rename, each whole by itself; and which of it goes by the old name of a document.
PARTS: dict[str, Callable[..., None]] = {
	"values": rename_value,
	"users": user_texts.rename,
	"milestones": milestones.rename_reference,
	"plan": rename_document,
	"plans of a DocType": rename_doctype,
	"steps that name a workflow": rename_workflow,
}
OF_DOCUMENT = ("milestones", "plan")
