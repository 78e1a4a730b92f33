"""Baselines: what the key dates were at a moment, by the record of their changes. Nothing is copied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import frappe
from frappe.utils import get_datetime

from milestone_automation.engine.review import date_changes, plan_stages
from milestone_automation.engine.review.date_changes import DateChange
from milestone_automation.engine.review.plan_stages import StageRow


@dataclass(frozen=True)
class Baseline:
	"""A moment with a name.

	Attributes:
		name: of the Milestone Baseline.
		taken_on: the moment, naive, in the site's time zone.
		plan: name of the only plan it is about; None for all of the workflow.
		workflow: name of the workflow.
	"""

	name: str
	taken_on: datetime
	plan: str | None
	workflow: str | None

	def covers(self, stage: StageRow) -> bool:
		"""Tell whether a stage belongs to the plan, or to the workflow whose plans, it is about.

		Args:
			stage: of any plan.
		"""
		return stage.plan == self.plan if self.plan else stage.workflow == self.workflow


def find(name: str) -> Baseline | None:
	"""Return a baseline that the session user may read; None where there is none for them.

	Args:
		name: of a Milestone Baseline.

	Raises:
		frappe.PermissionError: the session user may read no Milestone Baseline at all.
	"""
	rows = frappe.get_list(
		"Milestone Baseline", {"name": name}, ["name", "taken_on", "plan", "workflow"], limit=1
	)
	if not rows:
		return None
	row = rows[0]
	return Baseline(row.name, get_datetime(row.taken_on), row.plan or None, row.workflow or None)


def due_at(stage: StageRow, changes: Iterable[DateChange], moment: datetime) -> date | None:
	"""Return the key date that a stage had at a moment; None if it had none, or its plan came later.

	Args:
		stage: the stage.
		changes: its date changes, oldest first.
		moment: naive, in the site's time zone.
	"""
	if stage.created and stage.created > moment:
		return None
	moves = list(changes)
	later = next((change for change in moves if change.changed_on > moment), None)
	return later.old if later else stage.due


def dates_then(
	stages: Sequence[StageRow], moves: Mapping[str, list[DateChange]], baseline: Baseline | None
) -> dict[str, date | None]:
	"""Return the key dates of stages at a baseline, by row name.

	The plan of an amended document began later: of before, the plan that it has taken over tells.

	Args:
		stages: rows that the user may see.
		moves: their date changes, oldest first, by row name.
		baseline: None for none.
	"""
	if not baseline:
		return {}
	before = plan_stages.before_amending(stages, baseline.taken_on)
	earlier = defaultdict(list)
	for change in date_changes.read(before.values()):
		earlier[change.stage].append(change)
	then = {}
	for stage in stages:
		old = before.get(stage.name, stage)
		changes = earlier[old.name] if old is not stage else moves.get(stage.name, ())
		then[stage.name] = due_at(old, changes, baseline.taken_on) if baseline.covers(old) else None
	return then


def compared(stage: StageRow, then: Mapping[str, date | None]) -> dict:
	"""Return what a report shows of a stage against a baseline: its date then, and the days from it to the date now.

	Args:
		stage: the stage.
		then: as `dates_then` returns it.

	Returns:
		dict: `baseline` and `since_baseline` (days, negative for earlier), both None where it had no date; empty
		without a baseline.
	"""
	if stage.name not in then:
		return {}
	day, now = then[stage.name], stage.reached or stage.due
	return {"baseline": day, "since_baseline": (now - day).days if now and day else None}
