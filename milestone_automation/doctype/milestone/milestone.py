import frappe

from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.typed_document import TypedDocument
from milestone_automation.engine.tracking import closed_days


class Milestone(TypedDocument):
	"""A recorded fact: this document's field reached this value, when, by whom. Written by the engine only."""

	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		cleared: DF.Check
		from_value: DF.Data | None
		import_key: DF.Data | None
		merged_from: DF.Data | None
		milestone_tracker: DF.Link | None
		passing: DF.Check
		reached_by: DF.Data | None
		reached_on: DF.Datetime | None
		reference_deleted: DF.Check
		reference_name: DF.Data
		reference_type: DF.Link
		source: DF.Literal["Save", "Import", "Backfill", "Reconcile", "Confirmation"]
		time_in_previous: DF.Duration | None
		track_field: DF.Data
		undone: DF.Check
		value: DF.Data
		value_before: DF.Data | None
		value_hash: DF.Data | None
	# end: auto-generated types

	def before_insert(self):
		"""Fill in when and by whom it was reached, for milestones that other code inserts."""
		# A milestone made by hand or over the API stands in the timeline like any other.
		self.reached_on = self.reached_on or frappe.utils.now_datetime()
		self.reached_by = self.reached_by or frappe.session.user
		self.value_before = self.value_before or self.from_value

	def validate(self):
		"""Keep times as the engine writes them: with the time of day, and durations in whole seconds."""
		self.reached_on = self.reached_on and frappe.utils.get_datetime(self.reached_on)
		self.time_in_previous = self.time_in_previous and int(frappe.utils.flt(self.time_in_previous))

	def on_change(self):
		"""Note it where the milestone is, or was, of a day that may be added up already."""
		for doc in (self, self.get_doc_before_save()):
			if doc:
				closed_days.note(doc.reference_type, [(doc.track_field, doc.reached_on)])

	def after_delete(self):
		"""Note it where the milestone was of a day that may be added up already."""
		closed_days.note(self.reference_type, [(self.track_field, self.reached_on)])


def on_doctype_update():
	"""Create the table's indexes after its DocType was synced."""
	indexes.ensure("Milestone")
