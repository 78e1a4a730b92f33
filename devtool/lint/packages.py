"""Can others install this? What get-app looks at before it installs an app, and what a Desk of Frappe 16 cannot read."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from ..paths import APP, PINS, ROOT
from .programs import output_of, program
from .verdict import Verdict

PACKAGE = ROOT / APP
# What every Frappe 15 and 16 brings itself.
BROUGHT_BY_FRAPPE = {
	"babel",
	"bs4",
	"click",
	"dateutil",
	"frappe",
	"jinja2",
	"pypika",
	"pytz",
	"redis",
	"requests",
	"rq",
	"werkzeug",
}
# Of the engine of last resort, an old Frappe, nothing reaches users; its pins are left out.
AUDITED = ("tool", "tests", "lint", "docs", "build", "node", "services")


def installable() -> Verdict:
	"""Structure, syntax, declared apps, and imports that resolve in a bench with nothing but Frappe and this app."""
	if sys.version_info < (3, 11):
		return Verdict(left_out="Python 3.10 cannot read pyproject.toml")
	project = _project()
	trees = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
	return Verdict([*_undeclared_apps(project, trees), *_unresolved_imports(project, trees)])


def _project() -> dict:
	import tomllib

	return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _undeclared_apps(project: dict, trees: dict[Path, ast.Module]) -> Iterator[str]:
	declared = project.get("tool", {}).get("bench", {}).get("frappe-dependencies", {})
	if "frappe" not in declared:
		yield "pyproject.toml: [tool.bench.frappe-dependencies] does not name frappe"
	hooks = trees.get(PACKAGE / "hooks.py")
	if not hooks:
		yield f"{APP}/hooks.py is missing"
		return
	for node in hooks.body:
		if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "required_apps":
			names = {name.rpartition("/")[2] for name in ast.literal_eval(node.value)}
			yield from (
				f"hooks.py requires {name}; pyproject.toml does not declare it"
				for name in names - set(declared)
			)


def _unresolved_imports(project: dict, trees: dict[Path, ast.Module]) -> Iterator[str]:
	brought = BROUGHT_BY_FRAPPE | sys.stdlib_module_names | set(project["project"].get("dependencies", []))
	for path, tree in trees.items():
		for module, line in _imports(tree.body, path):
			top = module.partition(".")[0]
			if (top == APP and not _exists(module)) or (top != APP and top not in brought):
				yield f"{path.relative_to(ROOT)}:{line}: {module} is not there in a bench with Frappe and this app"


def _imports(nodes, path: Path) -> Iterator[tuple[str, int]]:
	"""Module and line of each import that runs when the module is loaded."""
	for node in nodes:
		if isinstance(node, ast.Import):
			yield from ((alias.name, node.lineno) for alias in node.names)
		elif isinstance(node, ast.ImportFrom):
			yield _absolute(node, path), node.lineno
		elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
			yield from _imports(node.orelse, path)
		elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Try):
			yield from _imports(ast.iter_child_nodes(node), path)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
	if not node.level:
		return node.module or ""
	parts = path.relative_to(ROOT).parts[: -node.level]
	return ".".join([*parts, *([node.module] if node.module else [])])


def _exists(module: str) -> bool:
	"""Is there a file of that name? The shim gives the app's folder a second name."""
	path = ROOT.joinpath(*module.replace(f"{APP}.{APP}.", f"{APP}.", 1).split("."))
	return path.is_dir() or path.with_suffix(".py").is_file()


def desk_filters() -> Verdict:
	"""Filters of cards, charts and shortcuts have four elements: Frappe 16 takes no fifth."""
	return Verdict(
		[
			f"{path.relative_to(ROOT)}: the filter {json.dumps(one)} has {len(one)} elements instead of 4"
			for path in sorted(PACKAGE.rglob("*.json"))
			for one in _filters(json.loads(path.read_text()))
			if len(one) != 4
		]
	)


def _filters(value) -> Iterator[list]:
	"""Every filter in a document, also in the JSON that is kept as text."""
	if isinstance(value, dict):
		for key, inner in value.items():
			if key in ("filters_json", "dynamic_filters_json", "stats_filter") and inner:
				filters = json.loads(inner)
				yield from (
					(one for one in filters if isinstance(one, list)) if isinstance(filters, list) else ()
				)
			else:
				yield from _filters(inner)
	elif isinstance(value, list):
		for inner in value:
			yield from _filters(inner)


def vulnerabilities() -> Verdict:
	"""Known ones in the pinned packages of the tool; only where an advisory service is reached."""
	options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"]
	files = [word for name in AUDITED for word in ("-r", PINS / f"{name}.txt")]
	done = output_of([program("pip-audit"), *options, *files])
	try:
		packages = json.loads(done.stdout)["dependencies"]
	except ValueError:
		return Verdict(
			left_out=(done.stderr.strip().splitlines() or ["the service was not reached"])[-1][:150]
		)
	unknown = [one["name"] for one in packages if "skip_reason" in one]
	found = [
		f"{one['name']} {one['version']}: {bug['id']}" for one in packages for bug in one.get("vulns", [])
	]
	return Verdict(found, left_out=f"{len(unknown)} packages were not found there" if unknown else "")
