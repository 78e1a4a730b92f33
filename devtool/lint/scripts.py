"""prettier and eslint: faults and form of JavaScript and CSS."""

import json
import os
import shutil
from pathlib import Path

from .. import desk
from ..locks import build_lock
from ..paths import APP, ROOT, STATE
from ..processes import run
from ..report import report
from ..stamps import Stamps, digest
from .programs import output_of, verdict_of
from .verdict import Verdict

SOURCE = Path(__file__).parent
FOLDERS = (ROOT / APP, ROOT / "devtool" / "desk")
NOT_OURS = {"node_modules", "dist", "lib"}


def prettier() -> Verdict:
	"""Form."""
	return _verdict("prettier", "--check", *_files(".js", ".css", ".scss"))


def eslint() -> Verdict:
	"""Faults."""
	return _verdict("eslint", *_files(".js"))


def fix_with_prettier() -> None:
	"""Write the files in the common form."""
	if not desk.obstacle():
		output_of(_command("prettier", "--write", *_files(".js", ".css", ".scss")))


def fix_with_eslint() -> None:
	"""Correct what eslint can."""
	if not desk.obstacle():
		output_of(_command("eslint", "--fix", *_files(".js")))


def _verdict(name: str, *arguments: str) -> Verdict:
	if reason := desk.obstacle():
		return Verdict(left_out=reason)
	return verdict_of(_command(name, *arguments))


def _command(name: str, *arguments: str) -> list:
	folder = _modules() / name
	package = json.loads((folder / "package.json").read_text())
	entry = package["bin"] if isinstance(package["bin"], str) else package["bin"][name]
	return [desk.node()[0], folder / entry, *arguments]


def _files(*suffixes: str) -> list[str]:
	paths = [path for folder in FOLDERS for suffix in suffixes for path in folder.glob(f"**/*{suffix}")]
	return sorted(str(path.relative_to(ROOT)) for path in paths if not NOT_OURS & set(path.parts))


def _modules() -> Path:
	"""The folder of npm's packages, installed on first use."""
	target = STATE / "lint"
	stamps, key = Stamps(target / "stamps"), digest(SOURCE / "package.json", SOURCE / "package-lock.json")
	with build_lock("lint-modules"):
		if not stamps.done("modules", key):
			with report.step("prettier and eslint (first use only)"):
				_install(target)
			stamps.write("modules", key)
	return target / "node_modules"


def _install(target: Path) -> None:
	shutil.rmtree(target, ignore_errors=True)
	target.mkdir(parents=True)
	for name in ("package.json", "package-lock.json"):
		shutil.copy(SOURCE / name, target)
	node, npm = desk.node()
	environment = os.environ | {"PATH": f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"}
	options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
	run([*npm, "ci", *options], "npm", what="npm", cwd=target, env=environment)
