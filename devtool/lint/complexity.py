"""radon: how many ways lead through a function."""

from ..paths import APP
from .programs import json_of, program
from .verdict import Verdict

# radon also counts each `and`, `or`, `if` of an expression and each condition of a comprehension, which ruff's
# limit of 8 leaves out: a function may be short for ruff and still decide too much at once.
MOST = 12
FOLDERS = (APP, "devtool", "benchmarks", "tests")


def radon() -> Verdict:
	"""No function above `MOST`."""
	return Verdict(complaints_about(json_of([program("radon"), "cc", "--json", "--no-assert", *FOLDERS])))


def complaints_about(blocks_of: dict) -> list[str]:
	"""One line for each function above the limit, and for each file that cannot be read.

	Args:
		blocks_of: what radon prints as JSON: a list of blocks by path, or what it could not read under `error`.
	"""
	broken = [f"{path}: {blocks['error']}" for path, blocks in blocks_of.items() if "error" in blocks]
	found = [(path, block) for path, blocks in blocks_of.items() if "error" not in blocks for block in blocks]
	return broken + [
		f"{path}:{block['lineno']}: {_name(block)} has a complexity of {block['complexity']}, at most {MOST} is allowed"
		for path, block in found
		if block["type"] != "class" and block["complexity"] > MOST
	]


def _name(block: dict) -> str:
	return f"{block['classname']}.{block['name']}" if block.get("classname") else block["name"]
