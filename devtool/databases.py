"""The three kinds of database a site may live in: make, copy and drop one by name."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from .processes import answers, execute
from .report import DevError
from .services import MariaDB, Postgres


class Database:
	"""A database server as the sites see it."""

	kind = ""
	service: str | None = None

	@property
	def label(self) -> str:
		"""Names this database among those an engine may run on."""
		return self.kind

	def new_site_options(self) -> list[str]:
		"""Options of `bench new-site` that name server and root login."""
		return []

	def site_config(self, name: str) -> dict:
		"""What a site's `site_config.json` says about the database `name`.

		Args:
			name: of the database, which is its user and password, too.

		Returns:
			dict: for `site_config.json`, beside what else stands there.
		"""
		return {"db_type": self.kind, "db_name": name, "db_password": name}

	def root_config(self) -> dict:
		"""Root login for commands that make or drop databases themselves."""
		return {}

	def copy(self, source: str, target: str, source_site: Path, target_site: Path) -> None:
		"""Make database `target` a copy of `source`. The site folders were copied already.

		Args:
			source: name of a database nobody writes to meanwhile.
			target: name of the new one, which is its user and password, too.
			source_site, target_site: folders of the sites.

		Raises:
			DevError: the server refused it.
		"""
		raise NotImplementedError

	def drop(self, name: str) -> None:
		raise NotImplementedError

	def exists(self, name: str, site: Path) -> bool:
		raise NotImplementedError

	def names(self, prefix: str) -> list[str]:
		"""All databases whose name begins so.

		Args:
			prefix: how they begin.
		"""
		return []


class PostgresDatabase(Database):
	kind = service = "postgres"

	def __init__(self):
		self.server = Postgres()

	def new_site_options(self) -> list[str]:
		state = self.server.state
		return _server_options(self.kind, "127.0.0.1", state["port"], "postgres", state["password"])

	def site_config(self, name: str) -> dict:
		return super().site_config(name) | {"db_host": "127.0.0.1", "db_port": self.server.port}

	def root_config(self) -> dict:
		return {"root_login": "postgres", "root_password": self.server.state["password"]}

	def copy(self, source: str, target: str, source_site: Path, target_site: Path) -> None:
		"""The copy's tables belong to the source's role, so the new role is a superuser: it is a test database.

		Args:
			source, target: as in `Database.copy`.
			source_site, target_site: not needed here.

		Raises:
			DevError: the server refused it, for example while somebody is connected to the source.
		"""
		self.server.sql(f"CREATE ROLE \"{target}\" LOGIN SUPERUSER PASSWORD '{target}'")
		self.server.sql(f'CREATE DATABASE "{target}" TEMPLATE "{source}" OWNER "{target}"')

	def drop(self, name: str) -> None:
		"""A template's role stays while copies have tables of it; it does no harm.

		Args:
			name: of the database; nothing happens where there is none.
		"""
		self.server.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
		with suppress(DevError):
			self.server.sql(f'DROP ROLE IF EXISTS "{name}"')

	def exists(self, name: str, site: Path) -> bool:
		# The tool makes up the names itself.
		return self.server.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == "1"  # nosec B608

	def names(self, prefix: str) -> list[str]:
		"""Databases and roles: a copy killed half-way may have left a role alone.

		Args:
			prefix: how they begin.
		"""
		found = self.server.sql("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles").split()
		return [name for name in found if name.startswith(prefix)]


class MariaDatabase(Database):
	kind = service = "mariadb"
	host = "127.0.0.1"
	user = "root"

	def __init__(self):
		self.server = MariaDB()

	@property
	def port(self) -> int:
		return self.server.port

	@property
	def password(self) -> str:
		return self.server.state["password"]

	def new_site_options(self) -> list[str]:
		return _server_options(self.kind, self.host, self.port, self.user, self.password)

	def site_config(self, name: str) -> dict:
		return super().site_config(name) | {"db_host": self.host, "db_port": self.port}

	def root_config(self) -> dict:
		return {"root_login": self.user, "root_password": self.password}

	def _command(self, *names: str) -> list[str]:
		program = MariaDB.program(*names)
		if not program:
			raise DevError(
				f"The program {names[0]} is missing. Install MariaDB's client programs (Debian: mariadb-client)."
			)
		return [program, "--no-defaults", "-h", self.host, "-P", str(self.port), "-u", self.user]

	def _environment(self) -> dict:
		return os.environ | {"MYSQL_PWD": self.password}

	def sql(self, statement: str, database: str = "mysql") -> str:
		command = [*self._command("mariadb", "mysql"), "-N", "-B", database, "-e", statement]
		done = execute(command, capture_output=True, text=True, env=self._environment())
		if done.returncode:
			raise DevError(f"MariaDB at {self.host}:{self.port}: {done.stderr.strip()}")
		return done.stdout.strip()

	def copy(self, source: str, target: str, source_site: Path, target_site: Path) -> None:
		dump = self._dump(source, source_site)
		self.sql(
			f"CREATE DATABASE `{target}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci; "
			f"CREATE OR REPLACE USER `{target}`@'%' IDENTIFIED BY '{target}'; "
			f"GRANT ALL PRIVILEGES ON `{target}`.* TO `{target}`@'%'"
		)
		with dump.open("rb") as file:
			command = [*self._command("mariadb", "mysql"), target]
			done = execute(command, stdin=file, capture_output=True, env=self._environment())
		if done.returncode:
			raise DevError(f"Loading {dump} failed: {done.stderr.decode(errors='replace').strip()}")

	def _dump(self, name: str, site: Path) -> Path:
		"""The dump of a template is written once; other sources are dumped anew each time."""
		path = site / f"{name}.dump.sql"
		if path.exists():
			return path
		partial = site / f"{name}.{os.getpid()}.partial"
		options = [
			"--single-transaction",
			"--quick",
			"--skip-comments",
			"--no-autocommit",
			"--skip-add-drop-table",
		]
		with partial.open("wb") as file:
			file.write(b"SET SESSION foreign_key_checks=0, unique_checks=0;\n")
			file.flush()
			command = [*self._command("mariadb-dump", "mysqldump"), *options, name]
			done = execute(command, stdout=file, stderr=subprocess.PIPE, env=self._environment())
		if done.returncode:
			raise DevError(f"Dumping {name} failed: {done.stderr.decode(errors='replace').strip()}")
		partial.replace(path)
		return path

	def drop(self, name: str) -> None:
		self.sql(f"DROP DATABASE IF EXISTS `{name}`; DROP USER IF EXISTS `{name}`@'%'")

	def exists(self, name: str, site: Path) -> bool:
		return name in self.names(name)

	def names(self, prefix: str) -> list[str]:
		return [name for name in self.sql("SHOW DATABASES").split() if name.startswith(prefix)]


class BenchDatabase(MariaDatabase):
	"""The MariaDB server an official bench uses already."""

	service = None
	label = "mariadb-own"

	def __init__(self, config: dict, bench: Path):
		self.config = config
		self.host = config.get("db_host") or "127.0.0.1"
		self.user = config.get("root_login") or "root"
		self.bench = bench
		self._require_answer()

	@property
	def port(self) -> int:
		return int(self.config.get("db_port") or 3306)

	@property
	def password(self) -> str:
		return str(self.config.get("root_password") or "")

	def _require_answer(self) -> None:
		instead = "Or add --db mariadb, --db postgres or --db sqlite to use a private database instead."
		if not answers(self.port, self.host):
			raise DevError(
				f"The bench's MariaDB does not answer at {self.host}:{self.port}. Start it (for a system service: "
				f"systemctl start mariadb), or correct db_host and db_port in {self.bench}/sites/common_site_config.json. {instead}"
			)
		try:
			self.sql("select 1")
		except DevError as error:
			raise DevError(
				f"{error}\nPut root_login and root_password of that server into "
				f"{self.bench}/sites/common_site_config.json. {instead}"
			) from error


class SqliteDatabase(Database):
	"""A file in the site's own folder: copied with it."""

	kind = "sqlite"

	def new_site_options(self) -> list[str]:
		return ["--db-type", "sqlite"]

	def copy(self, source: str, target: str, source_site: Path, target_site: Path) -> None:
		for path in (target_site / "db").glob(f"{source}.db*"):
			path.rename(path.with_name(path.name.replace(source, target, 1)))

	def drop(self, name: str) -> None:
		"""Goes with the site's folder.

		Args:
			name: of the database.
		"""

	def exists(self, name: str, site: Path) -> bool:
		return (site / "db" / f"{name}.db").exists()


def _server_options(kind: str, host: str, port: int, user: str, password: str) -> list[str]:
	place = ["--db-type", kind, "--db-host", host, "--db-port", str(port)]
	return [*place, "--db-root-username", user, "--db-root-password", password]


def copy_folder(
	source: Path, target: Path, ignore: tuple[str, ...] = ("*.dump.sql", "*.partial", "logs", "locks")
) -> None:
	shutil.copytree(source, target, ignore=shutil.ignore_patterns(*ignore), symlinks=True)
