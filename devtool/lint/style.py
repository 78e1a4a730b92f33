"""ruff: faults and form of Python files."""

from pathlib import Path

from .. import python_env
from .programs import output_of, verdict_of
from .verdict import Verdict


def ruff_check() -> Verdict:
	"""What `[tool.ruff.lint]` asks for."""
	return verdict_of([_ruff(), "check", "--quiet", "--output-format", "concise", "."])


def ruff_format() -> Verdict:
	"""Tabs, quotes, lines."""
	return verdict_of([_ruff(), "format", "--quiet", "--check", "."])


def fix_with_ruff() -> None:
	"""Correct what ruff can."""
	output_of([_ruff(), "check", "--quiet", "--fix", "."])


def format_with_ruff() -> None:
	"""Write the files in the common form."""
	output_of([_ruff(), "format", "--quiet", "."])


def _ruff() -> Path:
	python_env.uv()
	return python_env.TOOL_ENV / "bin" / "ruff"
