"""What people and files write is plain text. It is cleaned here, once, whatever writes it.

Frappe's forms, lists and timelines print the text of a field as HTML, and only `Document.save` sanitizes it. So
documents of ours are cleaned where the document layer writes them, and rows that go past it in `bulk`.
"""

import html
import re

from bs4 import BeautifulSoup
from frappe.model.document import Document
from frappe.utils.html_utils import clean_email_html, sanitize_html

# PostgreSQL refuses NUL in text and UTF-8 half of a surrogate pair; the others have no place in a list view.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# What a browser takes for the start of a tag.
TAG_START = re.compile(r"<(?=[a-zA-Z/!?])")
# Looks like it, and is none to any browser. Nothing is lost, and no text becomes empty or longer.
NO_TAG = "\u2039"
# Only texts with one of these need a closer look.
SUSPECT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff<&]")
# How often something may be written in entities of entities before it is no longer read.
MOST_READINGS = 8
PLAIN_TYPES = frozenset({"Data", "Small Text", "Text", "Long Text", "Read Only", "Phone", "Autocomplete"})
HTML_TYPES = frozenset({"Text Editor"})
# An image tells its server who reads the mail; a button looks like one of ours. Frappe allows both.
UNWANTED_TAGS = re.compile(r"</?(?:img|image|button|picture|video|audio)\b[^>]*>?", re.IGNORECASE)
A_TAG = "<b></b>"
# In a comment: what goes with all that is in it, and what leaves its words behind.
LOADED_TAGS = frozenset(
	{
		"style",
		"script",
		"img",
		"image",
		"svg",
		"math",
		"video",
		"audio",
		"picture",
		"source",
		"iframe",
		"object",
	}
	| {"embed", "link", "meta", "base"}
)
FORM_TAGS = frozenset({"form", "input", "button", "select", "textarea", "option", "label", "fieldset"})
OWN_FILES = ("/files/", "/private/files/")


def clean(text: str) -> str:
	"""Return text that is none but text to whatever shows it.

	Args:
		text: as somebody wrote it.

	Returns:
		str: without control characters; each "<" that would begin a tag, also one written with entities, is `NO_TAG`.
	"""
	if not SUSPECT.search(text):
		return text
	text = CONTROL_CHARACTERS.sub("", text)
	read = _without_entities(text)
	return TAG_START.sub(NO_TAG, read if TAG_START.search(read) else text)


def _without_entities(text: str) -> str:
	for _time in range(MOST_READINGS):
		if "&" not in text or (read := html.unescape(text)) == text:
			break
		text = CONTROL_CHARACTERS.sub("", read)
	return text


def clean_html(text: str) -> str:
	"""Return HTML that may be shown to everybody: text, lists, tables, links; no script, style, form, button or image.

	Args:
		text: HTML as somebody wrote it.
	"""
	if not SUSPECT.search(text):
		return text
	text = clean_email_html(_without_unwanted_tags(CONTROL_CHARACTERS.sub("", text)))
	# Frappe leaves JSON alone, and a text in quotes is JSON. With a tag before it, it is not.
	return sanitize_html(A_TAG + text, linkify=False).removeprefix(A_TAG)


def _without_unwanted_tags(text: str) -> str:
	for _time in range(MOST_READINGS):
		# Taking one out may put another one together.
		text, count = UNWANTED_TAGS.subn("", text)
		if not count:
			return text
	return TAG_START.sub(NO_TAG, text)


def clean_comment(text: str) -> str:
	"""Return a comment without forms, styles and what is loaded from other servers; mentions and own images stay.

	Args:
		text: HTML as Frappe's editor makes it.
	"""
	if "<" not in text:
		return text
	soup = BeautifulSoup(text, "html.parser")
	for tag in soup.find_all(True):
		if tag.decomposed:
			continue
		own_image = tag.name == "img" and str(tag.get("src")).startswith(OWN_FILES)
		if tag.name in LOADED_TAGS and not own_image:
			tag.decompose()
		elif tag.name in FORM_TAGS:
			tag.unwrap()
		elif "url(" in str(tag.get("style")).lower():
			del tag["style"]
	return sanitize_html(A_TAG + str(soup), linkify=False).removeprefix(A_TAG)


CLEANERS = dict.fromkeys(PLAIN_TYPES, clean) | dict.fromkeys(HTML_TYPES, clean_html)


def clean_values(meta, values: dict) -> dict:
	"""Return field values with every text cleaned by its type.

	Args:
		meta: of the DocType.
		values: by field name; other types of values stay as they are.
	"""
	return {name: _clean_value(meta, name, value) for name, value in values.items()}


def _clean_value(meta, name: str, value):
	# Nearly no text is suspect, and only for those the field is looked up.
	if not isinstance(value, str) or not SUSPECT.search(value):
		return value
	field = meta.get_field(name)
	cleaner = CLEANERS.get(field.fieldtype) if field else None
	return cleaner(value) if cleaner else value


class PlainTextDocument(Document):
	"""A document, or row of one, whose text fields hold plain text, however it is written."""

	def db_insert(self, *args, **kwargs):
		"""Insert the row, cleaned."""
		self.clean_texts()
		return super().db_insert(*args, **kwargs)

	def db_update(self, *args, **kwargs):
		"""Update the row, cleaned."""
		self.clean_texts()
		return super().db_update(*args, **kwargs)

	def update_single(self, values):
		"""Write the values of a Single, cleaned.

		Args:
			values: by field name.
		"""
		return super().update_single(clean_values(self.meta, values))

	def db_set(self, fieldname, value=None, *args, **kwargs):
		"""Set one value or several, cleaned.

		Args:
			fieldname: of the field, or a dict of values by field name.
			value: for a single field.
			args, kwargs: as Frappe's.
		"""
		if isinstance(fieldname, dict):
			return super().db_set(clean_values(self.meta, fieldname), None, *args, **kwargs)
		cleaned = clean_values(self.meta, {fieldname: value})
		return super().db_set(fieldname, cleaned[fieldname], *args, **kwargs)

	def _sanitize_content(self):
		# First: what Frappe takes for HTML it also writes with entities, and people would read "&amp;".
		self.clean_texts()
		super()._sanitize_content()

	def clean_texts(self):
		"""Clean the texts of the document in memory, as they will be stored."""
		texts = {name: value for name, value in self.__dict__.items() if isinstance(value, str)}
		self.__dict__.update(clean_values(self.meta, texts))
