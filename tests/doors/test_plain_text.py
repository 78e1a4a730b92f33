"""What people and files write is plain text, whatever writes it: every text field of every DocType of ours."""

import html
import re

import frappe
import pytest
from frappe.model.base_document import get_controller

from milestone_automation.engine.base import bulk, plain_text
from milestone_automation.engine.base.plain_text import HTML_TYPES, NO_TAG, PLAIN_TYPES, PlainTextDocument
from milestone_automation.engine.history.milestone_rows import MilestoneRow, Writer
from milestone_automation.engine.rules.vocabulary import MilestoneSource
from tests.doors.written_texts import DOCTYPES, PLAIN_FIELDS

pytestmark = pytest.mark.one_database

# A Single has no row of its own and a test below.
WRITTEN_FIELDS = [field for field in PLAIN_FIELDS if field[0] != "Milestone Settings"]
# Frappe shows these in an editor, and in lists and prints as text.
CODE_FIELDS = {
	("Milestone Follow Up", "arguments"),
	("Milestone Next Step", "arguments"),
	("Milestone Plan", "completed_actions"),
	("Milestone Plan", "snapshot"),
	("Milestone Plan Stage", "custom_message"),
	("Milestone Plan Stage", "exit_criteria"),
	("Milestone Plan Stage", "next_actions"),
	("Milestone Plan Stage", "waived_criteria"),
	("Milestone Roll Up", "numbers"),
	("Milestone Tracker", "condition"),
	("Milestone Workflow", "completed_actions"),
	("Milestone Workflow", "condition"),
	("Milestone Workflow", "document_filters"),
	("Milestone Workflow Stage", "custom_message"),
	("Milestone Workflow Stage", "exit_criteria"),
	("Milestone Workflow Stage", "next_actions"),
}
PAYLOADS = (
	"<img src=x onerror=alert(1)>",
	"<img src=x onerror=alert(1)//",
	"<script>alert(1)</script>",
	"&lt;script&gt;alert(1)&lt;/script&gt;",
	"&amp;lt;img src=x onerror=alert(1)&amp;gt;",
	"&#60;svg/onload=alert(1)&#62;",
	'<a href="javascript:alert(1)">here</a>',
	'["<img src=x onerror=alert(1)>"]',
	'"<svg/onload=alert(1)>"',
	"<<b>script>alert(1)</script>",
	"<!-- --><?xml x?></textarea><b>",
	"<\x00img src=x onerror=alert(1)>",
	"<\x0cscript>alert(1)</script>",
	"half a pair \ud800 <i",
)
TAG = re.compile(r"<[a-zA-Z/!?]")


@pytest.mark.no_site
@pytest.mark.parametrize("text", PAYLOADS)
def test_a_cleaned_text_holds_no_tag_however_often_its_entities_are_read(text):
	cleaned = plain_text.clean(text)
	for _time in range(4):
		assert not TAG.search(cleaned), cleaned
		cleaned = html.unescape(cleaned)
	assert plain_text.clean(cleaned) == cleaned


@pytest.mark.no_site
@pytest.mark.parametrize(
	"text",
	[
		"", "a < b & c > d", "1<2", "<", "AT&T", "AT&amp;T", "x &lt; y", '"quoted"', "{{ doc.name }}", "50% {0}",
		"javascript:alert(1)", "two\nlines\tand a tab", "‏עברית", "👩‍👩‍👧‍👦", "->", "<3", "<=",
	],
)  # fmt: skip
def test_a_text_without_tags_stays_as_it_was_written(text):
	assert plain_text.clean(text) == text


@pytest.mark.no_site
def test_nothing_of_a_text_is_lost_but_what_cannot_be_stored():
	assert plain_text.clean("see <invoice 12> & </b>") == f"see {NO_TAG}invoice 12> & {NO_TAG}/b>"
	assert plain_text.clean("nu\x00ll \x1b[31m \ud800") == "null [31m "


@pytest.mark.no_site
@pytest.mark.parametrize(
	"text",
	[
		"<style>body{display:none}</style>", '<form action="https://evil.example"><input name=a></form>',
		'<img src="https://evil.example/pixel.gif">', '<image src="https://evil.example/pixel.gif">',
		'<a href="javascript:alert(1)">x</a>', '<a href="data:text/html,<script>1</script>">x</a>',
		"<button>x</button>", "<svg><style><img src=x onerror=alert(1)></style></svg>", "<video src=https://evil.example>",
		'<p style="background-image:url(https://evil.example)">x</p>', '"<script>alert(1)</script>"',
		'<iframe src="https://evil.example"></iframe>', '<p onclick="alert(1)">x</p>', "<base href=https://evil.example>",
		'<meta http-equiv="refresh" content="0;url=https://evil.example">', '<link rel="stylesheet" href="//evil.example">',
		'<img src="x><script>alert(1)</script>">', "<math><mtext></p><style><img src=x onerror=alert(1)>",
	],
)  # fmt: skip
def test_html_keeps_no_style_form_image_or_script(text):
	cleaned = plain_text.clean_html(text)
	bad = r"<\s*(style|form|input|img|image|button|svg|video|iframe|base|meta|link|script|math)\b"
	assert not re.search(bad, cleaned, re.IGNORECASE), cleaned
	assert not re.search(r"<[^>]*(javascript:|data:|evil\.example|\bon\w+\s*=)", cleaned, re.IGNORECASE), (
		cleaned
	)


@pytest.mark.no_site
def test_html_keeps_its_words_lists_and_links():
	text = '<p>Dear <b>mill</b>,</p><ul><li>cut</li></ul><a href="https://example.com/x">more</a>'
	assert (
		plain_text.clean_html(text).replace(' rel="nofollow"', "").replace(' rel="noopener noreferrer"', "")
		== text
	)


@pytest.mark.no_site
def test_every_field_that_holds_text_is_plain_html_or_code():
	known = PLAIN_TYPES | HTML_TYPES | {
		"Link", "Dynamic Link", "Select", "Table", "Check", "Int", "Percent", "Date", "Datetime", "Time", "Duration", "HTML",
		"Section Break", "Column Break", "Tab Break",
	}  # fmt: skip
	others = {
		(name, field["fieldname"])
		for name, described in DOCTYPES.items()
		for field in described["fields"]
		if field["fieldtype"] not in known
	}
	assert others == CODE_FIELDS
	# Frappe escapes them everywhere but in the tables of a print.
	for name, fieldname in CODE_FIELDS:
		field = next(one for one in DOCTYPES[name]["fields"] if one["fieldname"] == fieldname)
		assert field.get("print_hide"), f"{name}: {fieldname} has to be hidden in prints"


def test_every_controller_cleans_what_it_writes(site):
	for name in DOCTYPES:
		assert issubclass(get_controller(name), PlainTextDocument), name


def _is_table(doctype: str) -> bool:
	return bool(DOCTYPES[doctype].get("istable"))


def a_row(doctype: str, fieldname: str, text: str) -> dict:
	place = {"parent": "x", "parenttype": "Milestone Plan"} if _is_table(doctype) else {}
	return {"doctype": doctype, "name": f"plain-{fieldname}", **place, fieldname: text}


@pytest.mark.parametrize(("doctype", "fieldname"), WRITTEN_FIELDS)
def test_every_plain_field_is_clean_after_every_way_to_write_it(site, doctype, fieldname):
	"""By the document layer, by `db_set`, and in bulk; not by the checks of one form."""
	for number, text in enumerate(PAYLOADS):
		doc = frappe.get_doc(a_row(doctype, fieldname, text) | {"name": f"plain-{number}"})
		doc.db_insert()
		_assert_clean(doctype, doc.name, fieldname)
		assert not TAG.search(doc.get(fieldname))
		doc.set(fieldname, text)
		doc.db_update()
		_assert_clean(doctype, doc.name, fieldname)
		bulk.update_rows(doctype, {doc.name: {fieldname: text}})
		_assert_clean(doctype, doc.name, fieldname)
		frappe.db.delete(doctype, {"name": doc.name})
		row = a_row(doctype, fieldname, text)
		(name,) = bulk.insert_rows(
			doctype, [{key: row[key] for key in row if key not in ("doctype", "name")}]
		)
		_assert_clean(doctype, name, fieldname)
		frappe.db.delete(doctype, {"name": name})


def _assert_clean(doctype, name, fieldname):
	stored = frappe.db.get_value(doctype, name, fieldname)
	assert stored
	assert not TAG.search(stored), stored


@pytest.mark.parametrize(("doctype", "fieldname"), [f for f in WRITTEN_FIELDS if not _is_table(f[0])])
def test_every_plain_field_is_clean_after_db_set(site, doctype, fieldname):
	"""Rows of documents are left out: `db_set` on them runs the hooks of their document."""
	doc = frappe.get_doc(a_row(doctype, fieldname, "before"))
	doc.db_insert()
	doc.load_doc_before_save = doc.run_method = lambda *args, **kwargs: None
	doc.db_set(fieldname, PAYLOADS[0])
	_assert_clean(doctype, doc.name, fieldname)
	doc.db_set({fieldname: PAYLOADS[1]})
	_assert_clean(doctype, doc.name, fieldname)


def test_the_settings_are_clean_too(site):
	settings = frappe.get_doc("Milestone Settings")
	settings.append("date_reasons", {"reason": f"Late {PAYLOADS[0]}"})
	settings.holiday_list = PAYLOADS[2]
	settings.flags.ignore_validate = True
	settings.save()
	assert not TAG.search(frappe.db.get_single_value("Milestone Settings", "holiday_list"))
	assert not any(TAG.search(row) for row in frappe.get_all("Milestone Date Reason", pluck="reason"))


def test_an_imported_milestone_is_clean_in_all_it_says(site):
	"""Seen: a value of a file ran in the timeline."""
	row = MilestoneRow(
		PAYLOADS[0], plain_text.clean(PAYLOADS[0]), "x", frappe.utils.now_datetime(), PAYLOADS[0], None
	)
	Writer("ToDo", "status", "ToDo", MilestoneSource.IMPORT).insert([row])
	found = frappe.get_all("Milestone", {"reference_type": "ToDo", "track_field": "status"}, ["*"])
	assert found
	for value in found[0].values():
		assert not TAG.search(str(value)), value


def test_a_form_reads_back_what_was_typed_and_no_entities(site):
	"""Frappe writes `&amp;` into a text in which it sees a tag."""
	settings = frappe.get_doc("Milestone Settings")
	settings.append("date_reasons", {"reason": "cut & <sewn> late"})
	settings.save()
	assert f"cut & {NO_TAG}sewn> late" in frappe.get_all("Milestone Date Reason", pluck="reason")
