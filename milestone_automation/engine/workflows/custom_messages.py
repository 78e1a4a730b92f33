"""Custom messages of a workflow: Jinja templates over the values of the document.

A template sees a copy of the values that its author may read, never the document, the database or the session. It is
checked when the workflow is saved; if it fails or takes too long on a document anyway, the prompt is sent with the text
outside the expressions. `engine/base/budget.py` has the limits.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import frappe
import jinja2
import jinja2.meta
from frappe import _
from frappe.model import default_fields, optional_fields
from frappe.utils import escape_html
from jinja2 import nodes

from milestone_automation.engine.base import budget, compat, guard, plain_text
from milestone_automation.engine.base.budget import BudgetExceeded, NotCalculable
from milestone_automation.engine.people import field_rights
from milestone_automation.engine.tracking import samples
from milestone_automation.engine.workflows.bounded_jinja import BoundedEnvironment

KNOWN_NAMES = {"doc", "stage", "frappe", "_", "range"}
DOCUMENT_METHODS = {"get", "get_formatted", "keys", "items", "values"}
STAGE_VALUES = {"stage_name", "key_date"}
# What a template that cannot be read raises.
UNREADABLE = (jinja2.TemplateSyntaxError, RecursionError, MemoryError)
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)

# Tags that start a new line when HTML is read as text.
BLOCKS = re.compile(
	r"address|article|aside|blockquote|d[dlt]|div|fig(ure|caption)|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre"
	r"|section|table|tr|ul"
)
SKIPPED_TAGS = frozenset({"script", "style", "title"})
BULLET = "- "


class DocumentValues(frappe._dict):
	"""Values of a document for a template: `doc.field`, `doc.get_formatted("field")`."""

	def __repr__(self) -> str:
		"""Return what a template prints of a whole document or row: its name. Values are printed one by one."""
		return str(self.get("name") or "")

	def __html__(self) -> str:
		"""Return the same as HTML."""
		return escape_html(repr(self))

	def get_formatted(self, fieldname: str) -> str:
		"""Return the value of a field as the desk shows it.

		Args:
			fieldname: of the document or row; of one that its DocType does not have, the plain value is returned.
		"""
		field = frappe.get_meta(self.get("doctype")).get_field(fieldname)
		return frappe.format_value(self.get(fieldname), field) if field else str(self.get(fieldname) or "")


def render(text: str, doc, stage) -> str:
	"""Return a custom message as safe HTML, in the language of `frappe.local.lang`.

	A template that fails is logged, and its text is returned without the expressions. Of a document that the author may
	not read, nothing is returned.

	Args:
		text: the template.
		doc: the document.
		stage: row of the stage; the author in `custom_message_by` decides which values may be shown.
	"""
	author = stage.get("custom_message_by")
	if author and not compat.may(doc.doctype, "read", doc, author):
		return ""
	try:
		rendered = _environment().render(text, **_context(_values_for(author, doc), stage))
	except Exception:
		title = f"Milestone message of {doc.doctype} {doc.name}, {stage.get('stage_name')}"
		guard.log_fault(title, frappe.get_traceback())
		rendered = escape_html(EXPRESSION.sub("…", text[: budget.MOST_WRITTEN]))
	return plain_text.clean_html(rendered.strip()).replace("\n", "<br>")


def _values_for(author: str | None, doc) -> DocumentValues:
	"""Return a document's values without those its author may not read; of an unknown author what everybody reads."""
	author = author or "Guest"
	values = DocumentValues(doc.as_dict(convert_dates_to_str=False, no_nulls=False))
	for field in doc.meta.get_table_fields():
		values[field.fieldname] = [DocumentValues(row) for row in values.get(field.fieldname) or []]
	values.update(dict.fromkeys(field_rights.hidden(doc.doctype, user=author)))
	for table, columns in field_rights.hidden_of_rows(doc.doctype, user=author).items():
		for row in values.get(table) or []:
			row.update(dict.fromkeys(columns))
	return values


def _context(values: DocumentValues, stage) -> dict:
	stage_values = frappe._dict({name: stage.get(name) for name in STAGE_VALUES})
	return {"doc": values, "stage": stage_values, "frappe": frappe._dict(utils=budget.utils()), "_": _}


def _environment() -> BoundedEnvironment:
	return BoundedEnvironment(methods=DOCUMENT_METHODS)


def as_text(html: str) -> str:
	"""Return HTML as plain text, with a line for each block and the address behind each link.

	Args:
		html: HTML, also with tags that are never closed; what stands in scripts and styles is left out.
	"""
	reader = _TextReader()
	reader.feed(html)
	reader.close()
	return reader.text()


class _TextReader(HTMLParser):
	"""Collects the text of HTML in lines."""

	def __init__(self):
		super().__init__(convert_charrefs=True)
		self.lines = [""]
		self.links: list[list[str]] = []  # address and text of each open link
		self.skipped_depth = 0

	def handle_starttag(self, tag: str, attrs: list) -> None:
		attributes = dict(attrs)
		if tag in SKIPPED_TAGS:
			self.skipped_depth += 1
		elif tag == "br":
			self.lines.append("")
		elif BLOCKS.fullmatch(tag):
			self._begin_line()
			self.lines[-1] += BULLET if tag == "li" else ""
		elif tag == "a":
			self.links.append([(attributes.get("href") or "").removeprefix("mailto:").strip(), ""])
		else:
			self.handle_data(" " if tag in ("td", "th") else attributes.get("alt") or "")

	def handle_endtag(self, tag: str) -> None:
		if tag in SKIPPED_TAGS:
			self.skipped_depth = max(0, self.skipped_depth - 1)
		elif BLOCKS.fullmatch(tag):
			self._begin_line()
		elif tag == "a" and self.links:
			target, words = self.links.pop()
			if target != words.strip():
				self.handle_data(f" ({target})" if words.strip() else target)

	def handle_data(self, data: str) -> None:
		if self.skipped_depth:
			return
		self.lines[-1] += data
		for link in self.links:
			link[1] += data

	def text(self) -> str:
		"""Return the collected text, without the white space that HTML does not show."""
		text = "\n".join(" ".join(line.split()) for line in self.lines)
		return re.sub(r"\n{3,}", "\n\n", text).strip()

	def _begin_line(self) -> None:
		if self.lines[-1].strip() not in ("", BULLET.strip()):
			self.lines.append("")


def check_template(text: str | None, doctype: str) -> None:
	"""Refuse a custom message with syntax errors, unknown names or fields that the DocType does not have.

	Args:
		text: the template; may be empty.
		doctype: DocType of the workflow's documents.

	Raises:
		frappe.ValidationError: says what is wrong and what to write instead.
	"""
	if not text or not text.strip():
		return
	if len(text) > budget.MOST_WRITTEN:
		_refuse(_("The custom message is longer than {0} characters.").format(budget.MOST_WRITTEN))
	tree = _parse(text)
	for name in sorted(jinja2.meta.find_undeclared_variables(tree) - KNOWN_NAMES):
		_refuse(
			_("The custom message uses {0}, which is not defined. Use doc.fieldname for a field.").format(
				name
			)
		)
	_check_attributes(tree, doctype)
	_check_renders(text, doctype)


def _parse(text: str) -> nodes.Template:
	try:
		_environment().from_string(text)  # checks filters and tests too
		return _environment().parse(text)
	except (RecursionError, MemoryError):
		_refuse(_("The custom message has too many levels of brackets."))
	except jinja2.TemplateSyntaxError as error:
		_refuse(
			_("The custom message has an error in line {0}: {1}. Example: {2}.").format(
				error.lineno, escape_html(str(error.message)), "{{ doc.name }}"
			)
		)


def _check_attributes(tree: nodes.Template, doctype: str) -> None:
	meta = frappe.get_meta(doctype)
	known = {*default_fields, *optional_fields, *DOCUMENT_METHODS, *meta.get_valid_columns()}
	known |= {field.fieldname for field in meta.get_table_fields()}
	for node in tree.find_all(nodes.Getattr):
		if not isinstance(node.node, nodes.Name):
			continue
		if node.node.name == "doc" and node.attr not in known and not meta.has_field(node.attr):
			_refuse(
				_(
					"The custom message uses doc.{0}, but {1} has no field {0}. "
					"Use the field's name, not its label."
				).format(escape_html(node.attr), _(doctype))
			)


def fields_used(text: str | None, doctype: str) -> tuple[set[str], set[str]]:
	"""Return the fields of a document that a custom message names, and the columns of its rows.

	Args:
		text: checked before.
		doctype: of the documents.
	"""
	fields, columns = set(), set()
	for of, name in _names_read(_environment().parse(text or "")):
		is_document = isinstance(of, nodes.Name) and of.name == "doc"
		(fields if is_document else columns).add(name)
	tables = [frappe.get_meta(field.options) for field in frappe.get_meta(doctype).get_table_fields()]
	return fields, columns & {field.fieldname for meta in tables for field in meta.fields}


def _names_read(tree: nodes.Template) -> Iterator[tuple[nodes.Node, str]]:
	for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
		if isinstance(node, nodes.Getattr):
			yield node.node, node.attr
		elif isinstance(node, nodes.Getitem):
			yield from (
				(node.node, str(const.value)) for const in [node.arg] if isinstance(const, nodes.Const)
			)
		elif isinstance(node.node, nodes.Getattr) and node.node.attr in ("get", "get_formatted"):
			yield from ((node.node.node, str(one.value)) for one in node.args if isinstance(one, nodes.Const))


def _check_renders(text: str, doctype: str) -> None:
	"""Render with a sample document. Other documents have other values, so only what can never work is refused."""
	stage = {"stage_name": _("Milestone"), "key_date": None}
	try:
		values = DocumentValues(samples.document(doctype))
		_environment().render(text, **_context(values, stage))
	except (jinja2.TemplateError, NameError, SyntaxError, BudgetExceeded, NotCalculable) as error:
		_refuse(_("The custom message cannot be rendered: {0}.").format(escape_html(str(error))))
	except Exception:
		# The template may work with the values of another document.
		return


def _refuse(message: str) -> None:
	frappe.throw(message, title=_("Invalid Custom Message"))
