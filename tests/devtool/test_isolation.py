"""No test depends on another: nothing is left behind, and each name of a test DocType belongs to one file."""

import ast
from collections import defaultdict
from pathlib import Path

import frappe
import pytest
from frappe.translate import get_user_lang
from frappe.utils.background_jobs import enqueue, get_queue

from tests.support import site as support

TESTS = Path(__file__).resolve().parents[1]
MAKERS = ("make_doctype", "ensure_doctype")

FIELDS = [{"fieldname": "title", "fieldtype": "Data"}]


def test_rows_committed_to_the_shared_site_are_told_with_the_place_they_came_from(scratch_site):
	scratch = scratch_site()
	with scratch.connect(), support.watched_commits(scratch.name) as commits:
		frappe.db.commit()
		assert commits == []
		frappe.get_doc({"doctype": "ToDo", "description": "left behind"}).insert()
		frappe.db.commit()
	assert len(commits) == 1
	assert Path(__file__).name in commits[0]


def test_what_frappe_remembers_in_the_process_is_as_at_its_start(site):
	frappe.get_doc({"doctype": "ToDo", "description": "still there"}).insert()
	frappe.flags.mute_emails = True
	frappe.local.lang = "de"
	frappe.conf.mail_server = "mail.example.com"
	frappe.local.outgoing_email_account = {"of": "an earlier test"}
	frappe.set_user("Guest")
	support.start_afresh()
	assert (frappe.flags.mute_emails, frappe.local.lang, frappe.session.user) == (
		False,
		"en",
		"Administrator",
	)
	assert frappe.conf.mail_server is None
	assert not hasattr(frappe.local, "outgoing_email_account")
	assert frappe.db.exists("ToDo", {"description": "still there"})


def test_the_language_of_a_user_of_a_test_is_forgotten(site):
	frappe.db.set_value("User", "Guest", "language", "de")
	assert get_user_lang("Guest") == "de"
	frappe.db.rollback()
	support.forget_caches(everything=False)
	assert get_user_lang("Guest") == "en"


def test_jobs_that_wait_are_forgotten(site):
	enqueue("frappe.ping", queue="short")
	assert get_queue("short").count == 1
	support.forget_jobs()
	assert get_queue("short").count == 0


def test_a_doctype_is_made_before_anything_is_written(make_doctype):
	make_doctype("Isolated Order", FIELDS)
	frappe.get_doc({"doctype": "ToDo", "description": "written before"}).insert()
	with pytest.raises(RuntimeError, match="Make the DocType Isolated Order before the test writes anything"):
		make_doctype("Isolated Order", FIELDS)


def test_the_name_of_a_doctype_belongs_to_the_file_that_made_it(make_doctype, production_order):
	with pytest.raises(
		ValueError,
		match=r"DocType Production Order belongs to factories\.py\. Choose another name in test_isolation\.py\.",
	):
		make_doctype(production_order, [])


@pytest.mark.no_site
def test_no_two_files_make_a_doctype_of_the_same_name():
	makers = defaultdict(set)
	for path in set(TESTS.rglob("*.py")) - {Path(__file__).resolve(), TESTS / "support" / "documents.py"}:
		for name in doctypes_made(path.read_text()):
			makers[name].add(path.name)
	assert makers["Production Order"] == {"factories.py"}
	assert {name: sorted(files) for name, files in makers.items() if len(files) > 1} == {}


NAMES_IN_MANY_WAYS = '''
FIRST, SECOND = "First Order", "Second Order"
make_doctype("Literal Order", [])
documents.ensure_doctype(FIRST, [])
ensure_doctype(name=SECOND, fields=[])
frappe.get_doc({"doctype": "DocType", "name": "Dictionary Order"})
SCRIPT = """ensure_doctype("Script Order", [])"""
THIRD = "Formatted Order"
FORMATTED = f"""
frappe.get_doc({{"doctype": "DocType", "name": "{THIRD}"}})
"""
'''


@pytest.mark.no_site
def test_names_are_found_as_literals_constants_and_in_scripts_for_other_processes():
	assert doctypes_made(NAMES_IN_MANY_WAYS) == {
		"Literal Order",
		"First Order",
		"Second Order",
		"Dictionary Order",
		"Script Order",
		"Formatted Order",
	}


@pytest.mark.no_site
def test_a_name_that_is_only_known_at_run_time_is_refused():
	with pytest.raises(
		ValueError, match="Write the name of the DocType as a literal or a constant of this file"
	):
		doctypes_made("make_doctype(prefix + 'Order', [])")


def doctypes_made(source: str, constants: dict[str, str] | None = None) -> set[str]:
	"""Names of the DocTypes that a test file, or a script within it, makes.

	Raises ValueError for a name that is neither a literal nor a constant of the file.
	"""
	tree = ast.parse(source)
	constants = (constants or {}) | string_constants(tree)
	names = set()
	for node in ast.walk(tree):
		if (name := _name_node(node)) is not None:
			names.add(_text(name, constants))
		elif script := _script(node, constants):
			names |= doctypes_made(script, constants)
	return names


def string_constants(tree: ast.Module) -> dict[str, str]:
	"""Module-level `A = "x"` and `A, B = "x", "y"`."""
	found = {}
	for node in tree.body:
		if not isinstance(node, ast.Assign):
			continue
		for target in node.targets:
			pairs = [(target, node.value)]
			if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
				pairs = zip(target.elts, node.value.elts, strict=True)
			for name, value in pairs:
				if (
					isinstance(name, ast.Name)
					and isinstance(value, ast.Constant)
					and isinstance(value.value, str)
				):
					found[name.id] = value.value
	return found


def _name_node(node: ast.AST) -> ast.expr | None:
	"""The expression that names a DocType to be made, if this node makes one."""
	if isinstance(node, ast.Call):
		called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
		if called not in MAKERS:
			return None
		return next(iter(node.args), None) or next(one.value for one in node.keywords if one.arg == "name")
	if isinstance(node, ast.Dict):
		pairs = {
			getattr(key, "value", None): value for key, value in zip(node.keys, node.values, strict=True)
		}
		if getattr(pairs.get("doctype"), "value", None) == "DocType":
			return pairs.get("name")
	return None


def _text(node: ast.expr, constants: dict[str, str]) -> str:
	if isinstance(node, ast.Constant):
		return node.value
	if isinstance(node, ast.Name) and node.id in constants:
		return constants[node.id]
	raise ValueError(
		f"Write the name of the DocType as a literal or a constant of this file, not {ast.unparse(node)}."
	)


def _script(node: ast.AST, constants: dict[str, str]) -> str | None:
	"""The source in a string that makes DocTypes in another process; unknown placeholders stand as `None`."""
	if isinstance(node, ast.Constant) and isinstance(node.value, str):
		text = node.value
	elif isinstance(node, ast.JoinedStr):
		text = "".join(
			part.value
			if isinstance(part, ast.Constant)
			else constants.get(getattr(part.value, "id", ""), "None")
			for part in node.values
		)
	else:
		return None
	return text if any(word in text for word in (*MAKERS, '"DocType"')) and _is_code(text) else None


def _is_code(text: str) -> bool:
	try:
		ast.parse(text)
	except SyntaxError:
		return False
	return True
