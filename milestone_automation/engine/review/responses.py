"""How many days people take to answer a prompt: until they reach the milestone, or give or propose another date.

What happens to a milestone without them is no answer: a date that moves along, that somebody else moves, or that a new
version of the workflow sets.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime

import frappe
from frappe.query_builder.functions import Coalesce
from frappe.utils import get_datetime

from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.vocabulary import DateChangeSource, MessageKind

PAGE = 2_000
DAY = 24 * 60 * 60
# Dates that somebody gave or proposed when asked.
ANSWERED_BY = (DateChangeSource.PROMPT.value, DateChangeSource.PROPOSAL.value)
# Dates that answer a prompt if the owner of the milestone set them.
BY_HAND = (DateChangeSource.FORM.value, DateChangeSource.DOCUMENT_FIELD.value)


def days(rows: list[StageRow], start: date | None = None, end: date | None = None) -> dict[str, list[float]]:
	"""Return the days from each answered prompt to its answer, by row name of the stage.

	Args:
		rows: stages that the user may see.
		start, end: first and last date of the answers that count; None for no limit.
	"""
	answers = _dates_given(rows)
	for row in rows:
		if row.reached_at and _is_by_owner(row, row.reached_by):
			answers[row.name].append(row.reached_at)
	days_by_stage = {}
	for stage, prompts in _prompts([row.name for row in rows]).items():
		waited = [
			waited
			for answered, waited in _waited(sorted(prompts), sorted(answers[stage]))
			if (start is None or answered >= start) and (end is None or answered <= end)
		]
		if waited:
			days_by_stage[stage] = waited
	return days_by_stage


def _waited(prompts: list[datetime], answers: list[datetime]) -> list[tuple[date, float]]:
	"""Return the day of each answer and the days since its prompt; of several before one answer, the first counts."""
	waited = []
	answered = -1
	for prompt in prompts:
		index = bisect_left(answers, prompt)
		if index < len(answers) and index > answered:
			waited.append((answers[index].date(), (answers[index] - prompt).total_seconds() / DAY))
			answered = index
	return waited


def _is_by_owner(stage: StageRow, user: str) -> bool:
	"""Tell whether a user answers for a stage; nobody else does where it has a user as owner."""
	return stage.role != "" or stage.owner in ("", user) or not user


def _dates_given(rows: list[StageRow]) -> dict[str, list[datetime]]:
	"""Return when dates were given or proposed as an answer, by row name of the stage; also those that were declined."""
	stages = {row.name: row for row in rows}
	answer_times = defaultdict(list)
	for name, source, changed_by, answered_on in _changes(list(stages)):
		if source in ANSWERED_BY or (source in BY_HAND and _is_by_owner(stages[name], changed_by)):
			answer_times[name].append(get_datetime(answered_on))
	return answer_times


def _changes(stages: list[str]) -> Iterator[tuple]:
	"""Yield stage, source, user and time of all date changes and proposals; of a proposal the time it was made."""
	change = frappe.qb.DocType("Milestone Date Change")
	moment = Coalesce(change.proposed_on, change.changed_on, change.creation)
	for begin in range(0, len(stages), PAGE):
		query = frappe.qb.from_(change).select(change.plan_stage, change.source, change.changed_by, moment)
		yield from query.where(change.plan_stage.isin(stages[begin : begin + PAGE])).run()


def _prompts(stages: list[str]) -> dict[str, set[datetime]]:
	"""Return the times of the prompts of each stage; prompts to several people at one time count once."""
	message = frappe.qb.DocType("Milestone Message")
	prompts = defaultdict(set)
	for begin in range(0, len(stages), PAGE):
		query = (
			frappe.qb.from_(message)
			.select(message.plan_stage, message.sent_on)
			.where(message.plan_stage.isin(stages[begin : begin + PAGE]))
			.where(message.kind == MessageKind.PROMPT.value)
			.where(message.sent_on.isnotnull())
		)
		for stage, sent_on in query.run():
			prompts[stage].add(get_datetime(sent_on))
	return prompts
