"""Commands for plans and workflows, and the doctor."""

import json
from pathlib import Path

import click
import frappe
from frappe.commands import pass_context
from frappe.query_builder.functions import Count
from frappe.utils import add_days, getdate, now_datetime
from pypika.functions import Coalesce
from pypika.terms import NullValue

from milestone_automation import doctor
from milestone_automation.commands.connection import AS_JSON, ProgressBar, commit, connected, print_json
from milestone_automation.engine.base.save_state import Mark, mark
from milestone_automation.engine.messages import hourly
from milestone_automation.engine.plans import bulk_start
from milestone_automation.engine.rules.vocabulary import Health, PlanStatus, StageStatus, TaskStatus
from milestone_automation.engine.tracking import registry
from milestone_automation.engine.workflows import authors

PLAN_COLUMNS = (
	"name",
	"reference_type",
	"reference_name",
	"workflow",
	"health",
	"current_stage",
	"next_date",
)
LATEST_DAY = "9999-12-31"
DUE_COLUMNS = ("kind", "due", "reference_type", "reference_name", "what", "who")
# What of a workflow belongs to the site it is on.
UNEXPORTED = ("version", *authors.AUTHOR_FIELDS, "forecast_up_to", "forecast_again_on")


@click.command("status", epilog="Example: bench --site erp.example.com milestones status --json")
@AS_JSON
@pass_context
def status(context, as_json):
	"""Count trackers, workflows, plans by health, and what waits to be sent."""
	with connected(context, alone=False):
		rules = registry.all_rules()
		counts = {
			"tracked": len([name for name, rule in rules.items() if rule.tracker]),
			"workflows": frappe.db.count("Milestone Workflow", {"enabled": 1}),
			"plans": _counts("Milestone Plan", "health", PlanStatus.ACTIVE.value),
			"tasks": _counts("Milestone Task", "status"),
			"messages": _counts("Milestone Message", "status"),
			"due": len(hourly.due_plans(getdate())),
		}
		if as_json:
			print_json(counts)
			return
		for name, value in counts.items():
			if isinstance(value, dict):
				value = ", ".join(f"{key} {count:,}" for key, count in value.items()) or "none"
			click.echo(f"{name.capitalize():<12} {value}")


def _check_workflow(name: str) -> None:
	if not frappe.db.exists("Milestone Workflow", name):
		raise click.ClickException(f"There is no workflow {name}.")


def _counts(doctype: str, field: str, status: str | None = None) -> dict[str, int]:
	table = frappe.qb.DocType(doctype)
	query = (
		frappe.qb.from_(table).groupby(table[field]).orderby(table[field]).select(table[field], Count("*"))
	)
	return dict((query.where(table.status == status) if status else query).run())


@click.command("plans", epilog="Example: bench --site erp.example.com milestones plans --health Late")
@click.option("--workflow", help="Only of this workflow.")
@click.option(
	"--health",
	type=click.Choice([health.value for health in Health], case_sensitive=False),
	help="Only of this health.",
)
@click.option("--document", "reference_name", help="Only of this document.")
@click.option("--limit", type=click.IntRange(min=1), help="List no more plans than that. [all]")
@AS_JSON
@pass_context
def plans(context, workflow, health, reference_name, limit, as_json):
	"""List active plans, the most urgent first."""
	options = {"workflow": workflow, "health": health, "reference_name": reference_name}
	with connected(context, alone=False):
		chosen = {
			"status": PlanStatus.ACTIVE.value,
			**{key: value for key, value in options.items() if value},
		}
		if workflow:
			_check_workflow(workflow)
		plan = frappe.qb.DocType("Milestone Plan")
		query = frappe.qb.from_(plan).select(*(plan[column] for column in PLAN_COLUMNS))
		for column, value in chosen.items():
			query = query.where(plan[column] == value)
		# Plans on hold have no next check; databases put them first or last, and they are the least urgent.
		for day in (plan.next_check, plan.next_date):
			query = query.orderby(Coalesce(day, LATEST_DAY))
		query = query.orderby(plan.name)
		_print_rows((query.limit(limit) if limit else query).run(as_dict=True), as_json)


@click.command("due", epilog="Example: bench --site erp.example.com milestones due --days 7")
@click.option("--days", type=click.IntRange(0, 3650), default=0, show_default=True, help="Look so far ahead.")
@AS_JSON
@pass_context
def due(context, days, as_json):
	"""List milestones and tasks that are due or overdue; none of plans on hold, no skipped milestones."""
	with connected(context, alone=False):
		_print_rows(sorted(_due(add_days(getdate(), days)), key=lambda row: str(row["due"])), as_json)


def _due(until) -> list[dict]:
	stage, task = frappe.qb.DocType("Milestone Plan Stage"), frappe.qb.DocType("Milestone Task")
	owner = Coalesce(stage.stage_owner, stage.outside_owner_name)
	stages = _of_active_plans(stage, stage.parent, stage.key_date, stage.stage_name, owner)
	stages = stages.where((stage.status == StageStatus.OPEN.value) & (stage.key_date <= until))
	stages = stages.where(Coalesce(stage.health, "") != Health.SKIPPED.value)
	tasks = _of_active_plans(task, task.plan, task.due_date, task.title, NullValue())
	tasks = tasks.where((task.status == TaskStatus.OPEN.value) & (task.due_date <= until))
	return [
		dict(zip(DUE_COLUMNS, (kind, str(day), doctype, name, what, who or ""), strict=True))
		for kind, query in (("Milestone", stages), ("Task", tasks))
		for day, doctype, name, what, who in query.run()
	]


def _of_active_plans(table, link, day, what, who):
	plan = frappe.qb.DocType("Milestone Plan")
	query = frappe.qb.from_(table).join(plan).on(plan.name == link)
	query = query.select(day, plan.reference_type, plan.reference_name, what, who)
	return query.where(plan.status == PlanStatus.ACTIVE.value).where(plan.on_hold_since.isnull())


def _print_rows(rows: list[dict], as_json: bool) -> None:
	if as_json:
		print_json(rows)
		return
	if not rows:
		click.echo("None.")
		return
	table = [list(rows[0]), *([str(value or "") for value in row.values()] for row in rows)]
	widths = [max(len(text) for text in column) for column in zip(*table, strict=True)]
	for line in table:
		click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


@click.command(
	"start-plans", epilog="Example: bench --site erp.example.com milestones start-plans 'Purchase Order'"
)
@click.argument("workflow")
@AS_JSON
@pass_context
def start_plans(context, workflow, as_json):
	"""Start the plans of all existing documents that WORKFLOW matches. It can be run again."""
	with connected(context):
		_check_workflow(workflow)
		with ProgressBar(as_json) as bar:
			result = bulk_start.run(
				workflow, show=lambda done, total: bar.show("Starting plans", done, total)
			)
		if as_json:
			print_json(result)
			return
		click.echo(f"Started {result['started']:>10,}")
		for reason, count in result["skipped"].items():
			click.echo(f"Skipped {count:>10,}   {reason}")


@click.command("sweep", epilog="Example: bench --site erp.example.com milestones sweep")
@AS_JSON
@pass_context
def sweep(context, as_json):
	"""Do now what the scheduler does every hour: ask, remind and warn whoever is due.

	If more plans are due than the scheduler sweeps itself, background jobs do it, and their messages are not counted.
	"""
	with connected(context):
		before = frappe.db.count("Milestone Message")
		with ProgressBar(as_json) as bar:
			hourly.run(now_datetime(), lambda done, total: bar.show("Sweeping", done, total))
		commit()
		messages = frappe.db.count("Milestone Message") - before
		if as_json:
			print_json({"messages": messages})
			return
		click.echo(f"Messages {messages:>10,}")


@click.command(
	"export-workflow", epilog="Example: milestones export-workflow 'Purchase Order' --output po.json"
)
@click.argument("workflow")
@click.option("--output", type=click.Path(dir_okay=False), help="File to write. [standard output]")
@AS_JSON
@pass_context
def export_workflow(context, workflow, output, as_json):
	"""Write WORKFLOW as JSON, for another site or a repository.

	With --json, what is printed after writing a file is JSON too.
	"""
	with connected(context, alone=False):
		_check_workflow(workflow)
		text = json.dumps(
			_exported(frappe.get_doc("Milestone Workflow", workflow)),
			indent=1,
			default=str,
			ensure_ascii=False,
		)
		if not output:
			click.echo(text)
			return
		_write(output, text + "\n")
		if as_json:
			print_json({"workflow": workflow, "file": output})
			return
		click.echo(f"Written to {output}")


def _write(file: str, text: str) -> None:
	try:
		Path(file).write_text(text, encoding="utf-8")
	except OSError as error:
		raise click.ClickException(f"Cannot write {file}: {error.strerror or error}.") from error


def _exported(doc) -> dict:
	values = doc.as_dict(
		no_nulls=True, no_default_fields=True, convert_dates_to_str=True, no_child_table_fields=True
	)
	for row in (values, *values["stages"], *values["tasks"]):
		for fieldname in UNEXPORTED:
			row.pop(fieldname, None)
	return {"doctype": doc.doctype, **values}


@click.command("import-workflow", epilog="Example: milestones import-workflow po.json")
@click.argument("file", type=click.Path(dir_okay=False, exists=True))
@click.option("--name", help="Another name for it. [that in the file]")
@AS_JSON
@pass_context
def import_workflow(context, file, name, as_json):
	"""Make a workflow from a FILE of export-workflow. It stays disabled until somebody has looked at it.

	Whoever enables it answers for its next steps and messages: they do and tell nothing that this user may not.
	"""
	try:
		values = json.loads(Path(file).read_text(encoding="utf-8"))
	except OSError as error:
		raise click.ClickException(f"Cannot read {file}: {error.strerror or error}.") from error
	except ValueError as error:
		raise click.ClickException(f"{file} is not JSON: {error}") from error
	if not isinstance(values, dict) or values.get("doctype") != "Milestone Workflow":
		raise click.ClickException(f"{file} is not a workflow that export-workflow has written.")
	with connected(context):
		values["workflow_name"] = name or values.get("workflow_name")
		if frappe.db.exists("Milestone Workflow", values["workflow_name"]):
			raise click.ClickException(
				f"There is a workflow {values['workflow_name']} already. Choose another one with --name."
			)
		workflow = frappe.get_doc(values | {"enabled": 0})
		# A command runs as Administrator, who would answer for whatever the file says.
		mark(workflow, Mark.WRITTEN_ELSEWHERE)
		workflow.insert()
		if as_json:
			print_json({"workflow": workflow.name, "enabled": workflow.enabled})
			return
		click.echo(f"{values['workflow_name']} is there, disabled. Look at it in the Desk, then enable it.")


@click.command("doctor", epilog="Example: bench --site erp.example.com milestones doctor --fix")
@click.option("--fix", is_flag=True, help="Mend what can be mended from here.")
@AS_JSON
@pass_context
def run_doctor(context, fix, as_json):
	"""Look for what is wrong: hooks, core's DocTypes, scheduler, indexes, orphans, plans, mail, next steps.

	Exits with 1 if something is wrong, and with --fix if something is still wrong afterwards.
	"""
	with connected(context, alone=fix):
		findings = doctor.examine()
		if fix:
			for finding in findings:
				if not finding.is_well and finding.fix:
					finding.fix()
					commit()
			findings = doctor.examine()
		_print_findings(findings, as_json)
		ill = any(not finding.is_well for finding in findings)
	if ill:
		raise click.exceptions.Exit(1)


def _print_findings(findings: list[doctor.Finding], as_json: bool) -> None:
	if as_json:
		rows = [
			{
				"check": finding.check,
				"faults": finding.faults,
				"advice": finding.advice,
				"fixable": bool(finding.fix),
			}
			for finding in findings
		]
		print_json(rows)
		return
	for finding in findings:
		click.echo(f"{'✓' if finding.is_well else '✗'} {finding.check}")
		for fault in finding.faults:
			click.echo(f"    {fault}")
		if finding.faults and finding.advice:
			click.echo(f"    {finding.advice}")
		if finding.faults and finding.fix:
			click.echo("    Run this again with --fix.")


COMMANDS = (status, plans, due, start_plans, sweep, export_workflow, import_workflow, run_doctor)
