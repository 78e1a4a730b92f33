"""Where things lie: the module shim, one class per DocType, paths that resolve, and packages that carry everything."""

import importlib
import pkgutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import frappe
import pytest
from frappe.model.base_document import get_controller

import milestone_automation
from milestone_automation import hooks

ROOT = Path(milestone_automation.__file__).resolve().parent.parent
PACKAGE = ROOT / "milestone_automation"
CARRIED = ("*.json", "*.po", "*.pot", "*.js", "*.css", "*.html", "*.csv", "*.txt", "*.py", "*.svg", "*.png")
DOCTYPES = sorted(path.parent.name for path in (PACKAGE / "doctype").glob("*/*.json"))


def test_frappe_finds_the_module_in_the_app_itself(site):
	assert Path(frappe.get_module_path("Milestone Automation")).resolve() == PACKAGE
	assert Path(frappe.get_module_path("Milestone Automation", "doctype")).resolve() == PACKAGE / "doctype"


@pytest.mark.parametrize("folder", DOCTYPES)
def test_each_doctype_has_one_class_and_frappe_finds_it(site, folder):
	name = frappe.unscrub(folder)
	found = get_controller(name)
	module = f"milestone_automation.milestone_automation.doctype.{folder}.{folder}"
	assert found.__module__ == module
	assert found is getattr(importlib.import_module(module), name.replace(" ", ""))
	assert frappe.get_meta(name).module == "Milestone Automation"
	files = [
		key
		for key, loaded in sys.modules.items()
		if _file_of(loaded) == PACKAGE / "doctype" / folder / f"{folder}.py"
	]
	assert files == [module]


def _file_of(module) -> Path | None:
	path = getattr(module, "__file__", None)
	return Path(path) if isinstance(path, str) else None


@pytest.mark.parametrize(
	"name",
	[
		"milestone_automation.doctype",
		"milestone_automation.doctype.milestone.milestone",
		"milestone_automation.milestone_automation.milestone_automation",
		"milestone_automation.milestone_automation.milestone_automation.doctype",
	],
)
def test_a_second_name_for_the_same_code_is_refused(site, name):
	with pytest.raises(ImportError, match=r"second (name|time)"):
		importlib.import_module(name)


def test_engine_has_one_name_too(site):
	engine = importlib.import_module("milestone_automation.engine.tracking.registry")
	assert engine.for_doctype.__module__ == "milestone_automation.engine.tracking.registry"


def test_walking_the_packages_ends_and_finds_each_module_at_most_twice(site):
	found = []
	for module in pkgutil.walk_packages([str(PACKAGE)], "milestone_automation.", onerror=lambda name: None):
		found.append(module.name)
		assert len(found) < 2000, found[-5:]
	assert len(found) == len(set(found))
	assert not [name for name in found if name.count("milestone_automation") > 3]
	assert "milestone_automation.engine.tracking.recorder" in found


def test_every_path_in_hooks_resolves(site):
	paths = sorted(set(_dotted_paths({name: value for name, value in vars(hooks).items() if name[0] != "_"})))
	assert len(paths) > 20
	for path in paths:
		assert callable(frappe.get_attr(path)), path


def _dotted_paths(value):
	if isinstance(value, str):
		if value.startswith("milestone_automation.") and not value.endswith((".js", ".css")):
			yield value
	elif isinstance(value, dict):
		for one in value.values():
			yield from _dotted_paths(one)
	elif isinstance(value, list | tuple):
		for one in value:
			yield from _dotted_paths(one)


def test_every_listed_patch_exists(site):
	for line in (PACKAGE / "patches.txt").read_text().splitlines():
		patch = line.partition("#")[0].strip()
		if patch and not patch.startswith(("[", "execute:")):
			assert callable(importlib.import_module(patch.split()[0]).execute), patch


@pytest.mark.no_site
def test_every_patch_file_is_listed():
	listed = (PACKAGE / "patches.txt").read_text()
	for path in (PACKAGE / "patches").glob("v*/*.py"):
		if path.name != "__init__.py":
			dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
			assert dotted in listed


@pytest.mark.no_site
def test_setup_names_the_package_on_a_line_of_its_own():
	assert 'name="milestone_automation",' in [
		line.strip() for line in (ROOT / "setup.py").read_text().splitlines()
	]


@pytest.mark.no_site
def test_every_doctype_folder_is_complete():
	for folder in DOCTYPES:
		names = {path.name for path in (PACKAGE / "doctype" / folder).iterdir()}
		assert {"__init__.py", f"{folder}.py", f"{folder}.json"} <= names, folder


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
	"""The files of a wheel and of an sdist, built from a copy of what git knows."""
	folder = tmp_path_factory.mktemp("package")
	source = folder / "source"
	for name in tracked_files():
		target = source / name
		target.parent.mkdir(parents=True, exist_ok=True)
		target.write_bytes((ROOT / name).read_bytes())
	code = (
		"import setuptools.build_meta as backend, sys; target = sys.argv[1];"
		"backend.build_sdist(target); backend.build_wheel(target)"
	)
	command = [sys.executable, "-c", code, str(folder)]
	done = subprocess.run(command, cwd=source, capture_output=True, text=True)
	if "No module named 'setuptools'" in done.stderr:
		pytest.skip("this Python has no setuptools to build packages with")
	assert done.returncode == 0, done.stderr[-3000:]
	(wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
	with zipfile.ZipFile(wheel) as opened:
		in_wheel = set(opened.namelist())
	with tarfile.open(sdist) as opened:
		in_sdist = {name.partition("/")[2] for name in opened.getnames()}
	return in_wheel, in_sdist


def tracked_files() -> list[str]:
	"""Files git knows and that still exist; all of them where there is no git."""
	command = [
		"git",
		"ls-files",
		"--",
		"milestone_automation",
		"setup.py",
		"pyproject.toml",
		"MANIFEST.in",
		"*.md",
		"*.txt",
	]
	done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
	if done.returncode:
		wanted = [
			*PACKAGE.rglob("*"),
			*(ROOT / name for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md")),
		]
		names = [
			str(path.relative_to(ROOT))
			for path in wanted
			if path.is_file() and "__pycache__" not in path.parts
		]
	else:
		names = done.stdout.splitlines()
	return [name for name in names if (ROOT / name).is_file()]


@pytest.mark.no_site
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_packages_carry_every_file_the_app_needs(archives, kind):
	inside = archives[0] if kind == "wheel" else archives[1]
	needed = {name for name in tracked_files() if name.startswith("milestone_automation/")}
	needed = {
		name for name in needed if Path(name).match("*.*") and any(Path(name).match(kind) for kind in CARRIED)
	}
	assert len(needed) > 80
	assert sorted(needed - inside) == []


@pytest.mark.no_site
def test_packages_carry_nothing_else(archives):
	in_wheel, _in_sdist = archives
	assert not [
		name for name in in_wheel if not name.startswith(("milestone_automation/", "milestone_automation-"))
	]
	assert not [name for name in in_wheel if name.endswith(".pyc")]
