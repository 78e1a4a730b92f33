"""import-linter: who may import whom. The contracts stand in `.importlinter`."""

from ..paths import STATE
from .programs import output_of, program
from .verdict import Verdict


def contracts() -> Verdict:
	"""The floors of the engine, its siblings, its doors, and no circles anywhere."""
	done = output_of([program("lint-imports"), "--cache-dir", STATE / "import-linter"])
	if not done.returncode:
		return Verdict()
	text = done.stdout + done.stderr
	_head, found, broken = text.rpartition("Broken contracts")
	lines = [line.strip() for line in (broken if found else text).splitlines()]
	return Verdict([line for line in lines if line and set(line) != {"-"}])
