"""docs/architecture.md is true: its wings are the folders, and what it names exists."""

import ast
import re
from pathlib import Path

import pytest

import milestone_automation

PACKAGE = Path(milestone_automation.__file__).resolve().parent
MAP = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = ("The way of one save", "The way of one task", "The way of one prompt")

pytestmark = pytest.mark.no_site


def modules_in(folder: Path) -> set[str]:
	return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def wings_of_the_map() -> dict[str, set[str]]:
	"""Return the modules of each wing as the table of wings lists them."""
	rows = re.findall(r"^\| `([a-z/]+)` \| [^|]+ \| ([^|]+) \|$", MAP, re.MULTILINE)
	return {wing: set(re.findall(r"`(\w+)`", modules)) for wing, modules in rows}


def wings_of_the_code() -> dict[str, set[str]]:
	engine = [path for path in (PACKAGE / "engine").iterdir() if (path / "__init__.py").exists()]
	folders = [*engine, *(PACKAGE / name for name in ("desk", "links", "demo"))]
	return {str(folder.relative_to(PACKAGE)): modules_in(folder) for folder in folders}


def names_in(module: Path) -> set[str]:
	"""Return the functions, classes and methods of a module."""
	tree = ast.parse(module.read_text(encoding="utf-8"))
	return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_the_table_of_wings_lists_the_folders_and_their_modules():
	assert wings_of_the_map() == wings_of_the_code()


def test_the_picture_shows_every_wing_of_the_engine():
	picture = MAP.partition("```mermaid")[2].partition("```")[0]
	wings = {wing.removeprefix("engine/") for wing in wings_of_the_code() if wing.startswith("engine/")}
	assert wings <= set(re.findall(r"\w+", picture))


def test_every_file_that_the_map_names_exists():
	paths = set(re.findall(r"`((?:engine|templates|report|links|desk)/[\w/]+(?:\.py)?)`", MAP))
	assert len(paths) > 10
	assert [path for path in sorted(paths) if not (PACKAGE / path).exists()] == []


def test_every_function_that_the_map_names_exists():
	modules = {path.stem: path for path in PACKAGE.glob("engine/*/*.py")}
	modules |= {name: PACKAGE / f"{name}.py" for name in ("api", "events")}
	mentioned = [pair for pair in re.findall(r"\b([a-z_]+)\.([a-z_]{4,})\b", MAP) if pair[0] in modules]
	assert len(mentioned) > 30
	assert [f"{module}.{name}" for module, name in mentioned if name not in names_in(modules[module])] == []


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_takes_at_most_fifteen_lines(title):
	walk = MAP.partition(f"## {title}\n")[2].partition("```\n")[2].partition("```")[0]
	assert 5 < len(walk.strip().splitlines()) <= 15
