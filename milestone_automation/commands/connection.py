"""What all commands share: the connection to the site, a progress bar, and JSON for other programs."""

import json
from contextlib import contextmanager, nullcontext

import click
import frappe
from frappe.commands import get_site
from frappe.utils import strip_html
from frappe.utils.file_lock import LockTimeoutError
from frappe.utils.synchronization import filelock

LOCK = "milestone-history"
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")


def print_json(value) -> None:
	"""Print a value as JSON; dates and times as text.

	Args:
		value: of dicts, lists and plain values; what JSON has no word for is printed as its text.
	"""
	click.echo(json.dumps(value, default=str, indent=1, ensure_ascii=False))


@contextmanager
def connected(context, alone: bool = True):
	"""Connect to the site; yields the function that commits. Validation errors are one line, with exit code 1.

	Args:
		context: of click.
		alone: whether to refuse while another such command runs on the site.

	Raises:
		click.ClickException: another such command runs on the site, or frappe.ValidationError was raised inside.
	"""
	frappe.init(site=get_site(context))
	frappe.connect()
	try:
		with filelock(LOCK, timeout=1) if alone else nullcontext():
			yield commit
			commit()
	except LockTimeoutError as error:
		raise click.ClickException(
			"Another import, backfill or reconcile is running on this site. Wait for it, then run this again."
		) from error
	except frappe.ValidationError as error:
		frappe.db.rollback()
		raise click.ClickException(strip_html(str(error))) from error
	finally:
		frappe.destroy()


def commit() -> None:
	"""Commit what a command has done so far."""
	# Frappe commits requests and jobs, but not commands.
	frappe.db.commit()  # nosemgrep: frappe-manual-commit


class ProgressBar:
	"""Shows a progress bar for each step."""

	def __init__(self, is_hidden: bool = False):
		"""Take whether to show nothing, where the output is for other programs."""
		self.is_hidden = is_hidden
		self.what = None
		self.bar = None

	def __enter__(self):
		return self

	def __exit__(self, *_error):
		self.close()

	def show(self, what: str, done: int, total: int) -> None:
		"""Show how much of a step is done.

		Args:
			what: the step; another one than before gets a new bar.
			done, total: how much of it is done, and how much there is.
		"""
		if self.is_hidden:
			return
		if what != self.what:
			self.close()
			self.what = what
			self.bar = click.progressbar(length=total, label=f"{what:<16}")
			self.bar.__enter__()
		self.bar.update(done - self.bar.pos)

	def close(self) -> None:
		"""End the bar of the step."""
		if self.bar:
			self.bar.__exit__(None, None, None)
			self.bar = self.what = None
