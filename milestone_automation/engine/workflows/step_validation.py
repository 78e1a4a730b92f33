"""Rules for next steps, as they stand in a workflow. `problems` yields sentences; each says which step it is about."""

from collections.abc import Iterator, Sequence

from frappe import _
from frappe.utils import cstr, escape_html

from milestone_automation.engine.base import parsing
from milestone_automation.engine.people import field_rights
from milestone_automation.engine.rules.vocabulary import StepEvent
from milestone_automation.engine.tracking import conditions
from milestone_automation.engine.workflows import action_registry

# Next steps of one milestone, or of one workflow.
MOST_STEPS = 20
EXAMPLE = '[{"action": "Set Value", "field": "status", "value": "Approved"}]'


def parse(text: str | None) -> list | None:
	"""Return next steps; None where they are no list, or one that is too long.

	Args:
		text: a JSON list; empty for none.
	"""
	if not cstr(text).strip():
		return []
	try:
		steps = parsing.as_json(text)
	except ValueError:
		return None
	return steps if isinstance(steps, list) and len(steps) <= MOST_STEPS else None


def problems(text: str | None, doctype: str, events: Sequence[StepEvent], is_own: bool) -> Iterator[str]:
	"""Yield what is wrong with the next steps of a milestone or workflow.

	Args:
		text: a JSON list.
		doctype: of the workflow's documents.
		events: what they may wait for.
		is_own: whether the session user is their author, whose rights count.
	"""
	steps = parse(text)
	if steps is None:
		yield _("Next Steps must be a JSON list. Example: {0}.").format(EXAMPLE)
		return
	fault = _unknown(steps)
	if fault:
		yield fault
	elif is_own:
		for number, step in enumerate(steps, 1):
			for problem in (*_event_problems(step, events), *problems_of(step, doctype)):
				yield label(number) + problem


def label(number: int) -> str:
	"""Return how a sentence about a step begins.

	Args:
		number: of the step, from 1.
	"""
	return _("Next step {0}:").format(number) + " "


def _unknown(steps: list) -> str | None:
	names = [step.get("action") if isinstance(step, dict) else None for step in steps]
	unknown = next((name for name in names if not action_registry.action(name)), "")
	if unknown is None:
		return _("Each of its Next Steps needs an action, for example {0}.").format('{"action": "Submit"}')
	if unknown:
		return _("Its Next Steps contain the unknown action {0}. Choose one of: {1}.").format(
			escape_html(cstr(unknown)), ", ".join(action_registry.actions())
		)
	return None


def _event_problems(step: dict, events: Sequence[StepEvent]) -> Iterator[str]:
	allowed = [event.value for event in events]
	if step.get("when") not in (None, "", *allowed):
		yield _("It cannot wait for {0}. Choose one of: {1}.").format(
			escape_html(cstr(step["when"])), ", ".join(_(event) for event in allowed)
		)


def problems_of(step: dict, doctype: str) -> Iterator[str]:
	"""Yield what is wrong with a step, or what keeps the session user from doing it.

	Args:
		step: the name of the action in `action`, its arguments, and its condition.
		doctype: of the documents it acts on.
	"""
	yield from _condition_problems(step.get("condition"), doctype)
	yield from action_registry.problems(step, doctype)


def _condition_problems(condition, doctype: str) -> Iterator[str]:
	if not condition:
		return
	if not isinstance(condition, str):
		yield _("The condition of a next step is a text.")
		return
	fault = conditions.problem(condition, doctype)
	if fault:
		yield fault
		return
	yield from field_rights.problems_of_reading(doctype, *conditions.fields_used(condition, doctype))
