"""An action, a function that next steps may call, and listeners."""

from collections.abc import Iterator

import frappe
from frappe import _


def write_to_diary(doc, plan, stage, words: str, is_loud: bool = False) -> None:
	"""The action: write a line into the document, with the rights of whoever wrote the step."""
	line = f"{stage.stage_name}: {words}"
	doc.note = line.upper() if is_loud else line
	doc.save()


def why_not_to_diary(arguments: dict, doctype: str) -> Iterator[str]:
	"""What keeps the author of a step from it; asked when the workflow is saved, and again when the step runs."""
	if len(arguments["words"]) > 20:
		yield _("A line of the diary has at most 20 characters.")


def count_pieces(doc) -> None:
	"""For the action Call Method."""
	doc.pieces = (doc.pieces or 0) + 1
	doc.save()


def hear(event: dict) -> None:
	"""Called after the commit, as Administrator."""
	_remember(event["event"], event)


def on_reached(doc, method: str, event: dict) -> None:
	"""The same for documents of one kind."""
	_remember(f"{doc.doctype}: {event['event']}", event)


def _remember(what: str, event: dict) -> None:
	text = f"{what}: {event['stage']}"
	frappe.get_doc(event["reference_type"], event["reference_name"]).add_comment("Info", text)
