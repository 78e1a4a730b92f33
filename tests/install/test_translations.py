"""German and Arabic say everything the app says. New words come first into the code, then into both files."""

import ast
import csv
import json
import re
from pathlib import Path

import pytest
from babel.messages import pofile

APP = Path(__file__).parents[2] / "milestone_automation"
LANGUAGES = ("de", "ar")
# Labels of buttons, of fields, of cards: where Frappe translates what a JSON file says.
TRANSLATED_KEYS = {
	"DocType": ("name", "description", "documentation"),
	"Workspace": ("title",),
	"Workspace Sidebar": ("title",),
	"Desktop Icon": ("label",),
	"Number Card": ("label",),
	"Dashboard Chart": ("chart_name",),
	"Page": ("title",),
	"Report": ("name",),
	"Module Onboarding": ("title", "subtitle", "success_message"),
	"Onboarding Step": ("title", "description", "action_label", "callback_title", "callback_message"),
}
# What stands between two languages the same way: nothing to translate.
WORDLESS = re.compile(r"^[\W\d_]*(\{\d*\}[\W\d_]*)*$")
JS_CALL = re.compile(
	r"""\b__\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\$]|\\.)*`)""",
	re.DOTALL,
)
TEMPLATE_CALL = re.compile(r"""\b_\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.DOTALL)

pytestmark = pytest.mark.no_site


def python_strings(path: Path):
	for node in ast.walk(ast.parse(path.read_text())):
		if not isinstance(node, ast.Call) or not node.args:
			continue
		name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
		text = node.args[0]
		if name in ("_", "_lt") and isinstance(text, ast.Constant) and isinstance(text.value, str):
			yield text.value


def script_strings(path: Path):
	for literal in JS_CALL.findall(path.read_text()):
		yield re.sub(r"\\(.)", r"\1", literal[1:-1])


def template_strings(path: Path):
	for literal in TEMPLATE_CALL.findall(path.read_text()):
		yield re.sub(r"\\(.)", r"\1", literal[1:-1])


def json_strings(path: Path):
	documents = json.loads(path.read_text())
	for document in documents if isinstance(documents, list) else [documents]:
		if isinstance(document, dict):
			yield from document_strings(document)


def document_strings(document: dict):
	doctype = document.get("doctype")
	for key in TRANSLATED_KEYS.get(doctype, ()):
		yield document.get(key)
	for field in document.get("fields") or []:
		yield from field_strings(field)
	if doctype == "Workspace Sidebar":
		yield from (item["label"] for item in document["items"])
	if doctype == "Workspace":
		yield from workspace_strings(document)


def workspace_strings(workspace: dict):
	for table in ("links", "shortcuts", "charts", "number_cards"):
		yield from (row.get("label") for row in workspace.get(table) or [])
	headers = [row for row in json.loads(workspace["content"]) if row["type"] == "header"]
	yield from (re.sub(r"<[^>]+>", "", row["data"]["text"]) for row in headers)


def field_strings(field: dict):
	yield field.get("label")
	yield field.get("description")
	if field.get("fieldtype") == "Select":
		yield from (field.get("options") or "").split("\n")


def app_files(pattern: str):
	for path in sorted(APP.rglob(pattern)):
		if not {"dist", "node_modules", "__pycache__", "demo.py"} & set(path.parts):
			yield path


def strings_of_the_app() -> dict[str, str]:
	"""Return every text of the app that is shown to a user, with a file it stands in."""
	found: dict[str, str] = {}
	for pattern, read in (
		("*.py", python_strings),
		("*.js", script_strings),
		("*.html", template_strings),
		("*.json", json_strings),
	):
		for path in app_files(pattern):
			if pattern == "*.json" and "ready_made" in path.parts:
				continue  # ready workflows are text of the user's own from the moment they are imported
			for text in read(path):
				if text and text.strip() and not WORDLESS.match(text.strip()):
					found.setdefault(text, str(path.relative_to(APP)))
	return found


def translations(language: str) -> dict[str, str]:
	with (APP / "translations" / f"{language}.csv").open(newline="", encoding="utf-8") as file:
		return {row[0]: row[1] for row in csv.reader(file) if row}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_app_has_a_translation(language):
	known = translations(language)
	missing = {text: where for text, where in strings_of_the_app().items() if not known.get(text)}

	assert not missing, f"{len(missing)} texts are not in translations/{language}.csv:\n" + "\n".join(
		f"  {where}: {text!r}" for text, where in sorted(missing.items(), key=lambda item: item[1])
	)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_left_of_a_text_that_is_gone(language):
	gone = translations(language).keys() - strings_of_the_app().keys()

	assert not gone, f"No longer said by the app: {sorted(gone)}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_gettext_reads_the_same_translations_as_frappe_15(language):
	"""Frappe 16 takes them from `locale/`, through Babel."""
	with (APP / "locale" / f"{language}.po").open("rb") as file:
		catalog = pofile.read_po(file, abort_invalid=True)
	read = {message.id: message.string.removesuffix("\n") for message in catalog if message.id}
	assert read == {text: other.removesuffix("\n") for text, other in translations(language).items()}
	assert str(catalog.locale) == language


def test_the_template_of_translations_has_every_text():
	with (APP / "locale" / "main.pot").open("rb") as file:
		template = pofile.read_po(file, abort_invalid=True)
	messages = {message.id: message.string for message in template if message.id}
	assert messages == dict.fromkeys(translations("de"), "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_places_of_values(language):
	def places(text):
		return sorted(re.findall(r"\{\d*\}", text))

	wrong = [text for text, other in translations(language).items() if places(text) != places(other)]

	assert not wrong, f"Other places in {language}: {wrong}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_tags(language):
	def tags(text):
		return sorted(re.findall(r"</?[a-z]+", text))

	wrong = [text for text, other in translations(language).items() if tags(text) != tags(other)]

	assert not wrong, f"Other tags in {language}: {wrong}"
