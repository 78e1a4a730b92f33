"""Commands for history: event logs in and out, Frappe's versions, changes that bypassed Frappe."""

import dataclasses
import json
from functools import partial

import click
from frappe.commands import pass_context
from frappe.utils import now_datetime

from milestone_automation import roll_ups
from milestone_automation.commands.connection import AS_JSON, ProgressBar, connected, print_json
from milestone_automation.engine.base import clock
from milestone_automation.engine.history import backfill, log_events, log_import
from milestone_automation.engine.plans import catching_up
from milestone_automation.engine.review import log_export

SHOWN_EXAMPLES = 10
LIMITS = log_events.Limits()


@click.command(
	"import-log",
	epilog="Example: bench --site erp.example.com milestones import-log orders.csv --doctype 'Purchase Order'"
	" --field status --dry-run",
)
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--doctype", required=True, help="DocType of the documents, one for each case of the log.")
@click.option(
	"--case",
	"case_field",
	default="name",
	show_default=True,
	help='Field of the document with the case id, or "name".',
)
@click.option(
	"--field", "track_field", required=True, help="Tracked field whose values are the activities of the log."
)
@click.option(
	"--case-key", help="Trace attribute or CSV column with the case id. [concept:name; case:concept:name]"
)
@click.option("--activity-key", help="Event attribute or CSV column with the value. [concept:name]")
@click.option("--timestamp-key", help="Event attribute or CSV column with the time. [time:timestamp]")
@click.option("--resource-key", help="Event attribute or CSV column with the person. [org:resource]")
@click.option("--timestamp-format", help="Format of times, such as %d.%m.%Y %H:%M. [ISO 8601]")
@click.option("--time-zone", help="Time zone of times without one, such as Europe/Paris. [that of the site]")
@click.option("--delimiter", help="Delimiter of a CSV file. [named by a sep= line or found in its header]")
@click.option("--encoding", help="Encoding of a CSV file. [by its byte order mark, else UTF-8]")
@click.option(
	"--max-unpacked",
	type=click.IntRange(min=1),
	default=LIMITS.unpacked,
	show_default=True,
	help="Refuse a file that is larger, unpacked, in MB. A packed one may also not unpack to 100 times its size.",
)
@click.option(
	"--max-value",
	type=click.IntRange(min=1),
	default=LIMITS.value,
	show_default=True,
	help="Refuse a file with a longer value, in characters.",
)
@click.option(
	"--max-line",
	type=click.IntRange(min=1),
	default=LIMITS.line,
	show_default=True,
	help="Refuse a CSV file with a longer line, in characters.",
)
@click.option(
	"--max-depth",
	type=click.IntRange(min=3),
	default=LIMITS.depth,
	show_default=True,
	help="Refuse an XES file with more elements inside each other.",
)
@click.option(
	"--max-events-per-case",
	type=click.IntRange(min=1),
	default=LIMITS.events_per_case,
	show_default=True,
	help="Refuse a file with more events of one case.",
)
@click.option("--dry-run", is_flag=True, help="Check and count only; write nothing.")
@click.option(
	"--strict", is_flag=True, help="Import nothing if there is a bad row or a case without a document."
)
@click.option("--allow-missing", is_flag=True, help="Record cases without a document too.")
@click.option("--every-event", is_flag=True, help="Record every event, not only those that change the value.")
@click.option(
	"--batch-size",
	type=click.IntRange(min=1),
	default=5000,
	show_default=True,
	help="Minimum number of events in one transaction; a case is never split.",
)
@AS_JSON
@pass_context
def import_log(
	context,
	file,
	doctype,
	case_field,
	track_field,
	time_zone,
	dry_run,
	strict,
	allow_missing,
	every_event,
	batch_size,
	max_unpacked,
	max_value,
	max_line,
	max_depth,
	max_events_per_case,
	as_json,
	**log_format,
):
	"""Import the history in FILE, an event log (XES or CSV, plain or gzipped).

	Each case is a document, and each change of its activity a milestone. The whole file is checked before anything is
	written. Importing it again adds only what is missing.
	"""
	limits = log_events.Limits(
		unpacked=max_unpacked,
		value=max_value,
		line=max_line,
		depth=max_depth,
		events_per_case=max_events_per_case,
	)
	options = log_import.ImportOptions(
		doctype=doctype,
		track_field=track_field,
		case_field=case_field,
		log_format=log_events.LogFormat(time_zone=time_zone, limits=limits, **log_format),
		dry_run=dry_run,
		strict=strict,
		allow_missing=allow_missing,
		every_event=every_event,
		batch_size=batch_size,
	)
	with connected(context) as commit, ProgressBar(as_json) as bar:
		try:
			summary = log_import.run(file, options, bar.show, commit)
		except log_import.ImportStopped as stopped:
			bar.close()
			_print_import(stopped.summary, True, as_json)
			raise
		if not dry_run:
			roll_ups.refresh(now_datetime(), commit, partial(bar.show, "Adding up"))
		bar.close()
		_print_import(summary, dry_run, as_json)


@click.command(
	"export-log",
	epilog="Example: bench --site erp.example.com milestones export-log 'Purchase Order' status --output orders.xes.gz",
)
@click.argument("doctype")
@click.argument("field")
@click.option(
	"--output",
	required=True,
	type=click.Path(dir_okay=False),
	help="File to write: .xes or .csv, gzipped if .gz follows.",
)
@click.option("--since", help="First date of the milestones, such as 2026-01-31.")
@click.option("--until", help="Last date of the milestones.")
@click.option("--filters", help="""Filters on the documents as JSON, such as '{"company": "ACME"}'.""")
@AS_JSON
@pass_context
def export_log(context, doctype, field, output, since, until, filters, as_json):
	"""Export the milestones of FIELD of DOCTYPE as an event log (XES or CSV): each document is a case.

	`import-log` reads the file back exactly.
	"""
	options = log_export.ExportOptions(
		doctype=doctype,
		track_field=field,
		log_format=_format_of(output),
		filters=_parsed_filters(filters),
	)
	with connected(context, alone=False), ProgressBar(as_json) as bar:
		options = dataclasses.replace(options, start=_parsed_day(since), end=_parsed_day(until))
		summary = log_export.to_file(output, options, lambda done, total: bar.show("Exporting", done, total))
		bar.close()
		if as_json:
			print_json(dataclasses.asdict(summary) | {"file": output})
			return
		click.echo(f"Cases            {summary.cases:>10,}\nEvents           {summary.events:>10,}")


def _format_of(output: str) -> str:
	log_format = output.removesuffix(".gz").rpartition(".")[2].lower()
	if log_format not in log_export.WRITERS:
		raise click.BadParameter("Name a file that ends with .xes, .xes.gz, .csv or .csv.gz.")
	return log_format


def _parsed_filters(text: str | None) -> list | dict | None:
	try:
		filters = json.loads(text) if text else None
	except ValueError as error:
		raise click.BadParameter(f"--filters is not JSON: {error}") from error
	if not isinstance(filters, list | dict | None):
		raise click.BadParameter("--filters takes a JSON object or list.")
	return filters


def _parsed_day(text: str | None):
	return clock.parse_day(text) if text else None


@click.command(
	"backfill", epilog="Example: bench --site erp.example.com milestones backfill 'Purchase Order' --dry-run"
)
@click.argument("tracker")
@click.option("--dry-run", is_flag=True, help="Count only; write nothing.")
@AS_JSON
@pass_context
def run_backfill(context, tracker, dry_run, as_json):
	"""Record the milestones from before TRACKER was created, out of Frappe's versions."""
	with connected(context) as commit, ProgressBar(as_json) as bar:
		summary = backfill.run(
			tracker, dry_run, lambda done, total: bar.show("Reading versions", done, total), commit
		)
		bar.close()
		if as_json:
			print_json(dataclasses.asdict(summary) | {"dry_run": dry_run})
		else:
			_print_backfill(summary, dry_run)


@click.command(
	"reconcile",
	epilog="Example: bench --site erp.example.com milestones reconcile --doctype 'Purchase Order'",
)
@click.option("--doctype", help="Only this DocType. [all tracked DocTypes]")
@AS_JSON
@pass_context
def run_reconcile(context, doctype, as_json):
	"""Find and record changes that bypassed Frappe (SQL, frappe.db.set_value). Also runs every night."""
	with connected(context) as commit, ProgressBar(as_json) as bar:
		recorded = catching_up.run(doctype, commit, bar.show)
		bar.close()
		if not recorded:
			raise click.ClickException(
				"No enabled Milestone Tracker" + (f" for {doctype}." if doctype else ".")
			)
		if as_json:
			print_json(recorded)
			return
		for tracker, count in recorded.items():
			click.echo(f"{tracker}: {count} milestones found later")


def _import_as_json(summary, dry_run: bool) -> dict:
	examples = [{"place": str(bad.place), "reason": bad.reason} for bad in summary.bad_examples]
	return dataclasses.asdict(summary) | {"bad_examples": examples, "dry_run": dry_run}


def _print_import(summary, dry_run: bool, as_json: bool) -> None:
	if as_json:
		print_json(_import_as_json(summary, dry_run))
		return
	would = "would be recorded" if dry_run else "recorded"
	span = f"   from {summary.first} to {summary.last}" if summary.events else ""
	lines = [
		f"Cases            {summary.cases:>10,}",
		f"Events           {summary.events:>10,}{span}",
		f"Values           {len(summary.values):>10,}",
		f"Changes          {summary.changes:>10,}   of value, in cases that are loaded",
		f"Milestones       {summary.added:>10,}   {would}",
		f"Already there    {summary.already_there:>10,}   from an earlier run",
	]
	optional = (
		(
			"Recorded already",
			summary.already_recorded,
			"since the site records the document itself; left out",
			[],
		),
		(
			"No document",
			summary.missing_cases,
			"cases; recorded only with --allow-missing",
			summary.missing_examples,
		),
		(
			"Ambiguous",
			summary.ambiguous_cases,
			"cases claimed by several documents; left out",
			summary.ambiguous_examples,
		),
		(
			"Unknown values",
			len(summary.unknown_values),
			"that the field does not know",
			list(summary.unknown_values),
		),
		(
			"Cut values",
			summary.cut_values,
			f"longer than a milestone holds; {summary.merged_values:,} of them became the same as another",
			[value[:60] for value in summary.cut_examples],
		),
		*(
			(f"Times {change.name.lower()}", count, f"without a zone: {change}", [])
			for change, count in summary.clock_changes.items()
		),
		("Bad rows", summary.bad_rows, "left out", [f"{b.place}: {b.reason}" for b in summary.bad_examples]),
	)
	for label, count, text, examples in optional:
		if count:
			lines.append(f"{label:<16} {count:>10,}   {text}")
			lines += [f"    {example}" for example in examples[:SHOWN_EXAMPLES]]
			if count > SHOWN_EXAMPLES and examples:
				lines.append("    ...")
	click.echo("\n".join(lines))


def _print_backfill(summary, dry_run: bool) -> None:
	would = "would be recorded" if dry_run else "recorded"
	for name, value in dataclasses.asdict(summary).items():
		if name == "by_field":
			for fieldname, count in value.items():
				click.echo(f"  {fieldname:<18} {count:>10,}   {would}")
		elif value or name in ("documents", "added"):
			click.echo(f"{name.replace('_', ' ').capitalize():<20} {value:>10,}")


COMMANDS = (import_log, export_log, run_backfill, run_reconcile)
