"""Comments and files that people from outside send with what they do, or alone."""

import html
import re

import frappe
from frappe import _
from frappe.utils import add_to_date, cstr, escape_html, now_datetime

from milestone_automation.links import uploads

COMMENT_ACTION = "comment"
COMMENT_LENGTH = 4000
SENT_TWICE = 10  # minutes in which the same words are the same comment
LINE_BREAK = re.compile(r"<br\s*/?>")


def text_of(form: dict) -> str:
	"""Return the comment of a form.

	Args:
		form: as `link_page.plain_form` returns it.

	Returns:
		str: at most 4000 characters, without blanks at its ends; empty for none.
	"""
	return cstr(form.get("comment")).strip()[:COMMENT_LENGTH]


def is_sent(form: dict) -> bool:
	"""Tell whether a form came with a comment or a file.

	Args:
		form: as in `text_of`.
	"""
	return bool(text_of(form) or uploads.sent_file())


def sentence(form: dict) -> str:
	"""Return the sentence about what was sent.

	Args:
		form: as in `text_of`.

	Raises:
		frappe.ValidationError: nothing was.
	"""
	if not is_sent(form):
		frappe.throw(_("Please write a comment or choose a file first."))
	return _("Your file was sent.") if uploads.sent_file() else _("Your comment was sent.")


def keep(doctype: str, name: str, sender: tuple[str, str], comment: str, about: str = "") -> None:
	"""Attach the file that came with the form, and write the comment; call it last.

	Frappe takes no file back from the disk when only a savepoint is undone. What comes twice, because a button was
	pressed twice or the page loaded again, is kept once.

	Args:
		doctype, name: the task or plan that gets them.
		sender: address and name of who sends them, whom a signed link proves.
		comment: text; empty for none.
		about: what of the plan they are about, before the text.

	Raises:
		frappe.ValidationError: as `uploads.attach`.
	"""
	by_sender = {
		"comment_type": "Comment",
		"reference_doctype": doctype,
		"reference_name": name,
		"comment_email": sender[0],
	}
	file = None
	if sent := uploads.sent_file():
		filename, file = uploads.attach(doctype, name, sent, _files_of(by_sender))
		comment = f"{comment}\n{_('Attached: {0}').format(filename)}".strip()
	if not comment:
		return
	text = f"{about}: {comment}" if about else comment
	content = escape_html(text).replace("\n", "<br>")
	if _words_of(content) in _words_sent_just_now(by_sender, file):
		return
	# Who has no account owns no row of theirs: the subject says whose file it is.
	values = by_sender | {"comment_by": sender[1], "content": content, "subject": file}
	comment = frappe.get_doc({"doctype": "Comment", **values})
	comment.insert(ignore_permissions=True)  # the signed link is the right to comment


def _words_sent_just_now(by_sender: dict, file: str | None) -> list[str]:
	"""Return the words of a person's latest comments with just this file, or without one."""
	just_now = add_to_date(now_datetime(), minutes=-SENT_TWICE)
	filters = by_sender | {"creation": (">", just_now), "subject": file or ("is", "not set")}
	return [_words_of(content) for content in frappe.get_all("Comment", filters, pluck="content")]


def _words_of(content: str) -> str:
	"""Return the text of a comment of ours: Frappe stores entities, line breaks and blanks in its own way."""
	return " ".join(html.unescape(LINE_BREAK.sub(" ", content)).split())


def _files_of(by_sender: dict) -> list[str]:
	"""Return the names of the File documents that a person has sent to a task or plan, as their comments say."""
	return frappe.get_all("Comment", by_sender | {"subject": ("is", "set")}, pluck="subject")


def not_taken(page: dict, form: dict, is_post: bool) -> dict:
	"""Return a page that refuses; it also says that a comment or file which came along was not taken.

	Args:
		page: what the template shows, with `text`.
		form: as in `text_of`.
		is_post: whether the form was sent; an opened link sends nothing.
	"""
	if not is_post or not is_sent(form):
		return page
	return page | {"text": f"{page['text']} {_('What you have sent was not taken.')}"}


def for_page() -> dict:
	"""Return what a form needs to know about files."""
	return {
		"file_types": ",".join(f".{ending}" for ending in uploads.allowed_types()),
		"megabytes": uploads.most_megabytes(),
	}
