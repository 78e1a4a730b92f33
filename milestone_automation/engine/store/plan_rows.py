"""A stored plan: its row and its stages, read with one query, locked, and written once."""

import hashlib

import frappe
from frappe import _
from frappe.utils import getdate, now_datetime

from milestone_automation.engine.base import bulk, calendars, guard, locks, save_state, stored_rows
from milestone_automation.engine.base.locks import run_locked
from milestone_automation.engine.rules import dates
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import PlanStatus, StageStatus, TaskStatus
from milestone_automation.engine.store import snapshots

# Columns of a plan that are read; of stages all columns are read.
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
	"earlier_tasks_block",
	"reached_in_order",
	"new_documents",
	"imported_documents",
	"later_stages",
	"owners_propose",
	"escalation_role",
	"escalate_after_days",
	"team_role",
	"team_group",
	"supplier_field",
	"shown_fields",
	"shown_fields_by",
	"completed_actions",
	"completed_actions_by",
	"created_from",
	"document_created_on",
	"quiet_before",
	"snapshot",
	"plan_key",
	"gate_failed_on",
	"on_hold_since",
	"hold_reason",
	"owner",
	"creation",
)


class Plan(frappe._dict):
	"""The row of a plan with its `stages`, in order. `set_stage` and `set_plan` collect the changes.

	Changed with `changing(plan)`, which writes it.
	"""

	def stage(self, stage: str) -> frappe._dict:
		"""Return one stage.

		Args:
			stage: row name of the stage, or its milestone name.

		Raises:
			frappe.DoesNotExistError: there is no such stage; names the existing ones.
		"""
		matching = [row for row in self.stages if row.name == stage]
		matching += [row for row in self.stages if row.stage_name == stage]
		if not matching:
			frappe.throw(
				_("This plan has no milestone {0}. It has: {1}.").format(
					stage, ", ".join(row.stage_name for row in self.stages)
				),
				frappe.DoesNotExistError,
			)
		return matching[0]

	def set_stage(self, stage: frappe._dict, **values) -> None:
		"""Change a stage in memory and, with `write`, in the database. Unchanged values are ignored.

		Args:
			stage: one of `stages`.
			values: by column of Milestone Plan Stage.
		"""
		changed = {k: v for k, v in values.items() if stage.get(k) != v}
		stage.update(changed)
		self.stage_changes.setdefault(stage.name, {}).update(changed)

	def set_plan(self, **values) -> None:
		"""Change the plan in memory and, with `write`, in the database. Unchanged values are ignored.

		Args:
			values: by column of Milestone Plan.
		"""
		changed = {k: v for k, v in values.items() if self.get(k) != v}
		self.update(changed)
		self.plan_changes.update(changed)

	def write(self) -> None:
		"""Write the changes: the plan with its stages in one statement, and one more for each further set of new values."""
		changes = {name: values for name, values in self.stage_changes.items() if values}
		if self.plan_changes or changes:
			# The plan's row is written on every change, so that two people who act at once conflict on it.
			values = {**self.plan_changes, "modified": now_datetime(), "modified_by": frappe.session.user}
			bulk.update_with_children("Milestone Plan", self.name, values, "Milestone Plan Stage", changes)
			self.writes = _count_write(self.name)
		self.stage_changes, self.plan_changes = {}, {}

	def leave_unchanged(self) -> None:
		"""Declare that nothing changes after all; `changing` then writes nothing."""
		self.is_unchanged = True

	def trust_counts(self) -> None:
		"""Declare that stored task counts and the health of the other stages are right, unless tasks changed too."""
		self.has_true_counts = not self.has_changed_tasks

	def mark_stale(self) -> None:
		"""Declare that this plan in memory was not written, so that it is read again."""
		self.writes = -1

	def open_tasks(self) -> list[frappe._dict]:
		"""Return the open tasks in order, locked; read once until `forget_tasks`."""
		if self.get("_open_tasks") is None:
			rows = task_rows(self.name, lock=True)
			self._open_tasks = [task for task in rows if task.status == TaskStatus.OPEN]
		return self._open_tasks

	def forget_tasks(self) -> None:
		"""Declare that tasks were added or closed; the open tasks are read again when needed."""
		self._open_tasks = None
		self.has_changed_tasks, self.has_true_counts = True, False

	@property
	def has_read_tasks(self) -> bool:
		"""Whether the open tasks are in memory."""
		return self.get("_open_tasks") is not None

	def reached_flags(self) -> list[bool]:
		"""Return for each stage, in order, whether it is reached."""
		return [stage.status == StageStatus.REACHED for stage in self.stages]

	def reached_days(self) -> list:
		"""Return for each stage, in order, the date on which it was reached; None for an open one.

		A skipped stage counts by the first stage that was reached after it, see `dates.counting_days`.
		"""
		reached_on = [getdate(stage.reached_on) if stage.reached_on else None for stage in self.stages]
		return dates.counting_days(reached_on, self.reached_flags(), self.network())

	def network(self) -> Network:
		"""Return which of the stages come before which."""
		return Network.of(self.stages)

	def reference_doc(self):
		"""Return the plan's document, read once.

		Raises:
			frappe.ValidationError: the document was deleted.
		"""
		if not self.get("_reference_doc"):
			self._reference_doc = self._read_document()
		return self._reference_doc

	def _read_document(self):
		try:
			doc = frappe.get_doc(self.reference_type, self.reference_name)
			if self.is_locked and frappe.db.db_type == "mariadb" and snapshots.is_unlike(self.snapshot, doc):
				# The plan is as it is now, the document as it was when the transaction began.
				doc = stored_rows.locked_document(doc.doctype, doc.name) or doc
			return doc
		except frappe.DoesNotExistError:
			frappe.clear_last_message()
			frappe.throw(
				_("{0} {1} no longer exists. Its plan ends with the nightly check.").format(
					_(self.reference_type), self.reference_name
				),
				title=_("Document Was Deleted"),
			)

	def check_is_active(self) -> None:
		"""Refuse to change a cancelled plan.

		Raises:
			frappe.ValidationError: it is cancelled.
		"""
		if self.status == PlanStatus.CANCELLED:
			frappe.throw(
				_("The plan of {0} {1} is cancelled. Start a new plan first.").format(
					_(self.reference_type), self.reference_name
				)
			)

	def check_may_reopen(self) -> None:
		"""Refuse to reopen a completed plan that the next one of its document has followed.

		Raises:
			frappe.ValidationError: the document has another plan.
		"""
		if not self.plan_key:
			frappe.throw(
				_(
					"{0} {1} has its next plan already, so this one stays completed. Change the next one instead."
				).format(_(self.reference_type), self.reference_name)
			)


def _count_write(plan: str) -> int:
	"""Count a write to a plan by this process, so that a plan in memory knows whether it is the newest."""
	counts = save_state.plan_writes()
	counts[plan] = counts.get(plan, 0) + 1
	return counts[plan]


def plan_key(doctype: str, name) -> str:
	"""Return the unique key by which a document has only one plan.

	Args:
		doctype, name: the document; a name that is a number gives the key of its text.
	"""
	return hashlib.sha1(f"{doctype}\0{name}".encode(), usedforsecurity=False).hexdigest()


def load(doctype: str, name, lock: bool = False) -> Plan | None:
	"""Return the plan of a document with its stages, read with one query.

	Args:
		doctype, name: the document.
		lock: whether to lock the rows until the end of the transaction and read them as they are committed now.

	Returns:
		Plan: None if the document has no plan.

	Raises:
		ConflictError: it is to be locked, and somebody else is changing it.
	"""
	return _load("plan_key", plan_key(doctype, name), lock)


def load_by_name(plan: str, lock: bool = False, is_optional: bool = False) -> Plan | None:
	"""Return a plan with its stages, read with one query.

	Args:
		plan, lock: as in `load`.
		is_optional: return None where there is no such plan.

	Returns:
		Plan: None only where `is_optional`.

	Raises:
		frappe.DoesNotExistError: there is no such plan, and it is not optional.
		ConflictError: as `load`.
	"""
	loaded = _load("name", plan, lock)
	if not loaded and not is_optional:
		frappe.throw(_("Milestone Plan {0} does not exist.").format(plan), frappe.DoesNotExistError)
	return loaded


def lock(plan: str) -> None:
	"""Lock the row of a plan until the end of the transaction. A missing plan is ignored.

	Args:
		plan: name of the plan.

	Raises:
		ConflictError: somebody else is changing it.
	"""
	with guard.translate_conflicts():
		if not locks.is_only_writer():
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
	loaded = Plan({name: rows[0][f"plan__{name}"] for name in PLAN_COLUMNS})
	loaded.stages = [
		frappe._dict({k: v for k, v in row.items() if not k.startswith("plan__")}) for row in rows
	]
	loaded.stage_changes, loaded.plan_changes, loaded.is_locked = {}, {}, lock
	loaded.writes = save_state.plan_writes().get(loaded.name, 0)
	return loaded


def task_rows(plan: str, lock: bool = False) -> list[frappe._dict]:
	"""Return all tasks of a plan in order, with one query.

	Args:
		plan: name of the plan.
		lock: whether to lock the rows and read them as they are committed now; the plan must be locked first.

	Raises:
		ConflictError: they are to be locked, and somebody else is changing one.
	"""
	task = frappe.qb.DocType("Milestone Task")
	query = frappe.qb.from_(task).select(task.star).where(task.plan == plan).orderby(task.task_order)
	return run_locked(query) if lock else query.run(as_dict=True)


def calendar_of(plan: Plan):
	"""Return the working days of a plan's document.

	Args:
		plan: the plan; its document is read if it was not yet.

	Raises:
		frappe.ValidationError: the document was deleted.
	"""
	return calendars.for_document(plan.reference_doc())


def stage_rows(names: list[str]) -> list[frappe._dict]:
	"""Return stored stages by their row names, in order. At most one query.

	Args:
		names: row names of Milestone Plan Stage; those of no row are left out.

	Returns:
		list: whole rows, by their position in their plan.
	"""
	if not names:
		return []
	stage = frappe.qb.DocType("Milestone Plan Stage")
	query = frappe.qb.from_(stage).select(stage.star).where(stage.name.isin(names)).orderby(stage.idx)
	return query.run(as_dict=True)
