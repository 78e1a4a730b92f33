"""Web server, RQ worker and scheduler of a bench."""

import subprocess
import time
import urllib.error
import urllib.request

from .benches import Bench
from .paths import LOGS
from .processes import end, listen, spawn, tail
from .report import DevError

START_SECONDS = 180


def serve(
	bench: Bench, site: str, wanted_port: int, workers: int = 1, **variables: str
) -> tuple[subprocess.Popen, int]:
	"""Start a web server for one site; returns when it answers. All its processes are one group.

	Args:
		bench: the bench.
		site: name of its site, whatever host a request names.
		wanted_port: the next free one where it is taken.
		workers: number of processes, with 8 threads each.
		**variables: of the environment, besides the bench's.

	Returns:
		tuple: the process, and its port.

	Raises:
		DevError: it does not answer in `START_SECONDS`, or with an error; with the end of the log.
	"""
	listening = listen(wanted_port)
	port = listening.getsockname()[1]
	environment = bench.environment() | {"MILESTONE_WEB_SITE": site} | variables
	shape = [
		"--workers",
		workers,
		"--threads",
		8,
		"--worker-class",
		"gthread",
		"--timeout",
		120,
		"--graceful-timeout",
		2,
	]
	command = [
		bench.engine.python,
		"-m",
		"gunicorn",
		"--bind",
		f"fd://{listening.fileno()}",
		*shape,
		"devtool.site_web:application",
	]
	options = {"cwd": bench.sites, "env": environment, "pass_fds": (listening.fileno(),)}
	process = spawn(command, "web", die_with_parent=True, **options)
	listening.close()
	_wait(process, f"http://127.0.0.1:{port}/api/method/ping")
	return process, port


def _wait(process: subprocess.Popen, url: str) -> None:
	limit = time.monotonic() + START_SECONDS
	while time.monotonic() < limit and process.poll() is None:
		try:
			# Always the server that this process has just started.
			urllib.request.urlopen(url, timeout=20).close()  # nosec B310
			return
		except urllib.error.HTTPError as error:
			reason = error.read().decode(errors="replace")[-300:]
			stop(process)
			raise DevError(f"The web server answers {error.code}: {reason}\n{tail('web')}") from error
		except OSError:
			time.sleep(0.1)
	stop(process)
	raise DevError(f"The web server did not start. The end of {LOGS}/web.log:\n{tail('web')}")


def stop(process: subprocess.Popen) -> None:
	end(process.pid, group=True)


def worker_command(bench: Bench, burst: bool) -> list[str]:
	return bench.command("worker", "--queue", "short,default,long", *(["--burst"] if burst else []))
