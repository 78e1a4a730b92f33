"""How often milestones are reached on time: by workflow, milestone, owner, role, supplier or month."""

from frappe import _
from frappe.utils import get_fullname, getdate, nowdate

from milestone_automation.desk.report_columns import column, count, days, percent
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import on_time, plan_stages, responses

SHOWN_IN_CHART = 12


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and chart of the report.

	Args:
		filters: dict or its JSON: `workflow`, `reference_name`, `group_by` (one of `on_time.GROUPS`), the dates
			`from_date` and `to_date`, and `early_days` and `late_days` that still count as on time.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
	"""
	chosen = ReportFilters(filters)
	rows = get_data(chosen)
	return get_columns(chosen), rows, None, get_chart(rows)


def group_of(chosen: ReportFilters) -> str:
	"""Return the chosen group, one of `on_time.GROUPS`.

	Args:
		chosen: filters of the report; "Milestone" where it says nothing.

	Raises:
		frappe.ValidationError: it is another one.
	"""
	return chosen.choice("group_by", on_time.GROUPS, "Milestone")


def get_columns(chosen: ReportFilters) -> list[dict]:
	return [
		column(_(group_of(chosen)), "group", width=200),
		column(_("Group"), "key", width=0) | {"hidden": 1},
		count(_("Reached"), "reached"),
		count(_("Early"), "early"),
		count(_("On Time"), "on_time"),
		count(_("Late"), "late"),
		percent(_("On Time %"), "rate", 100),
		days(_("Mean Days Late"), "mean_days", 130),
		days(_("Median Days Late"), "median_days", 140),
		count(_("Open and Overdue"), "overdue", 140),
		days(_("Days to Answer"), "answer_days", 120),
	]


def get_data(chosen: ReportFilters) -> list[dict]:
	group = group_of(chosen)
	tolerance = on_time.Tolerance(chosen.days("early_days"), chosen.days("late_days"))
	stages = list(plan_stages.read(chosen.plans()))
	measured = on_time.measure(stages, group, getdate(nowdate()), tolerance, *chosen.period())
	answers = _answer_days(stages, group, chosen.period())
	return [_row(punctuality, group, answers.get(punctuality.group)) for punctuality in measured]


def _answer_days(stages: list[plan_stages.StageRow], group: str, period: tuple) -> dict[str, float]:
	waited = responses.days(stages, *period)
	groups: dict[str, list[float]] = {}
	for stage in stages:
		if stage.name in waited:
			groups.setdefault(on_time.GROUPS[group](stage), []).extend(waited[stage.name])
	return {name: sum(days_) / len(days_) for name, days_ in groups.items()}


def _row(punctuality: on_time.Punctuality, group: str, answer_days: float | None) -> dict:
	name = get_fullname(punctuality.group) if group == "Owner" and punctuality.group else punctuality.group
	return {
		"group": name or _("Not Set"),
		"key": punctuality.group,
		"reached": punctuality.reached,
		"early": punctuality.early,
		"on_time": punctuality.on_time,
		"late": punctuality.late,
		"rate": None if punctuality.rate is None else punctuality.rate * 100,
		"mean_days": punctuality.mean_days,
		"median_days": punctuality.median_days,
		"overdue": punctuality.overdue,
		"answer_days": answer_days,
	}


def get_chart(rows: list[dict]) -> dict | None:
	shown = [row for row in rows if row["reached"]][:SHOWN_IN_CHART]
	if not shown:
		return None
	parts = (("early", _("Early")), ("on_time", _("On Time")), ("late", _("Late")))
	datasets = [{"name": label, "values": [row[part] for row in shown]} for part, label in parts]
	return {
		"data": {"labels": [row["group"] for row in shown], "datasets": datasets},
		"type": "bar",
		"barOptions": {"stacked": 1},
		"colors": ["#70b6f0", "#30a66d", "#e03636"],
	}
