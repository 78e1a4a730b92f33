"""How many days people take to answer a prompt: until the milestone is reached or gets a new key date."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

import frappe
from frappe.utils import get_datetime

from milestone_automation.engine.review.date_changes import DateChange
from milestone_automation.engine.review.plan_stages import StageRow
from milestone_automation.engine.rules.vocabulary import MessageKind

PAGE = 2_000
DAY = 24 * 60 * 60


def days(
	rows: list[StageRow], changes: Iterable[DateChange], start: date | None = None, end: date | None = None
) -> dict[str, list[float]]:
	"""Return the days from each answered prompt to its answer, by row name of the stage.

	Args:
		rows: stages that the user may see.
		changes: their date changes, of all times.
		start, end: first and last date of the answers that count; None for no limit.
	"""
	answers = defaultdict(list)
	for change in changes:
		answers[change.stage].append(change.changed_on)
	for row in rows:
		if row.reached_at:
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
