"""What blocks or delays active plans, with the people it is assigned to."""

from collections import Counter

from frappe import _
from frappe.utils import get_fullname, getdate, nowdate

from milestone_automation.desk.report_columns import column, count, document_columns
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import blocked, plan_stages


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report.

	Args:
		filters: dict or its JSON: `workflow` and `reference_name`.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	blockers = find(ReportFilters(filters))
	return get_columns(), [_row(blocker) for blocker in blockers], None, get_chart(blockers)


def get_columns() -> list[dict]:
	return [
		*document_columns(),
		column(_("Milestone"), "stage_name", width=160),
		column(_("Health"), "health", width=90),
		column(_("Key Date"), "key_date", "Date", width=110),
		column(_("Task"), "task", "Link", "Milestone Task", 0) | {"hidden": 1},
		column(_("Open Task or Exit Criterion"), "title", width=220),
		column(_("Required"), "required", "Check", width=80),
		column(_("Due Date"), "due", "Date", width=110),
		column(_("Since"), "since", "Date", width=110),
		count(_("Days Overdue"), "days", 110),
		column(_("Assigned People"), "people", width=220),
	]


def find(chosen: ReportFilters) -> list[blocked.Blocker]:
	"""Return what is blocked or overdue today in active plans, by the filters.

	Args:
		chosen: `workflow` and `reference_name`; empty for all that the user may see.
	"""
	return blocked.find(plan_stages.read(chosen.plans(running_only=True)), getdate(nowdate()))


def _people(blocker: blocked.Blocker) -> list[str]:
	return blocker.people if blocker.task else [get_fullname(person) for person in blocker.people]


def _row(blocker: blocked.Blocker) -> dict:
	return {
		"reference_type": blocker.stage.reference_type,
		"reference_name": blocker.stage.reference_name,
		"stage_name": blocker.stage.stage_name,
		"health": blocker.stage.health,
		"key_date": blocker.stage.due,
		"task": blocker.task,
		"title": blocker.title,
		"required": int(blocker.required),
		"due": blocker.due,
		"since": blocker.since,
		"days": blocker.days,
		"people": ", ".join(_people(blocker)),
	}


def get_chart(blockers: list[blocked.Blocker]) -> dict | None:
	load = Counter(person for blocker in blockers for person in _people(blocker))
	busiest = sorted(load.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
	if not busiest:
		return None
	return {
		"data": {
			"labels": [person for person, _count in busiest],
			"datasets": [
				{"name": _("Blocked or Overdue"), "values": [number for _person, number in busiest]}
			],
		},
		"type": "bar",
		"colors": ["#9c45e3"],
	}
