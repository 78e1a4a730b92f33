"""A workflow at work on one document: making the plan, keeping it in step with the document, ending it.

Who changes a plan or one of its tasks locks the plan's rows first (`load(..., lock=True)`) and writes to them; so two
people who act at once are put in order, and who comes second sees what the first one did.
"""

import hashlib
import json

import frappe
from frappe import _
from frappe.model import data_fieldtypes
from frappe.utils import cint, getdate, now_datetime, nowdate

from milestone_automation.engine import (
	bulk,
	calendars,
	guard,
	health,
	matching,
	plan_builder,
	plan_log,
	sweep,
)
from milestone_automation.engine.vocabulary import GateMode, PlanStatus, ReachRule, StageStatus, TaskStatus

# Columns read of every plan; a stage is read whole.
PLAN_COLUMNS = (
	"name",
	"reference_type",
	"reference_name",
	"workflow",
	"workflow_version",
	"status",
	"health",
	"current_stage",
	"next_date",
	"next_check",
	"strict_order",
	"later_stages",
	"escalation_role",
	"escalate_after_days",
	"team_role",
	"team_group",
	"supplier_field",
	"created_from",
	"snapshot",
	"owner",
	"creation",
)


# What the snapshot of a plan says that ended with its document.
CANCELLED_DOCUMENT = "2"
# Columns of a plan that `refresh` and the sweep work out from its stages and the day.
SUMS = ("health", "current_stage", "next_date", "next_check")


class Plan(frappe._dict):
	"""A plan's row with `stages`, its rows in order. `changes` collects what is to be written."""

	def stage(self, stage: str) -> frappe._dict:
		"""Return one stage, by row name or by its name.

		Raises:
			frappe.DoesNotExistError: names the stages there are.
		"""
		found = [row for row in self.stages if row.name == stage]
		found += [row for row in self.stages if row.stage_name == stage]
		if not found:
			frappe.throw(
				_("This plan has no milestone {0}. It has: {1}.").format(
					stage, ", ".join(row.stage_name for row in self.stages)
				),
				frappe.DoesNotExistError,
			)
		return found[0]

	def set_stage(self, stage: frappe._dict, **values) -> None:
		"""Change a stage here and, with `write`, in the database. Values it has already are left out."""
		changed = {k: v for k, v in values.items() if stage.get(k) != v}
		stage.update(changed)
		self.stage_changes.setdefault(stage.name, {}).update(changed)

	def set_plan(self, **values) -> None:
		"""Change the plan here and, with `write`, in the database. Values it has already are left out."""
		changed = {k: v for k, v in values.items() if self.get(k) != v}
		self.update(changed)
		self.plan_changes.update(changed)

	def write(self) -> None:
		"""Write what was changed: stages of the same new values in one statement, the plan in one."""
		changes = {name: values for name, values in self.stage_changes.items() if values}
		bulk.update_rows("Milestone Plan Stage", changes)
		if self.plan_changes or changes:
			# The plan's row is written on every change: that is what two people who act at once collide on.
			values = {**self.plan_changes, "modified": now_datetime(), "modified_by": frappe.session.user}
			bulk.update_rows("Milestone Plan", {self.name: values})
			self.writes = _count_write(self.name)
		self.stage_changes, self.plan_changes = {}, {}

	def is_reached(self) -> list[bool]:
		return [stage.status == StageStatus.REACHED for stage in self.stages]

	def reference_doc(self):
		"""Return the document this plan is for (read once)."""
		if not self.get("_reference_doc"):
			self._reference_doc = frappe.get_doc(self.reference_type, self.reference_name)
		return self._reference_doc

	def check_is_active(self) -> None:
		"""Raise a ValidationError unless the plan runs."""
		if self.status == PlanStatus.CANCELLED:
			frappe.throw(
				_("The plan of {0} {1} is cancelled. Start it again to go on.").format(
					_(self.reference_type), self.reference_name
				)
			)


def _count_write(plan: str) -> int:
	"""Count the writes to a plan by this process, so that a plan in memory can tell whether it is the newest."""
	counts = _writes()
	counts[plan] = counts.get(plan, 0) + 1
	return counts[plan]


def _writes() -> dict[str, int]:
	if not hasattr(frappe.local, "milestone_plan_writes"):
		frappe.local.milestone_plan_writes = {}
	return frappe.local.milestone_plan_writes


def plan_key(doctype: str, name) -> str:
	"""Return the unique key that lets a document have one plan."""
	return hashlib.sha1(f"{doctype}\0{name}".encode(), usedforsecurity=False).hexdigest()


def load(doctype: str, name, lock: bool = False) -> Plan | None:
	"""Return a document's plan with its stages, in one query; None without a plan.

	Args:
		lock: hold the rows until the transaction ends, and read what is committed now.
	"""
	return _load("plan_key", plan_key(doctype, name), lock)


def load_by_name(plan: str, lock: bool = False) -> Plan:
	"""Return a plan by its name, as `load`.

	Raises:
		frappe.DoesNotExistError
	"""
	found = _load("name", plan, lock)
	if not found:
		frappe.throw(_("There is no milestone plan {0}.").format(plan), frappe.DoesNotExistError)
	return found


def lock(plan: str) -> None:
	"""Hold a plan's row until the transaction ends; nothing happens where there is no such plan."""
	if frappe.db.db_type != "sqlite":
		with guard.conflicts_told():
			frappe.db.get_value("Milestone Plan", plan, "name", for_update=True)


def run_locked(query) -> list[frappe._dict]:
	"""Run a query that holds what it reads, as it is committed now, until the transaction ends.

	Raises:
		ConflictError: somebody else is at the same rows.
	"""
	if frappe.db.db_type != "sqlite":
		# SQLite has one writer at a time anyway.
		query = query.for_update()
	with guard.conflicts_told():
		return query.run(as_dict=True)


def _load(column: str, value: str, lock: bool) -> Plan | None:
	plan, stage = frappe.qb.DocType("Milestone Plan"), frappe.qb.DocType("Milestone Plan Stage")
	query = (
		frappe.qb.from_(plan)
		.join(stage)
		.on(stage.parent == plan.name)
		.select(stage.star, *(plan[name].as_(f"plan__{name}") for name in PLAN_COLUMNS))
		.where(plan[column] == value)
		.orderby(stage.idx)
	)
	rows = run_locked(query) if lock else query.run(as_dict=True)
	if not rows:
		return None
	found = Plan({name: rows[0][f"plan__{name}"] for name in PLAN_COLUMNS})
	found.stages = [
		frappe._dict({k: v for k, v in row.items() if not k.startswith("plan__")}) for row in rows
	]
	found.stage_changes, found.plan_changes = {}, {}
	found.writes = _writes().get(found.name, 0)
	return found


# Making


def start(doc, workflow: str | None = None, by_hand: bool = False) -> str:
	"""Give a document its plan.

	Args:
		doc: the document.
		workflow: name of the workflow; the one that matches by default.
		by_hand: somebody asks for it, so a cancelled plan may be replaced.

	Returns:
		str: name of the plan; of the one there is, if the document has one already.

	Raises:
		frappe.ValidationError: no workflow matches, it is for another DocType or disabled, the document is cancelled.
	"""
	forget_loaded(doc, is_same_save=True)
	there = load(doc.doctype, doc.name, lock=True)
	if there and not (by_hand and there.status == PlanStatus.CANCELLED):
		return there.name
	workflow = workflow or matching.find(doc)
	check_can_start(doc, workflow)
	return _insert(doc, workflow)


def make_room(doctype: str, name) -> bool:
	"""Let a document have another plan: a cancelled one no longer is the document's.

	Returns:
		bool: False if the document has a plan that is not cancelled.
	"""
	filters = {"plan_key": plan_key(doctype, name)}
	there = frappe.db.get_value("Milestone Plan", filters, ["name", "status"], as_dict=True)
	if not there:
		return True
	if there.status != PlanStatus.CANCELLED:
		return False
	bulk.update_rows("Milestone Plan", {there.name: {"plan_key": None}})
	return True


def check_can_start(doc, workflow: str | None) -> None:
	"""Refuse a plan that a document does not get.

	Args:
		doc: the document.
		workflow: name of the workflow, None where none matches.

	Raises:
		frappe.ValidationError: says what to do.
	"""
	if not workflow:
		frappe.throw(
			_("No enabled Milestone Workflow matches {0} {1}. Enable one, or choose one by hand.").format(
				_(doc.doctype), doc.name
			)
		)
	template = frappe.get_cached_doc("Milestone Workflow", workflow)
	check_is_for(template, doc)
	if not template.enabled:
		frappe.throw(_("The workflow {0} is not enabled. Enable it first.").format(workflow))
	if not template.stages:
		frappe.throw(_("The workflow {0} has no milestones. Add the first one.").format(workflow))
	if cint(doc.docstatus) == 2:
		frappe.throw(_("{0} {1} is cancelled, so it gets no plan.").format(_(doc.doctype), doc.name))


def check_is_for(workflow, doc) -> None:
	"""Refuse a workflow document that is for another DocType than the document's.

	Raises:
		frappe.ValidationError
	"""
	if workflow.document_type != doc.doctype:
		frappe.throw(
			_("The workflow {0} is for {1}, not for {2}.").format(
				workflow.name, _(workflow.document_type), _(doc.doctype)
			)
		)


def _insert(doc, workflow: str) -> str:
	save_point = f"milestone_{frappe.generate_hash(length=10)}"
	frappe.db.savepoint(save_point)
	plan = frappe.get_doc(
		{
			"doctype": "Milestone Plan",
			"reference_type": doc.doctype,
			"reference_name": doc.name,
			"workflow": workflow,
		}
	)
	plan.flags.reference_doc = doc
	plan.flags.ignore_links = True  # what it links to was read a moment ago, each row of it from its workflow
	try:
		plan.insert(ignore_permissions=True)  # who may save the document lets the workflow plan it
	except Exception as error:
		if not _is_taken(error):
			raise
		# Somebody else was faster: theirs is the plan.
		frappe.db.rollback(save_point=save_point)
		there = load(doc.doctype, doc.name, lock=True)
		if not there:
			raise
		return there.name
	frappe.db.release_savepoint(save_point)
	return plan.name


def _is_taken(error: Exception) -> bool:
	"""Tell whether a plan was refused because the document has one. Frappe passes on what SQLite says as it is."""
	if isinstance(error, (frappe.UniqueValidationError, frappe.DuplicateEntryError)):
		return True
	return type(error).__name__ == "IntegrityError" and "plan_key" in str(error)


def fill(plan_doc) -> None:
	"""Give a new Milestone Plan document all that its workflow says. Called before it is inserted."""
	doc = plan_doc.flags.reference_doc or frappe.get_doc(plan_doc.reference_type, plan_doc.reference_name)
	workflow = frappe.get_cached_doc("Milestone Workflow", plan_doc.workflow)
	draft = plan_builder.build(workflow, doc)
	tasks = [task for stage in draft.stages for task in stage["tasks"]]
	snapshot = plan_builder.snapshot(doc, plan_builder.watched_fields(draft.stages, tasks, draft.plan))
	plan_doc.update(
		{
			**draft.plan,
			"workflow_version": draft.version,
			"title": f"{doc.name}: {workflow.name}"[:140],
			"plan_key": plan_key(doc.doctype, doc.name),
			"snapshot": json.dumps(snapshot),
			"status": PlanStatus.ACTIVE.value,
		}
	)
	_take_from_history(draft.stages, doc)
	plan_doc.set("stages", [])
	for stage in draft.stages:
		required = sum(1 for task in stage["tasks"] if task["required"])
		plan_doc.append("stages", {**stage, "open_required": required})
	plan_doc.flags.draft = draft
	_summarize_new(plan_doc)


def _take_from_history(stages: list[dict], doc) -> None:
	"""What a document has reached already was reached when its milestones say so.

	That is the stage whose value it has, and of the stages before that one those its milestones show. Their tasks are
	history too and not made.
	"""
	reached = [index for index, stage in enumerate(stages) if stage["status"] == StageStatus.REACHED]
	if not reached:
		return
	rows = frappe.get_all(
		"Milestone",
		filters={
			"reference_type": doc.doctype,
			"reference_name": str(doc.name),
			"reference_deleted": 0,
			"undone": 0,
		},
		fields=["name", "track_field", "value", "reached_on", "from_value"],
		order_by="reached_on",
	)
	latest = {(row.track_field, row.value): row for row in rows}
	for stage in stages[: reached[-1] + 1]:
		row = latest.get((stage["track_field"], (stage["track_value"] or "").strip()))
		if row and stage["reach_rule"] == ReachRule.FIELD_VALUE:
			stage.update(
				status=StageStatus.REACHED.value,
				health="Done",
				reached_on=getdate(row.reached_on),
				milestone=row.name,
				value_before=row.from_value,
				tasks=[],
			)


def _summarize_new(plan_doc) -> None:
	lead = cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))
	today = getdate(nowdate())
	for stage in plan_doc.stages:
		stage.health = stage_health(stage, plan_doc.stages, plan_doc.strict_order, today, lead, 0).value
	plan_doc.update(summary_of(plan_doc.stages))
	plan_doc.next_check = today


def put_rows_aside(plan_doc) -> None:
	"""Keep the rows of a new plan from Frappe, which inserts them one by one; `insert_rows` writes them."""
	plan_doc.flags.new_rows = plan_doc.stages
	plan_doc.stages = []


def insert_rows(plan_doc) -> None:
	"""Insert the stages of a new plan in one statement. Called after the plan itself was inserted."""
	rows = plan_doc.flags.pop("new_rows", [])
	for idx, row in enumerate(rows, 1):
		row.update({"name": bulk.new_name(), "parent": plan_doc.name, "idx": idx})
		row.set("__islocal", None)
	fieldnames = [
		*frappe.get_meta("Milestone Plan Stage").get_valid_columns(),
		"parent",
		"parenttype",
		"parentfield",
	]
	kept = [
		name
		for name in dict.fromkeys(fieldnames)
		if name not in ("creation", "modified", "owner", "modified_by")
	]
	values = [{name: row.get(name) for name in kept if row.get(name) is not None} for row in rows]
	bulk.insert_rows("Milestone Plan Stage", values)
	plan_doc.stages = rows


def make_tasks(plan_doc) -> None:
	"""Insert the tasks of a new plan, in bulk. Called after the plan was inserted."""
	draft = plan_doc.flags.draft
	rows = []
	for stage_row, stage in zip(plan_doc.stages, draft.stages, strict=True):
		rows += [{**task, "plan_stage": stage_row.name} for task in stage["tasks"]]
	insert_tasks(plan_doc, rows)
	plan_log.write(plan_doc, "Plan Started", details="\n".join(draft.problems))
	sweep.request(plan_doc.name)
	tell_desk(plan_doc)


def insert_tasks(plan, tasks: list[dict]) -> list[str]:
	"""Insert tasks with their assignees, and assign them, with a constant number of statements.

	Args:
		plan: the plan they belong to (a document or `Plan`).
		tasks: rows of Milestone Task with `plan_stage` set and `assignees` inside.

	Returns:
		list[str]: their names.
	"""
	from milestone_automation.engine import assignments

	rows = []
	for task in tasks:
		row = {key: value for key, value in task.items() if key != "assignees"}
		row.update(
			plan=plan.name,
			reference_type=plan.reference_type,
			reference_name=plan.reference_name,
			status=TaskStatus.OPEN.value,
		)
		rows.append(row)
	names = bulk.insert_rows("Milestone Task", rows)
	people = [
		{**person, "parent": name, "parenttype": "Milestone Task", "parentfield": "assignees", "idx": idx}
		for name, task in zip(names, tasks, strict=True)
		for idx, person in enumerate(task.get("assignees") or [], 1)
	]
	bulk.insert_rows("Milestone Task Assignee", people)
	assignments.assign(names)
	return names


# In step with the document


def on_document_change(doc) -> None:
	"""Make the plan of a document that matches now, or bring the one it has in step with its new values.

	Costs one query where nothing a plan watches has changed.
	"""
	plan = loaded(doc)
	if not plan:
		if cint(doc.docstatus) != 2 and not is_amendment(doc):
			_start_if_matching(doc)
		elif is_amendment(doc):
			guard.run_guarded(f"Milestone plan of {doc.doctype} {doc.name}: carry over", carry_over, doc)
		return
	changed = changed_values(plan, doc)
	if changed and plan.status != PlanStatus.CANCELLED:
		from milestone_automation.engine import document_changes

		document_changes.follow(plan, doc, changed)


def loaded(doc) -> Plan | None:
	"""Return the document's plan, locked; read once for all events of one save, unless somebody wrote to it since."""
	kept = doc.flags.get("milestone_plan")
	before = doc.get_doc_before_save()
	if not kept or kept[0] is not before or (kept[1] and kept[1].writes != _writes().get(kept[1].name, 0)):
		kept = (before, load(doc.doctype, doc.name, lock=True))
		doc.flags.milestone_plan = kept
	return kept[1]


def forget_loaded(doc, is_same_save: bool = False) -> None:
	"""Forget what `loaded` keeps: something is about to be written, and the lock of the last time may be gone.

	Args:
		doc: the document.
		is_same_save: it is a `db_set` inside the document's own save, which has had its warnings.
	"""
	doc.flags.pop("milestone_plan", None)
	if not is_same_save:
		doc.flags.pop("milestone_warned", None)


def changed_values(plan: Plan, doc) -> dict[str, tuple[str, str]]:
	"""Return (old, new) of every watched field that differs from what the plan last acted on."""
	old = json.loads(plan.snapshot or "{}")
	new = plan_builder.snapshot(doc, old)
	return {name: (old[name], value) for name, value in new.items() if old[name] != value}


def is_amendment(doc) -> bool:
	return bool(doc.is_new() or doc.flags.in_insert) and bool(doc.get("amended_from"))


def _start_if_matching(doc) -> None:
	what = f"Milestone plan of {doc.doctype} {doc.name}: start"
	workflow = guard.run_guarded(what, matching.find, doc)
	if workflow:
		guard.run_guarded(what, start, doc, workflow)


def carry_over(doc) -> None:
	"""Give an amendment the plan of the document it amends as it stood, then follow what was changed in it.

	A stage reached by a value the amendment no longer has (an approval, say) is open again. A plan that somebody
	cancelled by hand stays cancelled.

	Raises:
		GateError: a changed value would reach a stage that open required tasks hold.
	"""
	from milestone_automation.engine import stages

	forget_loaded(doc, is_same_save=True)
	old = load(doc.doctype, doc.amended_from)
	if not old:
		_start_if_matching(doc)
		return
	reason = _reason_of_cancelling(old)
	new = frappe.copy_doc(frappe.get_doc("Milestone Plan", old.name))
	new.update(
		{
			"reference_name": doc.name,
			"plan_key": plan_key(doc.doctype, doc.name),
			"amended_from": old.name,
			"status": PlanStatus.CANCELLED.value if reason else PlanStatus.ACTIVE.value,
			"title": f"{doc.name}: {old.workflow}"[:140],
			"snapshot": old.snapshot,
		}
	)
	for stage in new.stages:
		# Of the amendment nobody has been told anything yet.
		stage.update({**stages.FRESH_STAMPS, "asked_round": 0, "recipients_waiting": 0})
	new.flags.is_carried_over = True
	new.insert(ignore_permissions=True)  # who may amend the document takes its plan along
	_copy_tasks(old, new)
	sweep.request(new.name)
	event = "Plan Cancelled" if reason else "Plan Started"
	details = _("Carried over from {0}.").format(doc.amended_from)
	plan_log.write(new, event, reason=reason, details=details)
	plan = refresh(new.name)
	if plan.status != PlanStatus.CANCELLED:
		_follow_amendment(plan, doc)


def _reason_of_cancelling(plan: Plan) -> str:
	"""Return why somebody cancelled a plan; empty when it runs, or ended with its document."""
	with_document = json.loads(plan.snapshot or "{}").get("docstatus") == CANCELLED_DOCUMENT
	if plan.status != PlanStatus.CANCELLED or with_document:
		return ""
	filters = {"plan": plan.name, "event": "Plan Cancelled"}
	reasons = frappe.get_all(
		"Milestone Plan Log", filters=filters, pluck="reason", order_by="done_on desc", limit=1
	)
	return reasons[0] if reasons else ""


def _copy_tasks(old: Plan, new) -> None:
	"""Copy the tasks of a plan with a constant number of statements.

	Those that only its document's cancellation closed are open again.
	"""
	from milestone_automation.engine import assignments

	stage_of = {old_row.name: new_row.name for old_row, new_row in zip(old.stages, new.stages, strict=True)}
	sources = task_rows(old.name)
	if not sources:
		return
	rows = [_copied_task(source, new, stage_of.get(source.plan_stage)) for source in sources]
	names = bulk.insert_rows("Milestone Task", rows)
	copies = dict(zip([source.name for source in sources], names, strict=True))
	people = _copied_columns("Milestone Task Assignee")
	found = frappe.get_all(
		"Milestone Task Assignee",
		filters={"parenttype": "Milestone Task", "parent": ("in", list(copies))},
		fields=[*people, "parent", "parenttype", "parentfield", "idx"],
	)
	bulk.insert_rows("Milestone Task Assignee", [{**row, "parent": copies[row.parent]} for row in found])
	assignments.assign(names)


def _copied_task(source, new, plan_stage: str | None) -> dict:
	row = {name: source.get(name) for name in _copied_columns("Milestone Task")}
	row.update(
		plan=new.name,
		plan_stage=plan_stage,
		reference_name=new.reference_name,
		workflow_task=source.workflow_task,
		status=source.status,
	)
	ended_with_document = source.status == TaskStatus.CANCELLED and source.reason == _cancelled_reason()
	if ended_with_document and plan_stage and new.status != PlanStatus.CANCELLED:
		row["status"] = TaskStatus.OPEN.value
	if row["status"] != TaskStatus.OPEN:
		row.update(closed_on=source.closed_on, closed_by=source.closed_by, reason=source.reason)
	return row


def _copied_columns(doctype: str) -> list[str]:
	"""Return the columns of a DocType that its copies take over."""
	fields = frappe.get_meta(doctype).fields
	return [field.fieldname for field in fields if field.fieldtype in data_fieldtypes and not field.no_copy]


def _follow_amendment(plan: Plan, doc) -> None:
	from milestone_automation.engine import document_changes, stages

	plan._reference_doc = doc
	changed = changed_values(plan, doc)
	for stage in plan.stages:
		if _has_lost_value(plan, stage, doc, changed):
			plan.set_stage(stage, milestone=None)  # it is the amended document's, which did reach it
			reason = _("{0} does not have the value that reached the milestone.").format(doc.name)
			stages.mark_open(plan, stage, reason)
	if not changed:
		return
	try:
		document_changes.follow(plan, doc, changed)
	except guard.GateError:
		# What the refusal names goes with the amendment, and the tasks of the cancelled document are closed.
		frappe.msgprint(
			_("Save the amendment with the values of {0} first. Its tasks are open then.").format(
				doc.amended_from
			)
		)
		raise
	refresh(plan.name)


def _has_lost_value(plan: Plan, stage, doc, changed: dict) -> bool:
	"""Tell whether a stage was reached by a value that an amendment neither has nor has passed."""
	by_value = stage.status == StageStatus.REACHED and stage.reach_rule == ReachRule.FIELD_VALUE
	if not by_value or stage.track_field not in changed:
		return False
	ways = [row for row in plan.stages if row.idx >= stage.idx and row.track_field == stage.track_field]
	return not any(plan_builder.holds_value(row, doc) for row in ways)


def _cancelled_reason() -> str:
	return "The document was cancelled."


# Ending


def cancel(plan: Plan, reason: str, reason_of_tasks: str | None = None) -> None:
	"""Cancel a plan and its open tasks; what was reached and done stays on record.

	Args:
		plan: loaded with its lock.
		reason: kept in the plan's log.
		reason_of_tasks: kept in its open tasks; by default that the document was cancelled, which opens them again
			for an amendment.
	"""
	from milestone_automation.engine import tasks

	if plan.status == PlanStatus.CANCELLED:
		return
	tasks.cancel_all(plan.name, reason_of_tasks or _cancelled_reason())
	plan.set_plan(status=PlanStatus.CANCELLED.value, next_check=None, next_date=None)
	for stage in plan.stages:
		plan.set_stage(stage, open_required=0)
	plan.write()
	plan_log.write(plan, "Plan Cancelled", reason=reason)
	tell_desk(plan)


def cancel_by_hand(plan: Plan, reason: str) -> None:
	"""Cancel a plan as `cancel` does, because somebody wants it: its tasks carry that reason too."""
	cancel(plan, reason, reason)


def delete_for(doctype: str, name) -> None:
	"""Delete the plans of a deleted document, with all that hangs on them. Its milestones stay, marked."""
	filters = {"reference_type": doctype, "reference_name": str(name)}
	for plan in frappe.get_all("Milestone Plan", filters=filters, pluck="name"):
		flags = {"force": True, "ignore_permissions": True}  # it goes with its document
		frappe.delete_doc("Milestone Plan", plan, **flags)


def delete_parts(plan: str) -> None:
	"""Delete what belongs to a plan: tasks with their assignments, date changes, messages, log."""
	tasks = frappe.get_all("Milestone Task", filters={"plan": plan}, pluck="name")
	if tasks:
		frappe.db.delete("ToDo", {"reference_type": "Milestone Task", "reference_name": ("in", tasks)})
		frappe.db.delete("Milestone Task Assignee", {"parent": ("in", tasks)})
	for doctype in ("Milestone Task", "Milestone Date Change", "Milestone Message", "Milestone Plan Log"):
		frappe.db.delete(doctype, {"plan": plan})


def follow_rename(doctype: str, old, new, merge: bool = False) -> None:
	"""Move a document's plan to its new name, with all that hangs on it.

	Where two documents are merged, the plan of the one that stays goes on; the other one is cancelled.
	"""
	from milestone_automation.engine import assignments

	_move_references(doctype, old, new)
	key = plan_key(doctype, new)
	found = frappe.get_all(
		"Milestone Plan",
		filters={"reference_type": doctype, "reference_name": str(new)},
		fields=["name", "workflow", "plan_key", "snapshot"],
	)
	has_plan = any(plan.plan_key == key for plan in found)
	for plan in found:
		if not plan.plan_key or plan.plan_key == key:
			continue
		if has_plan:
			cancel(load_by_name(plan.name, lock=True), _("{0} was merged into {1}.").format(old, new))
		values = {"plan_key": None if has_plan else key, "title": f"{new}: {plan.workflow}"[:140]}
		if merge and not has_plan:
			values["snapshot"] = _snapshot_as_it_stands(plan, frappe.get_doc(doctype, new))
		bulk.update_rows("Milestone Plan", {plan.name: values})
		assignments.follow([task.name for task in task_rows(plan.name)], text=True)


def _snapshot_as_it_stands(plan, doc) -> str:
	"""Return what a plan is to know of a document it comes to by a merge: what it has already is not a change."""
	return json.dumps(plan_builder.snapshot(doc, json.loads(plan.snapshot or "{}")))


def _move_references(doctype: str, old, new) -> None:
	"""Let rows about a document name it anew.

	Frappe does so too, by a map of links it keeps for a whole request; where that is older than the plan, the plan is
	not in it.
	"""
	for own in (
		"Milestone Plan",
		"Milestone Task",
		"Milestone Date Change",
		"Milestone Plan Log",
		"Milestone Message",
	):
		table = frappe.qb.DocType(own)
		is_about = (table.reference_type == doctype) & (table.reference_name == str(old))
		frappe.qb.update(table).set(table.reference_name, str(new)).where(is_about).run()


# Keeping the sums


def refresh(plan: str | Plan) -> Plan:
	"""Bring a plan's sums up to date after its tasks, stages or dates changed, or a day has passed.

	Args:
		plan: name, or a plan loaded with its lock and not yet written.

	Returns:
		Plan: as it stands now.
	"""
	plan = load_by_name(plan, lock=True) if isinstance(plan, str) else plan
	tasks = task_rows(plan.name, lock=True)
	today = getdate(nowdate())
	lead = cint(frappe.db.get_single_value("Milestone Settings", "warning_lead_days", cache=True))
	open_tasks = [task for task in tasks if task.status == TaskStatus.OPEN]
	if plan.status == PlanStatus.CANCELLED:
		open_tasks = []
	for stage in plan.stages:
		own = [task for task in open_tasks if task.plan_stage == stage.name]
		plan.set_stage(stage, open_required=sum(1 for task in own if task.required))
	for stage in plan.stages:
		overdue = sum(
			1 for t in open_tasks if t.plan_stage == stage.name and t.due_date and getdate(t.due_date) < today
		)
		found = stage_health(stage, plan.stages, plan.strict_order, today, lead, overdue)
		plan.set_stage(stage, health=found.value)
	if plan.status != PlanStatus.CANCELLED:
		plan.set_plan(**summary_of(plan.stages))
		# The sweep finds the day after that: only it knows who is left to be told, and the working days.
		plan.set_plan(next_check=today if plan.status == PlanStatus.ACTIVE else None)
	has_changed = any(plan.stage_changes.values()) or plan.plan_changes
	plan.write()
	if has_changed:
		tell_desk(plan)
	return plan


def task_rows(plan: str, lock: bool = False) -> list[frappe._dict]:
	"""Return all tasks of a plan in order, in one query.

	Args:
		lock: read what is committed now and hold it; the plan must be locked before.
	"""
	task = frappe.qb.DocType("Milestone Task")
	query = frappe.qb.from_(task).select(task.star).where(task.plan == plan).orderby(task.task_order)
	return run_locked(query) if lock else query.run(as_dict=True)


def summarize(plan: Plan) -> None:
	"""Work out health, current stage and next date of a plan whose stages changed; writes nothing."""
	plan.set_plan(**summary_of(plan.stages), next_check=getdate(nowdate()))


def summary_of(stages) -> dict:
	"""Return health, current_stage, next_date and status of a plan from its stages."""
	open_stages = [stage for stage in stages if stage.status != StageStatus.REACHED]
	dated = [getdate(stage.key_date) for stage in open_stages if stage.key_date]
	return {
		"health": health.plan_health([stage.health or "On Track" for stage in stages]).value,
		"current_stage": open_stages[0].stage_name if open_stages else "",
		"next_date": min(dated) if dated else None,
		"status": PlanStatus.ACTIVE.value if open_stages else PlanStatus.COMPLETED.value,
	}


def stage_health(stage, stages, strict_order, today, default_lead: int, overdue: int) -> health.Health:
	"""Return the health of one stage of a plan, by the rules of `engine/health.py`.

	Args:
		stage: its row, with open_required up to date.
		stages: all rows; in strict order open tasks of earlier open stages hold this one too.
		strict_order: whether the plan keeps strict order.
		today: the day to judge by.
		default_lead: warning lead in days, where the stage has none of its own.
		overdue: number of the stage's open tasks that are past their due date.
	"""
	# Where open tasks hold nothing (Warn, Off), the stage is late or not, but never blocked.
	is_gate = (stage.gate_mode or GateMode.BLOCK) == GateMode.BLOCK
	held_by = cint(stage.open_required) if is_gate else 0
	if strict_order and is_gate:
		held_by += sum(
			cint(earlier.open_required)
			for earlier in stages
			if earlier.idx < stage.idx and earlier.status != StageStatus.REACHED
		)
	return health.stage_health(
		stage.status,
		getdate(stage.key_date) if stage.key_date else None,
		today,
		held_by,
		cint(stage.warning_lead_days) or default_lead,
		overdue_open_tasks=overdue,
	)


def tell_desk(plan) -> None:
	"""Tell open forms of the document that its plan changed, once the change is committed."""
	frappe.publish_realtime(
		"milestone_plan_changed",
		{"doctype": plan.reference_type, "name": plan.reference_name},
		doctype=plan.reference_type,
		docname=plan.reference_name,
		after_commit=True,
	)


def calendar_of(plan: Plan):
	"""Return the working days that count for a plan's document."""
	return calendars.for_document(plan.reference_doc())
