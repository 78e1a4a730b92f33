"""New documents that already have the value of a blocked milestone: refused, or accepted as reached.

They have no plan yet, so no task is open: the required tasks of the template count, and its exit criteria by the document
as it is; where milestones are reached in order, earlier ones whose value the document does not have. What people, scripts and REST
create is refused, what is brought in (imports, migrations, patches) or comes back with the value it had when it was deleted is
accepted, unless the workflow says otherwise.
"""

from frappe import _
from frappe.utils import cint, escape_html

from milestone_automation.engine.base import compat, restored_documents, save_state, values
from milestone_automation.engine.people import criterion_texts
from milestone_automation.engine.progress import refusals
from milestone_automation.engine.rules import criteria
from milestone_automation.engine.rules.network import Network
from milestone_automation.engine.rules.vocabulary import EntryRule, GateMode
from milestone_automation.engine.store import exit_criteria, watched
from milestone_automation.engine.tracking import registry
from milestone_automation.engine.workflows import default_values, matching


def check(doc, before, to_write=None, written=None) -> None:
	"""Refuse a document without a plan whose values would reach a milestone before its required tasks exist.

	A document that meets the exit criteria of the milestone is not refused for them.

	Args:
		doc: the document, new or about to match a workflow; before or after it was written.
		before: the row or document before the write; None if it is new.
		to_write: the document with values that are not stored yet, for its exit criteria; as it is stored by default.
		written: the document whose save or `db_set` wrote the row, where `doc` was read from it anew.

	Raises:
		GateError: says what to save it as first.
	"""
	workflow = matching.find(doc)
	if not workflow:
		return
	template = matching.template(workflow)
	if not _is_refused(template):
		return
	reached = [stage for stage in template.stages if _is_reached_by_write(stage, doc, before)]
	for stage in _without_restored(template, reached, doc, written or doc):
		earlier = _earlier_open(template, stage, doc)
		if earlier and cint(template.reached_in_order):
			_refuse_order(doc, stage, earlier[0])
		titles = required_titles(template, stage, doc)
		if titles:
			_refuse(doc, stage, len(titles))
		unmet = unmet_criteria(template, stage, doc, to_write)
		if unmet:
			_refuse_criteria(doc, stage, unmet)


def _is_refused(rules, brought_in: bool | None = None) -> bool:
	"""Tell by a workflow, or by a plan of it, whether new documents are refused at the value of a blocked milestone."""
	brought_in = compat.is_brought_in() if brought_in is None else brought_in
	rule = rules.imported_documents if brought_in else rules.new_documents
	return (rule or (EntryRule.ACCEPT if brought_in else EntryRule.REFUSE)) == EntryRule.REFUSE


def _without_restored(template, stages: list, doc, written) -> list:
	"""Return the stages but those whose value a restored document had already when it was deleted."""
	if not stages or _is_refused(template, brought_in=True):
		return stages
	before = restored_documents.values_when_deleted(written)
	if not before:
		return stages
	return [
		stage
		for stage in stages
		if not values.is_same(
			before.get(stage.track_field),
			doc.get(stage.track_field),
			registry.field_type(doc.doctype, stage.track_field),
		)
	]


def is_being_brought_in(plan) -> bool:
	"""Tell whether a plan's document is new and still being brought in: Data Import inserts it first, then submits it.

	Args:
		plan: started in this transaction or before; with its entry rules.
	"""
	if not compat.is_brought_in() or plan.name not in save_state.transaction().plans_brought_in:
		return False
	return not _is_refused(plan)


def _is_reached_by_write(stage, doc, before) -> bool:
	"""Tell whether this write gives the document the value of a stage."""
	if (stage.gate_mode or GateMode.BLOCK) != GateMode.BLOCK or not watched.holds_value(stage, doc):
		return False
	return not before or bool(watched.value_changes([stage.track_field], doc.doctype, before, doc))


def required_titles(template, stage, doc) -> list[str]:
	"""Return the titles of the required tasks that come before a stage of a workflow is reached.

	Args:
		template: Milestone Workflow document.
		stage: one of its rows.
		doc: the document; where the workflow says so, the tasks of earlier stages count whose value it does not have.
	"""
	names = {row.stage_name for row in _blocking_stages(template, stage, doc)}
	return [task.title for task in template.tasks if cint(task.required) and task.stage in names]


def unmet_criteria(template, stage, doc, to_write=None) -> list[criteria.Verdict]:
	"""Return the required exit criteria that a document does not meet before it reaches a stage.

	Args:
		template, stage, doc: as in `required_titles`, with the exit criteria of the same stages.
		to_write: as in `check`.
	"""
	rows = _blocking_stages(template, stage, doc)
	verdict_lists = exit_criteria.judge(doc.doctype, doc.name, rows, to_write)
	return [verdict for verdicts in verdict_lists for verdict in criteria.blocking(verdicts)]


def _blocking_stages(template, stage, doc) -> list:
	earlier = _earlier_open(template, stage, doc) if cint(template.earlier_tasks_block) else []
	return [*earlier, stage]


def _earlier_open(template, stage, doc) -> list:
	before = Network.of(template.stages).before(template.stages.index(stage))
	return [template.stages[i] for i in before if not watched.holds_value(template.stages[i], doc)]


def _refuse_order(doc, stage, first) -> None:
	sentence = _("Milestones are reached in order, and {0} comes before {1}.").format(
		f"<b>{escape_html(first.stage_name)}</b>", f"<b>{escape_html(stage.stage_name)}</b>"
	)
	refusals.throw_about(doc, f"{sentence} {_what_to_do(doc, stage)}")


def _refuse(doc, stage, count: int) -> None:
	name = f"<b>{escape_html(stage.stage_name)}</b>"
	sentence = (
		_("One required task comes before {0}.").format(name)
		if count == 1
		else _("{0} required tasks come before {1}.").format(count, name)
	)
	refusals.throw_about(doc, f"{sentence} {_what_to_do(doc, stage)}")


def _refuse_criteria(doc, stage, unmet: list[criteria.Verdict]) -> None:
	texts = criterion_texts.describe_all(unmet[: refusals.NAMED], doc.doctype)
	sentence = _("{0} has exit criteria that are not met: {1}.").format(
		f"<b>{escape_html(stage.stage_name)}</b>", escape_html(", ".join(texts))
	)
	refusals.throw_about(doc, f"{sentence} {_what_to_save(doc, stage)}")


def _what_to_save(doc, stage) -> str:
	if stage.track_field == "docstatus":
		return _("Save it as a draft first, then meet them.")
	label = doc.meta.get_label(stage.track_field) or stage.track_field
	return _("Save it with another {0} first, then meet them.").format(_(label))


def _what_to_do(doc, stage) -> str:
	if stage.track_field == "docstatus":
		return _("Save it as a draft first, so that its tasks are created.")
	value = default_values.of_field(doc.doctype, stage.track_field)
	if value and not watched.is_reached_by(stage, value):
		return _("Save it as {0} first, so that its tasks are created.").format(
			f"<b>{escape_html(_(value))}</b>"
		)
	label = doc.meta.get_label(stage.track_field) or stage.track_field
	return _("Save it with another {0} first, so that its tasks are created.").format(_(label))
