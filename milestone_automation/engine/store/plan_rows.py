"""A plan as it is stored: its row and its stages, read in one query, locked, and written once."""

import hashlib

import frappe
from frappe import _
from frappe.utils import now_datetime

from milestone_automation.engine.base import bulk, calendars, guard, save_state
from milestone_automation.engine.base.locks import run_locked
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus, TaskStatus

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


class Plan(frappe._dict):
	"""A plan's row with `stages`, its rows in order. `set_stage` and `set_plan` collect what is to be written.

	Changed with `changing(plan)`, which writes it.
	"""

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

	def leave_unchanged(self) -> None:
		"""Say that there is nothing to change after all; `changing` then does nothing."""
		self.is_unchanged = True

	def trust_counts(self) -> None:
		"""Say that the stored counts of open tasks hold, and every other stage's health, unless tasks changed too."""
		self.has_true_counts = not self.has_changed_tasks

	def spoil(self) -> None:
		"""Have whoever kept this plan read it again: what is in memory was not written."""
		self.writes = -1

	def open_tasks(self) -> list[frappe._dict]:
		"""Return the open tasks, locked and in order; read once, until `forget_tasks`."""
		if self.get("_open_tasks") is None:
			rows = task_rows(self.name, lock=True)
			self._open_tasks = [task for task in rows if task.status == TaskStatus.OPEN]
		return self._open_tasks

	def forget_tasks(self) -> None:
		"""Read the open tasks again when they are asked for: some were added or closed."""
		self._open_tasks = None
		self.has_changed_tasks, self.has_true_counts = True, False

	@property
	def has_read_tasks(self) -> bool:
		"""Whether the open tasks are in memory."""
		return self.get("_open_tasks") is not None

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
	counts = save_state.plan_writes()
	counts[plan] = counts.get(plan, 0) + 1
	return counts[plan]


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
		with guard.translate_conflicts():
			frappe.db.get_value("Milestone Plan", plan, "name", for_update=True)


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
	found.writes = save_state.plan_writes().get(found.name, 0)
	return found


def task_rows(plan: str, lock: bool = False) -> list[frappe._dict]:
	"""Return all tasks of a plan in order, in one query.

	Args:
		lock: read what is committed now and hold it; the plan must be locked before.
	"""
	task = frappe.qb.DocType("Milestone Task")
	query = frappe.qb.from_(task).select(task.star).where(task.plan == plan).orderby(task.task_order)
	return run_locked(query) if lock else query.run(as_dict=True)


def calendar_of(plan: Plan):
	"""Return the working days that count for a plan's document."""
	return calendars.for_document(plan.reference_doc())


def stage_rows(names: list[str]) -> list[frappe._dict]:
	"""Return stages by their row names, in order, as they are stored. One query; none for no names."""
	if not names:
		return []
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).select(stage.star).where(stage.name.isin(names)).orderby(stage.idx)
	return query.run(as_dict=True)
