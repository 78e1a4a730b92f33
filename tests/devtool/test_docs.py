"""The documentation says what is there: links lead somewhere, commands and names exist, snippets can be read."""

import ast
import importlib
import json
import re
from functools import lru_cache
from pathlib import Path

import click
import frappe
import pytest

from devtool import cli
from devtool.lint import gates
from devtool.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"])
SITE_PAGES = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "index")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCE_PATHS = re.compile(
	r"`((?:engine|doctype|devtool|tests|benchmarks|desk|milestone_automation)/[\w/.]+?)`"
)
DOTTED = re.compile(r"\bmilestone_automation(?:\.[a-z_][\w]*)+")
FOREIGN = {"milestone_automation.git"}
BENCH_COMMAND = re.compile(r"\bbench (?:--site \S+ )?milestones ([a-z][a-z-]+)((?: .*)?)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


@lru_cache
def anchors(page: Path) -> set[str]:
	"""Anchors of a page's headings, as GitHub and MyST make them."""
	text = CODE.sub("", page.read_text())
	titles = re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE)
	return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def snippets(page: Path, *languages: str) -> list[str]:
	return [code for language, code in CODE.findall(page.read_text()) if language in languages]


@pytest.mark.no_site
@each_page
def test_links_lead_to_pages_pictures_and_headings(page):
	text = CODE.sub("", page.read_text())
	for address in (one or two for one, two in LINK.findall(text)):
		if address.startswith(("http:", "https:", "mailto:")):
			continue
		name, _sharp, anchor = address.partition("#")
		target = (page.parent / name).resolve() if name else page
		assert target.exists(), f"{page.name}: {address}"
		if anchor:
			assert anchor in anchors(target), f"{page.name}: {address}; there are {sorted(anchors(target))}"


@pytest.mark.no_site
def test_each_page_stands_once_in_the_table_of_contents():
	text = (DOCS / "index.md").read_text()
	trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
	listed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
	assert sorted(listed) == SITE_PAGES


@pytest.mark.no_site
@each_page
def test_commands_of_the_tool_exist(page):
	for command, rest in re.findall(r"\./dev ([a-z]+)([^`\n]*)", page.read_text()):
		assert command in cli.COMMANDS, f"{page.name}: ./dev {command}"
		for gate in re.findall(r"^ ([a-z0-9][a-z0-9-]*)", rest) if command == "lint" else ():
			assert gate in {one.name for one in gates.GATES}, f"{page.name}: ./dev lint {gate}"


@pytest.mark.no_site
@each_page
def test_snippets_can_be_read(page):
	for code in snippets(page, "python"):
		ast.parse(code)
	for code in snippets(page, "json"):
		json.loads(code)


@pytest.mark.no_site
@each_page
def test_files_that_are_named_exist(page):
	for name in SOURCE_PATHS.findall(page.read_text()):
		places = (ROOT / name, ROOT / "milestone_automation" / name, ROOT / name.rstrip("/"))
		assert any(place.exists() for place in places), f"{page.name}: {name}"


@each_page
def test_names_of_the_code_exist(site, page):
	for name in sorted(set(DOTTED.findall(page.read_text())) - FOREIGN):
		assert resolves(name), f"{page.name}: {name}"


def resolves(name: str) -> bool:
	"""Is there a module of that name, or an attribute in one?"""
	if (ROOT / name.replace(".", "/")).exists() or (ROOT / name.rsplit(".", 1)[0]).with_suffix(
		".json"
	).exists():
		return True
	try:
		importlib.import_module(name)
	except ImportError:
		try:
			return callable(frappe.get_attr(name))
		except (AttributeError, frappe.AppNotInstalledError, ImportError):
			return False
	return True


@each_page
def test_bench_commands_and_their_options_exist(site, page):
	from milestone_automation.commands import commands  # noqa: PLC0415 - needs Frappe

	(group,) = [command for command in commands if command.name == "milestones"]
	for name, rest in BENCH_COMMAND.findall(page.read_text().replace("\\\n", " ")):
		command = group.get_command(click.Context(group), name)
		assert command, f"{page.name}: milestones {name}"
		known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
		asked = set(re.findall(r"(?<=\s)(--[a-z-]+)", rest.partition("`")[0])) - {"--help"}
		assert asked <= known, f"{page.name}: milestones {name} {sorted(asked - known)}"
