"""The week in one page: what is late, blocked or at risk, what comes next, what was reached and what moved."""

from datetime import timedelta

import frappe
from frappe import _
from frappe.utils import get_fullname, getdate, nowdate

from milestone_automation.desk.report_columns import column, count, document_columns
from milestone_automation.desk.report_filters import ReportFilters, for_its_reader
from milestone_automation.engine.review import plan_stages, week
from milestone_automation.engine.review.week import Section

# Of longer sections, the rest is counted in one line: the report is mailed.
SHOWN = 25
COLORS = {
	Section.LATE: "red",
	Section.BLOCKED: "purple",
	Section.AT_RISK: "orange",
	Section.NEXT: "blue",
	Section.REACHED: "green",
	Section.MOVED: "gray",
}


def labels() -> dict[Section, str]:
	"""Return the translated name of each section."""
	return {
		Section.LATE: _("Late"),
		Section.BLOCKED: _("Blocked"),
		Section.AT_RISK: _("At Risk"),
		Section.NEXT: _("Due in the Next 7 Days"),
		Section.REACHED: _("Reached in the Last 7 Days"),
		Section.MOVED: _("Moved in the Last 7 Days"),
	}


@for_its_reader
def execute(filters=None):
	"""Return columns, rows and numbers of the report.

	Args:
		filters: dict or its JSON: `workflow`, `reference_name`, and in a mail `for_user`, see `for_its_reader`.

	Raises:
		frappe.ValidationError: a filter has an invalid value.
		frappe.PermissionError: somebody asks for what another user may read.
	"""
	sections = get_sections(ReportFilters(filters))
	return get_columns(), get_data(sections), None, None, get_summary(sections)


def get_columns() -> list[dict]:
	return [
		column(_("Section"), "section", width=200),
		# What is shown is translated; links need to know.
		column(_("Section"), "section_key", width=0) | {"hidden": 1},
		*document_columns(),
		column(_("Milestone"), "stage_name", width=160),
		column(_("Key Date"), "key_date", "Date", width=110),
		count(_("Days"), "days", 80),
		column(_("Owner"), "owner", width=180),
		column(_("Workflow"), "workflow", "Link", "Milestone Workflow", 160),
	]


def get_sections(chosen: ReportFilters) -> dict[Section, list[week.Line]]:
	today = getdate(nowdate())
	stages = plan_stages.read(chosen.plans(), frappe.session.user)
	return week.summarize(stages, week.moved_since(today - timedelta(days=week.DAYS - 1)), today)


def get_data(sections: dict[Section, list[week.Line]]) -> list[dict]:
	rows = []
	for section, label in labels().items():
		lines = sections[section]
		rows += [_row(label, section, line) for line in lines[:SHOWN]]
		if len(lines) > SHOWN:
			more = _("{0} more").format(len(lines) - SHOWN)
			rows.append({"section": label, "section_key": section.value, "stage_name": more})
	return rows


def _row(label: str, section: Section, line: week.Line) -> dict:
	stage = line.stage
	return {
		"section": label,
		"section_key": section.value,
		"reference_type": stage.reference_type,
		"reference_name": stage.reference_name,
		"stage_name": stage.stage_name,
		"key_date": stage.due,
		"days": line.days,
		"owner": get_fullname(stage.owner) if stage.owner else _(stage.role),
		"workflow": stage.workflow,
	}


def get_summary(sections: dict[Section, list[week.Line]]) -> list[dict]:
	return [
		{"label": label, "value": len(sections[section]), "datatype": "Int", "indicator": COLORS[section]}
		for section, label in labels().items()
	]
