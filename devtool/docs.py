"""`./dev docs`: the documentation as a site, from `docs/` alone, without a network. A warning is an error."""

import sys
from argparse import Namespace
from pathlib import Path

from . import python_env
from .locks import build_lock
from .paths import PINS, ROOT, STATE
from .processes import run
from .report import report
from .stamps import Stamps, digest

SOURCE = ROOT / "docs"
TARGET = STATE / "docs"
ENVIRONMENT = STATE / "docs-env"


def docs(options: Namespace) -> int:
	"""Build the site; says where it lies.

	Args:
		options: of `./dev`; none of them matters.

	Raises:
		DevError: see `build`.
	"""
	build(SOURCE, TARGET)
	report.say(f"{TARGET}/index.html ({report.total():.0f} s)")
	return 0


def build(source: Path, target: Path) -> None:
	"""Make the site of a folder of pages.

	Args:
		source: folder of the pages, with Sphinx's `conf.py`.
		target: folder of the site.

	Raises:
		DevError: a page cannot be read, is in no table of contents, or has a link that leads nowhere.
	"""
	python = prepare()
	strict = ["--fail-on-warning", "--keep-going", "--quiet"]
	with report.step("documentation site"):
		run(
			[python, "-m", "sphinx", "--builder", "html", *strict, source, target],
			"docs",
			what="Building the documentation",
			hint="Mend the pages that the log names.",
		)


def prepare() -> Path:
	"""The Python that has Sphinx; installed on first use and when a pin changes."""
	python, stamps = ENVIRONMENT / "bin" / "python", Stamps(STATE / "stamps")
	key = digest(PINS / "docs.txt", sys.version)
	with build_lock("docs-env"):
		if not stamps.done("docs", key) or not python.exists():
			step = report.step("Sphinx (first use only)")
			with step, python_env.new_env(ENVIRONMENT, key, sys.executable) as fresh:
				python_env.install_pins(fresh, "docs", what="Installing Sphinx")
			stamps.write("docs", key)
	return python
