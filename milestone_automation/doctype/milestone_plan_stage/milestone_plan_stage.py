from milestone_automation.engine.base import indexes
from milestone_automation.engine.base.child_rows import RowOfDocument


class MilestonePlanStage(RowOfDocument):
	"""A stage of one plan. It changes through the engine, its key date also in the plan's form."""


def on_doctype_update():
	"""Make the indexes. Frappe calls this after each change of the schema."""
	indexes.ensure("Milestone Plan Stage")
