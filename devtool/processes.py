"""Running other programs: output into a log, its end shown when something fails."""

import ctypes
import errno
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from .paths import LOGS, STATE
from .report import DevError

UNPRIVILEGED = "nobody"
PORTS_TRIED = 2000


def execute(command: list, **options) -> subprocess.CompletedProcess:
	"""Run a program to its end; options as of `subprocess.run`. Words, never a line for a shell.

	Args:
		command: program and words; converted to text.
		**options: for example `cwd`, `env`, `check`.

	Raises:
		FileNotFoundError: there is no such program.
	"""
	# Running programs is what this tool is for. Their words come from here and from who typed `./dev`.
	return subprocess.run([str(part) for part in command], **options)  # nosemgrep: frappe-subprocess-exec


def start(command: list, **options) -> subprocess.Popen:
	"""Start a program; options as of `subprocess.Popen`.

	Args:
		command: program and words; converted to text.
		**options: for example `cwd`, `env`.

	Raises:
		FileNotFoundError: there is no such program.
	"""
	# As above.
	return subprocess.Popen([str(part) for part in command], **options)  # nosemgrep: frappe-subprocess-exec


def run(
	command: list, log: str, *, what: str = "", hint: str = "", check: bool = True, **options
) -> subprocess.CompletedProcess:
	"""Run a program with its output in `.bench/logs/<log>.log`; raise with the log's end when it fails.

	Args:
		command: program and words; converted to text.
		log: name of the log, without ending.
		what: how an error calls it; the program's name by default.
		hint: sentence for an error that says what to do.
		check: whether an exit code other than 0 is an error.
		**options: as of `subprocess.run`.

	Raises:
		DevError: the program is missing, or it failed.
	"""
	LOGS.mkdir(parents=True, exist_ok=True)
	path = LOGS / f"{log}.log"
	command = [str(part) for part in command]
	with path.open("ab") as output:
		output.write(f"\n$ {' '.join(command)}\n".encode())
		output.flush()
		begin = output.tell()
		try:
			done = execute(
				command,
				stdout=output,
				stderr=subprocess.STDOUT,
				stdin=options.pop("stdin", subprocess.DEVNULL),
				**options,
			)
		except FileNotFoundError as error:
			raise DevError(
				f"{what or command[0]}: the program {error.filename} is missing. {hint}"
			) from error
	if check and done.returncode:
		raise DevError(_failure(what or Path(command[0]).name, done.returncode, path, begin, hint))
	return done


def _failure(what: str, code: int, path: Path, begin: int, hint: str) -> str:
	text = path.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
	tail = "\n".join(f"    | {line}" for line in text[-30:])
	if "No space left on device" in tail or disk_is_full(STATE):
		hint = f"The disk is full: {free_space(STATE)} left at {STATE}. Make room (./dev clean helps) and run it again."
	return f"{what} failed (exit code {code}). The end of {path}:\n{tail}\n  {hint}".rstrip()


def free_space(folder: Path) -> str:
	return f"{shutil.disk_usage(existing(folder)).free / 2**20:.0f} MB"


def disk_is_full(folder: Path) -> bool:
	return shutil.disk_usage(existing(folder)).free < 20 * 2**20


def existing(folder: Path) -> Path:
	return folder if folder.exists() else existing(folder.parent)


def require_space(megabytes: int) -> None:
	"""Say at once, before a long build, that it cannot end well.

	Args:
		megabytes: that are needed below `.bench/`.

	Raises:
		DevError: fewer are free.
	"""
	if shutil.disk_usage(existing(STATE)).free < megabytes * 2**20:
		raise DevError(
			f"The disk is too full: building the bench takes about {megabytes} MB below {STATE}, "
			f"{free_space(STATE)} are free. Make room and run it again."
		)


def describe_os_error(error: OSError) -> str:
	if error.errno == errno.ENOSPC:
		return f"The disk is full ({free_space(STATE)} left at {STATE}). Make room and run it again."
	return f"{error.strerror or error}: {error.filename or ''}. Correct that and run it again."


def unprivileged() -> dict:
	"""Options for subprocess that drop root, where the tool runs as root."""
	if os.geteuid() != 0:
		return {}
	person = pwd.getpwnam(UNPRIVILEGED)
	return {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": [], "env": _plain_environment()}


def _plain_environment() -> dict:
	keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
	return keep | {"HOME": "/nonexistent"}


def give_to_unprivileged(folder: Path) -> None:
	if os.geteuid() == 0:
		person = pwd.getpwnam(UNPRIVILEGED)
		os.chown(folder, person.pw_uid, person.pw_gid)


def free_port(wanted: int) -> int:
	"""The wanted port, or the next free one after it.

	Args:
		wanted: number of the port. Somebody else may take it before it is used; see `listen`.

	Raises:
		DevError: none of the next `PORTS_TRIED` is free.
	"""
	for port in range(wanted, wanted + PORTS_TRIED):
		if port_is_free(port):
			return port
	raise _no_port(wanted)


def _no_port(wanted: int) -> DevError:
	return DevError(
		f"No free port between {wanted} and {wanted + PORTS_TRIED}. Stop something and run it again."
	)


def listen(wanted: int) -> socket.socket:
	"""Return a socket that listens on the wanted port or the next free one: nobody else can take the port any more.

	Args:
		wanted: number of the port.

	Raises:
		DevError: none of the next `PORTS_TRIED` is free.
	"""
	for port in range(wanted, wanted + PORTS_TRIED):
		listening = socket.socket()
		listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		try:
			listening.bind(("127.0.0.1", port))
			listening.listen()
		except OSError:
			listening.close()
			continue
		return listening
	raise _no_port(wanted)


def port_is_free(port: int) -> bool:
	with socket.socket() as probe:
		probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		try:
			probe.bind(("127.0.0.1", port))
		except OSError:
			return False
	return not answers(port)


def answers(port: int, host: str = "127.0.0.1", seconds: float = 0.5) -> bool:
	try:
		socket.create_connection((host, port), timeout=seconds).close()
	except OSError:
		return False
	return True


def spawn(command: list, log: str, die_with_parent: bool = False, **options) -> subprocess.Popen:
	"""Start a program in a session of its own. It outlives this one unless it is to die with it (Linux can do that).

	Args:
		command: program and words; converted to text.
		log: name of the log, without ending.
		die_with_parent: whether it ends with this process.
		**options: as of `subprocess.Popen`.
	"""
	LOGS.mkdir(parents=True, exist_ok=True)
	if die_with_parent and sys.platform == "linux":
		options["preexec_fn"] = _ask_for_signal_at_parents_death
	with (LOGS / f"{log}.log").open("ab") as output:
		return start(
			command,
			stdin=subprocess.DEVNULL,
			stdout=output,
			stderr=subprocess.STDOUT,
			start_new_session=True,
			**options,
		)


def _ask_for_signal_at_parents_death() -> None:
	set_parent_death_signal = 1
	ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def alive(pid: int) -> bool:
	"""Tell whether the process is there, and not merely waiting to be collected.

	Args:
		pid: its number.
	"""
	with suppress(ChildProcessError):
		os.waitpid(pid, os.WNOHANG)
	try:
		os.kill(pid, 0)
	except ProcessLookupError:
		return False
	except PermissionError:
		return True
	stat = Path(f"/proc/{pid}/stat")
	try:
		return stat.read_text().rpartition(")")[2].split()[0] != "Z" if stat.exists() else True
	except OSError:
		return False


def end(pid: int, sig: int = signal.SIGTERM, seconds: float = 20, group: bool = False) -> None:
	"""End one process (or its whole group) by id, first kindly.

	Args:
		pid: number of the process, or of the first one of its group.
		sig: the kind signal.
		seconds: to wait after it, and once more after SIGKILL.
		group: whether its whole group ends.
	"""
	send = os.killpg if group else os.kill
	for signal_number in (sig, signal.SIGKILL):
		try:
			send(pid, signal_number)
		except (ProcessLookupError, PermissionError):
			return
		limit = time.monotonic() + seconds
		while time.monotonic() < limit:
			if not alive(pid):
				return
			time.sleep(0.02)


def tail(log: str, lines: int = 30) -> str:
	path = LOGS / f"{log}.log"
	if not path.exists():
		return ""
	return "\n".join(f"    | {line}" for line in path.read_text(errors="replace").splitlines()[-lines:])
