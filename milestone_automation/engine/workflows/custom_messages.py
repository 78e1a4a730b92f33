"""Custom messages of a workflow: Jinja templates over the values of the document.

A template sees a copy of the values, never the document, the database or the session. It is checked when the workflow
is saved; if it fails on a document anyway, the prompt is sent with the text outside the expressions.
"""

import re
from html.parser import HTMLParser

import frappe
import jinja2
import jinja2.meta
import jinja2.sandbox
from frappe import _
from frappe.model import default_fields, optional_fields
from frappe.utils import escape_html
from frappe.utils.safe_exec import get_safe_globals
from jinja2 import nodes

from milestone_automation.engine.base import guard, plain_text

KNOWN_NAMES = {"doc", "stage", "frappe", "_"}
DOCUMENT_METHODS = {"get", "get_formatted", "keys", "items", "values"}
STAGE_VALUES = {"stage_name", "key_date"}
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)

# Tags that start a new line when HTML is read as text.
BLOCKS = re.compile(
	r"address|article|aside|blockquote|d[dlt]|div|fig(ure|caption)|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre"
	r"|section|table|tr|ul"
)
SKIPPED_TAGS = frozenset({"script", "style", "title"})
BULLET = "- "


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
	"""Jinja's sandbox; a field of the document hides the dict's method of the same name."""

	def getattr(self, obj, attribute: str):
		"""Return `obj.attribute`; the sandbox refuses names that begin with an underscore."""
		if isinstance(obj, dict) and attribute in obj and not attribute.startswith("_"):
			return obj[attribute]
		return super().getattr(obj, attribute)


class DocumentValues(frappe._dict):
	"""Values of a document for a template: `doc.field`, `doc.get_formatted("field")`."""

	def get_formatted(self, fieldname: str) -> str:
		"""Return the value of a field as the desk shows it."""
		field = frappe.get_meta(self.get("doctype")).get_field(fieldname)
		return frappe.format_value(self.get(fieldname), field) if field else str(self.get(fieldname) or "")


def render(text: str, doc, stage) -> str:
	"""Return a custom message as safe HTML, in the language of `frappe.local.lang`.

	An error is logged; the message is then the text of the template without its expressions.

	Args:
		text: the template.
		doc: the document.
		stage: row of the stage.
	"""
	try:
		values = DocumentValues(doc.as_dict(convert_dates_to_str=False, no_nulls=False))
		rendered = _environment().from_string(text).render(**_context(values, stage))
	except Exception:
		title = f"Milestone message of {doc.doctype} {doc.name}, {stage.get('stage_name')}"
		guard.log_fault(title, frappe.get_traceback())
		rendered = escape_html(EXPRESSION.sub("…", text))
	return plain_text.clean_html(rendered.strip()).replace("\n", "<br>")


def _context(values: DocumentValues, stage) -> dict:
	utils = get_safe_globals().get("frappe", {}).get("utils")
	stage_values = frappe._dict({name: stage.get(name) for name in STAGE_VALUES})
	return {"doc": values, "stage": stage_values, "frappe": frappe._dict(utils=utils), "_": _}


def _environment() -> jinja2.Environment:
	return _Environment(
		autoescape=True,
		undefined=jinja2.ChainableUndefined,
		finalize=lambda value: "" if value is None else value,
	)


def as_text(html: str) -> str:
	"""Return HTML as plain text, with a line for each block and the address behind each link."""
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


def _check_renders(text: str, doctype: str) -> None:
	"""Render with an empty document. Only errors of the template itself count, not missing values."""
	stage = {"stage_name": _("Milestone"), "key_date": None}
	try:
		values = DocumentValues(frappe.new_doc(doctype).as_dict())
		_environment().from_string(text).render(**_context(values, stage))
	except (jinja2.TemplateError, NameError, SyntaxError) as error:
		_refuse(_("The custom message cannot be rendered: {0}.").format(escape_html(str(error))))
	except Exception:
		# The template may need values that an empty document does not have.
		return


def _refuse(message: str) -> None:
	frappe.throw(message, title=_("Invalid Custom Message"))
