"""A bench folder: `sites/`, `apps/`, `env/`. The main one of an engine, and light copies of it for single runs."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .databases import BenchDatabase, Database, MariaDatabase, PostgresDatabase, SqliteDatabase
from .engines import BenchEngine, Engine
from .locks import build_lock
from .paths import APP, CHECKOUT, ROOT, STATE
from .processes import execute, run
from .report import DevError
from .services import Postgres, Redis
from .stamps import digest

MAIN_SLOTS = 32  # the other pairs of Redis databases are for clones
ADMIN_PASSWORD = "admin"


@dataclass
class Bench:
	"""One folder Frappe takes for a bench. `redis_slot` picks its two databases of the one Redis server."""

	engine: Engine
	database: Database
	folder: Path
	redis_slot: int = 0

	@property
	def sites(self) -> Path:
		return self.folder / "sites"

	@property
	def assets(self) -> Path:
		"""The Desk's bundles: the same for all benches of an engine."""
		return self.engine.home / "assets"

	@property
	def database_prefix(self) -> str:
		"""Database names are unique on the machine: checkout, engine, kind of database."""
		return f"ma_{CHECKOUT[:6]}_{digest(self.engine.key, self.database.label)[:4]}_"

	def lay_out(self) -> None:
		"""Make the folder and (again) the common configuration, with the ports of today."""
		for name in ("sites", "logs", "config/pids"):
			(self.folder / name).mkdir(parents=True, exist_ok=True)
		for name in ("apps", "env"):
			self._link(self.folder / name, self._target(name))
		self.assets.mkdir(parents=True, exist_ok=True)
		self._link(self.sites / "assets", self.assets)
		(self.sites / "apps.txt").write_text("\n".join(self.app_names()) + "\n")
		self._write_config()

	def _target(self, name: str) -> Path:
		return self.engine.python.parent.parent if name == "env" else self.engine.home / "apps"

	@staticmethod
	def _link(link: Path, target: Path) -> None:
		if not link.exists():
			link.unlink(missing_ok=True)
			link.symlink_to(target)

	def app_names(self) -> list[str]:
		others = sorted(
			path.name for path in (self.engine.home / "apps").iterdir() if path.name not in ("frappe", APP)
		)
		return ["frappe", *others, APP]

	def _write_config(self) -> None:
		port, slot = Redis().port, self.redis_slot
		queue = f"redis://127.0.0.1:{port}/{2 * slot + 1}"
		config = {
			"redis_cache": f"redis://127.0.0.1:{port}/{2 * slot}",
			"redis_queue": queue,
			"redis_socketio": queue,
			"bench_id": f"milestone-{slot}",
			"allow_tests": True,
			"server_script_enabled": True,
			"developer_mode": 0,
			"disable_telemetry": 1,
			"background_workers": 1,
			"gunicorn_workers": 1,
			"use_redis_auth": False,
		}
		write_json(self.sites / "common_site_config.json", config | self.database.root_config())

	def command(self, *arguments: object, site: str | None = None) -> list[str]:
		"""The command line of a bench command.

		Args:
			*arguments: its words, as bench takes them; converted to text.
			site: name of the site it is for; None for a command without one.
		"""
		where = ["--site", site] if site else []
		start = [self.engine.python, "-m", "frappe.utils.bench_helper", "frappe"]
		return [str(part) for part in (*start, *where, *arguments)]

	def environment(self) -> dict[str, str]:
		"""Frappe calls psql and the like by name; a bench's own environment has neither app nor test tools."""
		dropped = ("VIRTUAL_ENV", "PYTHONHOME", "FRAPPE_SITE", "DEV_SERVER")
		values = {name: value for name, value in os.environ.items() if name not in dropped and name != "CI"}
		extra = [str(path) for path in (self.engine.tools, ROOT) if path]
		given = os.environ.get("PYTHONPATH")
		values["PYTHONPATH"] = os.pathsep.join([*extra, *([given] if given else [])])
		if isinstance(self.database, PostgresDatabase):
			values |= Postgres().environment()
		return values

	def run(self, *arguments: object, site: str | None = None, log: str = "bench", what: str = "") -> None:
		"""A bench command whose output goes into a log.

		Args:
			*arguments: as for `command`.
			site: as for `command`.
			log: name of the log below `.bench/logs/`, without ending.
			what: how an error calls it; the program by default.

		Raises:
			DevError: it failed; with the end of the log.
		"""
		run(self.command(*arguments, site=site), log, what=what, cwd=self.sites, env=self.environment())

	def capture(self, *arguments: object, site: str | None = None) -> subprocess.CompletedProcess:
		"""A bench command whose output is handed back.

		Args:
			*arguments: as for `command`.
			site: as for `command`.

		Returns:
			subprocess.CompletedProcess: with its output as text, whatever its exit code.
		"""
		command = self.command(*arguments, site=site)
		return execute(command, cwd=self.sites, env=self.environment(), capture_output=True, text=True)

	def python_command(self, site: str, *arguments: object) -> list[str]:
		"""The command line that runs a Python file (or `-` for standard input) with a site connected.

		Args:
			site: name of the site.
			*arguments: path of the file, or `-`, and what it gets.
		"""
		script = Path(__file__).with_name("site_python.py")
		return [str(part) for part in (self.engine.python, script, site, *arguments)]

	def run_code(self, site: str, code: str, log: str = "bench", what: str = "") -> None:
		"""Python code with a site connected; its output goes into a log.

		Args:
			site: name of the site.
			code: Python source; rolled back at the end unless it commits.
			log, what: as for `run`.

		Raises:
			DevError: it failed; with the end of the log.
		"""
		with tempfile.TemporaryFile("w+") as source:
			source.write(code)
			source.seek(0)
			command = self.python_command(site, "-")
			run(command, log, what=what, cwd=self.sites, env=self.environment(), stdin=source)


def main_bench(engine: Engine, database: Database) -> Bench:
	"""The bench of one engine and database; no other shares its sites, its Redis databases or its database names.

	Args:
		engine: as `engines.choose` gives it.
		database: as `choose_database` gives it.

	Raises:
		DevError: the checkout has worked with more than `MAIN_SLOTS` kinds of Frappe.
	"""
	name = f"{engine.key}-{database.label}"
	return Bench(engine, database, engine.home / "benches" / database.label, _main_slot(name))


def _main_slot(name: str) -> int:
	"""The first bench of this checkout has slot 0, the next one 1: known to every process, the same every day."""
	with build_lock("redis-slots"):
		names = main_benches()
		if name not in names:
			names.append(name)
			write_json(_slots_file(), names)
	if len(names) > MAIN_SLOTS:
		raise DevError("This checkout has worked with too many kinds of Frappe. Run ./dev clean.")
	return names.index(name)


def main_benches() -> list[str]:
	"""Names of the main benches, in order of their Redis slots."""
	return read_json(_slots_file()) if _slots_file().exists() else []


def _slots_file() -> Path:
	return STATE / "redis-slots.json"


def read_json(path: Path) -> dict | list:
	return json.loads(path.read_text())


def write_json(path: Path, values: dict | list) -> None:
	partial = path.with_name(f".{path.name}.{os.getpid()}")
	partial.write_text(json.dumps(values, indent=1, sort_keys=True))
	partial.replace(path)


def choose_database(engine: Engine, wanted: str | None) -> Database:
	"""The database named with --db, private; else the one the engine comes with.

	Args:
		engine: the engine, built.
		wanted: "postgres", "mariadb" or "sqlite"; None for what the engine comes with.

	Raises:
		DevError: this Frappe has no SQLite, or the MariaDB of the bench does not answer.
	"""
	if not wanted and isinstance(engine, BenchEngine) and engine.default_database() == "mariadb":
		return BenchDatabase(engine.config, engine.bench)
	kinds = {"postgres": PostgresDatabase, "mariadb": MariaDatabase, "sqlite": SqliteDatabase}
	kind = wanted or engine.default_database()
	if kind == "sqlite" and not (engine.home / "apps" / "frappe" / "frappe" / "database" / "sqlite").exists():
		raise DevError(
			f"{engine.title} has no SQLite yet (Frappe 16 and later do). Use --db postgres or --db mariadb."
		)
	return kinds[kind]()
