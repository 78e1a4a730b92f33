"""Controllers carry the block of types that Frappe generates, and the block names the fields of the DocType."""

import ast
import json
from pathlib import Path

import pytest

import milestone_automation
from milestone_automation import hooks

DOCTYPES = sorted((Path(milestone_automation.__file__).resolve().parent / "doctype").glob("*/*.json"))
LAYOUT_TYPES = {"Button", "Column Break", "Fold", "Heading", "HTML", "Image", "Section Break", "Tab Break"}
ROW_FIELDS = {"parent", "parentfield", "parenttype"}

pytestmark = pytest.mark.no_site


def types_in(controller: Path) -> dict[str, str]:
	"""Return the annotations in the block of types, by fieldname."""
	code = controller.read_text(encoding="utf-8")
	block = code.partition("# begin: auto-generated types")[2].partition("# end: auto-generated types")[0]
	indented = "if True:\n" + block.partition("\n")[2]
	nodes = [node for node in ast.walk(ast.parse(indented)) if isinstance(node, ast.AnnAssign)]
	return {node.target.id: ast.unparse(node.annotation) for node in nodes}


def test_frappe_is_told_to_update_the_types():
	assert hooks.export_python_type_annotations is True


@pytest.mark.parametrize("definition", DOCTYPES, ids=lambda path: path.stem)
def test_a_controller_annotates_the_fields_of_its_doctype(definition):
	doctype = json.loads(definition.read_text(encoding="utf-8"))
	fieldnames = {row["fieldname"] for row in doctype["fields"] if row["fieldtype"] not in LAYOUT_TYPES}
	expected = fieldnames | ROW_FIELDS if doctype.get("istable") else fieldnames
	assert set(types_in(definition.with_suffix(".py"))) == expected


@pytest.mark.parametrize("definition", DOCTYPES, ids=lambda path: path.stem)
def test_a_controller_annotates_select_fields_with_their_options(definition):
	doctype = json.loads(definition.read_text(encoding="utf-8"))
	types = types_in(definition.with_suffix(".py"))
	for row in doctype["fields"]:
		if row["fieldtype"] == "Select" and row.get("options"):
			options = [option.strip() for option in row["options"].split("\n")]
			assert ast.literal_eval(types[row["fieldname"]].removeprefix("DF.Literal")) == options
