"""`./dev lint`: what it refuses, each shown on a copy of the checkout or a small file that breaks one rule on purpose."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import devtool
from devtool.lint import complexity, locale, packages, release, scanners, suppressions
from devtool.report import DevError

pytestmark = pytest.mark.no_site

ROOT = Path(devtool.__file__).resolve().parent.parent
BROKEN = {
	"app/doctype/thing/thing.py": """
import os
import subprocess

import frappe
from frappe import _
from frappe.utils import flt

LIMIT = frappe.conf.limit


class Thing(Document):
	def on_submit(self):
		self.closed = 1

	def after_save(self):
		print(list(map(str, self.rows)))
		for row in self.rows:
			self.remove(row)


@frappe.whitelist(allow_guest=True)
def answer(name):
	frappe.has_permission("Thing", "read", name)
	frappe.db.sql(f"select {name}")
	frappe.db.commit()
	frappe.cache.set(name, 1)
	frappe.db.set_value("Thing Settings", None, "a", 1)
	frappe.qb.from_(name).select("a").orderby("a", frappe.qb.desc)
	frappe.publish_realtime("thing")
	os.system(name)
	subprocess.run(name, shell=True)
	subprocess.run([name])
	eval(name)
	frappe.render_template(name, {})
	frappe.throw("Not translated")
	try:
		flt(name)
	except ValueError as error:
		frappe.throw(_("No: {0}").format(error))
	return _("A {0}".format(name)), _(" space"), _("{0} {1}"), {"a": 1, "b": 2, "a": 3}
""",
	"app/public/thing.js": """
cur_frm.add_custom_button("Not translated", () => frappe.msgprint("Nor this"));
__(`A ${name}`);
""",
}
FOUND = {
	"frappe-after-save-controller-hook",
	"frappe-breaks-multitenancy",
	"frappe-cache-breaks-multitenancy",
	"frappe-codeinjection-eval",
	"frappe-cur-frm-usage",
	"frappe-format-string-injection",
	"frappe-manual-commit",
	"frappe-missing-translate-function-js",
	"frappe-missing-translate-function-python",
	"frappe-missing-translation-button-text",
	"frappe-modifying-but-not-committing",
	"frappe-modifying-child-tables-while-iterating",
	"frappe-no-functional-code",
	"frappe-os-command-exec",
	"frappe-print-function-in-doctypes",
	"frappe-qb-incorrect-order-usage",
	"frappe-realtime-pick-room",
	"frappe-same-key-assigned-twice",
	"frappe-set-value-semantics",
	"frappe-sql-format-injection",
	"frappe-ssti",
	"frappe-subprocess-exec",
	"frappe-subprocess-shell-true",
	"frappe-translation-js-formatting",
	"frappe-translation-python-formatting",
	"frappe-translation-trailing-spaces",
	"frappe-translation-variable-only",
	"missing-argument-type-hint",
	"unchecked-frappe-permission-call",
}


@pytest.fixture(scope="module", autouse=True)
def programs():
	"""The programs of the gates: `./dev lint` of the checkout installs them on first use."""
	if not (ROOT / ".bench" / "lint-env").exists():
		subprocess.run([ROOT / "dev", "lint", "imports", "semgrep"], capture_output=True)


@pytest.fixture
def copied(tmp_path) -> Path:
	"""A copy of what the contracts are about; the programs of the checkout's own `.bench` are used."""
	skipped = shutil.ignore_patterns("__pycache__", "node_modules", "*.json", "*.js", "*.png")
	for name in ("milestone_automation", "devtool"):
		shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
	shutil.copy(ROOT / ".importlinter", tmp_path)
	(ROOT / ".bench").mkdir(exist_ok=True)
	(tmp_path / ".bench").symlink_to(ROOT / ".bench")
	return tmp_path


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
	"""`./dev lint` with another folder as its checkout; by the Python of `./dev`, for which its programs are installed."""
	return subprocess.run(
		[ROOT / "dev", "lint", *arguments],
		env=os.environ | {"MILESTONE_ROOT": str(folder)},
		capture_output=True,
		text=True,
	)


def add(folder: Path, file: str, line: str) -> None:
	path = folder / file
	path.write_text(f"{path.read_text()}\n{line}\n")


def test_contracts_hold_as_the_code_stands(copied):
	done = lint(copied, "imports")
	assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
	("contract", "file", "line"),
	[
		(
			"The floors of the engine",
			"milestone_automation/engine/base/clock.py",
			"from milestone_automation.engine.store import sums",
		),
		(
			"Messages and progress never see each other",
			"milestone_automation/engine/messages/sweep.py",
			"from milestone_automation.engine.progress import stages",
		),
		("Rules know no site", "milestone_automation/engine/rules/health.py", "import frappe"),
		(
			"The engine never opens a door outwards",
			"milestone_automation/engine/review/aging.py",
			"def late():\n\tfrom milestone_automation import permissions",
		),
		("No import circles", "devtool/stamps.py", "from . import templates"),
	],
)
def test_a_broken_contract_is_reported_with_the_import_that_breaks_it(copied, contract, file, line):
	add(copied, file, line)
	done = lint(copied, "imports")
	assert done.returncode == 1
	assert contract in done.stderr
	assert "refuse this: imports" in done.stderr


def test_frappes_and_the_marketplaces_rules_are_found_and_suppressed_by_their_short_ids(tmp_path):
	for name, text in BROKEN.items():
		path = tmp_path / name
		path.parent.mkdir(parents=True)
		path.write_text(text)
	quiet = tmp_path / "app" / "quiet.py"
	quiet.write_text(
		"import frappe\n\n\ndef go():\n\tfrappe.db.commit()  # nosemgrep: frappe-manual-commit\n"
	)
	(ROOT / ".bench").mkdir(exist_ok=True)
	(tmp_path / ".bench").symlink_to(ROOT / ".bench")
	done = lint(tmp_path, "semgrep")
	assert done.returncode == 1
	complaints = [line for line in done.stderr.splitlines() if line.strip().startswith("app/")]
	assert {line.split(": ")[1] for line in complaints} == FOUND
	assert not [line for line in complaints if "quiet.py" in line]


def test_every_rule_has_an_id_of_its_own():
	ids = [
		line
		for path in scanners.RULES.glob("*.yml")
		for line in path.read_text().splitlines()
		if "- id: " in line
	]
	assert len(ids) == len(suppressions.semgrep_ids()) > 45


def test_a_gate_that_does_not_exist_is_named_with_those_that_do(tmp_path):
	done = lint(tmp_path, "semgrap")
	assert done.returncode == 1
	assert "Unknown: semgrap. There are --fix, --online, semgrep, " in done.stderr


def test_a_function_above_the_limit_is_named_with_its_class():
	block = {"type": "method", "classname": "Plan", "name": "sum_up", "lineno": 7, "complexity": 13}
	kept = {"type": "function", "name": "add", "lineno": 1, "complexity": 12}
	whole = {"type": "class", "name": "Plan", "lineno": 1, "complexity": 40}
	assert complexity.complaints_about({"a.py": [block, kept, whole], "b.py": {"error": "not Python"}}) == [
		"b.py: not Python",
		"a.py:7: Plan.sum_up has a complexity of 13, at most 12 is allowed",
	]


@pytest.mark.parametrize(
	("text", "fault"),
	[
		("frappe.db.commit()  # nosemgrep: each batch stands alone", "suppresses nothing or too much"),
		("frappe.db.commit()  # nosemgrep", "suppresses nothing or too much"),
		("frappe.db.commit()  # nosemgrep: frappe-manual-commit", "needs its reason"),
		(
			"# A batch.\nfrappe.db.commit()  # nosemgrep: frappe-manual-comit",
			"there is no rule frappe-manual-comit",
		),
		("text = sql  # nosec", "suppresses nothing or too much"),
		("import a  # noqa", "suppresses nothing or too much"),
		("import a  # noqa: F401", "needs its reason"),
	],
)
def test_a_suppression_without_rule_or_reason_is_refused(tmp_path, text, fault):
	path = tmp_path / "one.py"
	path.write_text(f"{text}\n")
	((_line, said),) = suppressions.faults_of(path, suppressions.semgrep_ids())
	assert fault in said


@pytest.mark.parametrize(
	"text",
	[
		"# A killed job keeps what it has done.\nfrappe.db.commit()  # nosemgrep: frappe-manual-commit",
		"import a  # noqa: F401 - a fixture",
		"# Names are made here.\ntext = sql  # nosec B608",
		'text = "# nosemgrep in a text"',
	],
)
def test_a_suppression_with_rule_and_reason_is_none_to_complain_about(tmp_path, text):
	path = tmp_path / "one.py"
	path.write_text(f"{text}\n")
	assert not list(suppressions.faults_of(path, suppressions.semgrep_ids()))


def test_filters_of_five_elements_are_found_also_in_the_json_of_a_shortcut(tmp_path, monkeypatch):
	monkeypatch.setattr(packages, "ROOT", tmp_path)
	monkeypatch.setattr(packages, "PACKAGE", tmp_path)
	short, long = (
		'[[\\"Plan\\", \\"status\\", \\"=\\", \\"Active\\"]]',
		'[[\\"Plan\\", \\"a\\", \\"=\\", 1, false]]',
	)
	(tmp_path / "card.json").write_text(f'{{"filters_json": "{short}"}}')
	(tmp_path / "workspace.json").write_text(f'{{"shortcuts": [{{"stats_filter": "{long}"}}]}}')
	verdict = packages.desk_filters()
	assert verdict.complaints == [
		'workspace.json: the filter ["Plan", "a", "=", 1, false] has 5 elements instead of 4'
	]


def test_placeholders_are_named_and_stop_a_release(tmp_path, monkeypatch):
	listing = {"entry": {"repo": "https://example.com/x", "title": "X"}, "contact": {"email": "a@b.org"}}
	assert release.placeholders(listing) == ["repo"]
	(tmp_path / "CHANGELOG.md").write_text(
		"# Changelog\n\n## [1.2.0] - today\n\n- New.\n\n## [1.1.0]\n\n- Old.\n"
	)
	monkeypatch.setattr(release, "ROOT", tmp_path)
	assert release.notes_of("1.2.0") == "- New."
	with pytest.raises(DevError, match=r"no section \[1\.3\.0\]"):
		release.notes_of("1.3.0")


def test_translations_without_quotes_or_twice_and_an_old_locale_are_refused(tmp_path, monkeypatch):
	source, made = tmp_path / "translations", tmp_path / "locale"
	source.mkdir()
	monkeypatch.setattr(locale, "SOURCE", source)
	monkeypatch.setattr(locale, "LOCALE", made)
	(source / "de.csv").write_text('Yes,Ja\nYes,Jawohl\n"Late, sorry",Spät, leider\n')
	assert locale.agreement().complaints == [
		f"{locale.APP}/translations/de.csv: 'Yes' has two rows",
		f"{locale.APP}/translations/de.csv: 3 columns instead of 2 for 'Late, sorry'",
	]
	(source / "de.csv").write_text('Yes,Ja\n"Late, sorry","Spät, leider"\n')
	assert len(locale.agreement().complaints) == 2
	locale.write()
	assert locale.agreement().complaints == []
	assert 'msgid "Late, sorry"\nmsgstr "Spät, leider"\n' in (made / "de.po").read_text()
	(source / "de.csv").write_text('Yes,Jawohl\n"Late, sorry","Spät, leider"\n')
	assert locale.agreement().complaints == [
		f"{locale.APP}/locale/de.po is not what translations/ says; ./dev lint locale --fix makes it anew"
	]
	(made / "fr.po").write_text("")
	assert f"{locale.APP}/locale/fr.po has no source in translations/" in locale.agreement().complaints
