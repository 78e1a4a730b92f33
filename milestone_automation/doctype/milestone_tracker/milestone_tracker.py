import frappe
from frappe import _
from frappe.model.base_document import BaseDocument

from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.people import rights
from milestone_automation.engine.tracking import conditions, protected, recorder, registry, trackable


class MilestoneTracker(TypedDocument):
	"""Which fields of a DocType are recorded. Core's hook calls `apply` for every change of such a document."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF
		from milestone_automation.milestone_automation.doctype.milestone_tracker_field.milestone_tracker_field import (
			MilestoneTrackerField,
		)

		condition: DF.Code | None
		disabled: DF.Check
		document_type: DF.Link
		extra_fields: DF.Table[MilestoneTrackerField]
		reconcile_hourly: DF.Check
		reconciled_on: DF.Datetime | None
		track_field: DF.Literal[None]
	# end: auto-generated types

	def load_from_db(self):
		"""Read the tracker; while some other document is being saved, from the cached rules.

		Core's hook reads the tracker on every save of a tracked document only to call `apply`, which asks the cached
		rules anyway: two statements a save, and outside any guard of ours.
		"""
		values = self.values_while_saving()
		if values is None:
			return super().load_from_db()
		rows = values.pop("extra_fields")
		if rows:
			BaseDocument.__init__(self, values)
			self.set("extra_fields", rows)
		else:
			# What that does, without asking for each value whether it is that of a table. Frappe 15 wants the names of
			# the tables, later ones their DocTypes too.
			self._table_fieldnames = {"extra_fields": "Milestone Tracker Field"}
			self.dont_update_if_missing = []
			self.__dict__.update(values, extra_fields=[])
		return self

	def values_while_saving(self) -> dict | None:
		"""Return the tracker's values from the registry while another document is being saved, else None."""
		saving = frappe.flags.currently_saving
		if not saving or (self.doctype, self.name) in saving or self.flags.for_update:
			return None
		values = registry.tracker_values(self.name)
		return {**values, "extra_fields": [dict(row) for row in values["extra_fields"]]} if values else None

	def validate(self):
		"""Check DocType, fields and condition."""
		trackable.check_doctype(self.document_type)
		self.check_right()
		self.drop_repeated_fields()
		for fieldname in self.tracked_fields():
			trackable.check_field(self.document_type, fieldname)
		conditions.check(self.condition, self.document_type)

	def check_right(self):
		"""Leave the recording of users, roles, scripts and the like to System Managers, whoever else may track.

		Raises:
			frappe.PermissionError: the DocType is protected, and the user is no System Manager.
		"""
		if protected.is_protected(self.document_type) and not rights.sees_everything():
			frappe.throw(
				_("Only a System Manager may track {0}.").format(_(self.document_type)),
				frappe.PermissionError,
			)

	def drop_repeated_fields(self):
		"""Remove empty and repeated rows of further fields."""
		seen = {self.track_field}
		distinct_rows = []
		for row in self.extra_fields:
			if row.track_field and row.track_field not in seen:
				seen.add(row.track_field)
				distinct_rows.append(row)
		self.set("extra_fields", distinct_rows)

	def tracked_fields(self) -> list[str]:
		"""Return the names of all fields this tracker records."""
		return [self.track_field, *(row.track_field for row in self.extra_fields)]

	def on_change(self):
		"""Clear the rules, also after a `db_set`, which does not run on_update."""
		self.clear_rules()

	def on_trash(self):
		"""Clear the rules."""
		self.clear_rules()

	def after_delete(self):
		"""Clear the rules again: hooks on the deletion may have read them while the row existed."""
		self.clear_rules()

	def after_rename(self, old, new, merge=False):
		"""Clear the rules.

		Args:
			old, new: names of the tracker.
			merge: whether it was merged into another one; not asked, as either way the rules are read anew.
		"""
		self.clear_rules()

	def clear_rules(self):
		"""Clear the registry and core's map, for the present DocType and the one before."""
		before = self.get_doc_before_save()
		for document_type in {self.document_type, before and before.document_type}:
			if document_type:
				trackable.clear_core_map(document_type)
		registry.clear()

	def apply(self, doc):
		"""Record the changes of a document. Called by core's `evaluate_milestone`.

		Args:
			doc: the document that changed.
		"""
		rules = registry.for_doctype(doc.doctype)
		if rules and rules.tracker:
			recorder.record(doc, rules.tracker)
