"""Live updates of the Desk: Frappe's own socket.io server; for the engine that lacks it, `desk/realtime.js`."""

import subprocess
import time
from pathlib import Path

from . import desk
from .benches import Bench, read_json, write_json
from .engines import SnapshotEngine
from .paths import LOGS
from .processes import alive, answers, end, free_port, spawn
from .report import report

START_SECONDS = 30
FIRST_PORT = 9000


def serve(bench: Bench, site: str) -> tuple[subprocess.Popen, dict[str, str]] | None:
	"""Start the server of live updates for one site; returns when it listens.

	Args:
		bench: the bench, its Desk built.
		site: name of its site; the configuration gets the port, of the site and of all sites.

	Returns:
		tuple | None: the process, and variables that tell the web server of it. None where it does not start: all but
			live updates works, and a line says so.
	"""
	found = _server(bench)
	if not found:
		report.say(
			"  - no live updates: this Frappe brings no server for them, or socket.io is not installed"
		)
		return None
	source, modules = found
	port = free_port(FIRST_PORT)
	# Frappe's server reads the one, and the other outlives a new layout of the bench.
	for config in (bench.sites / "common_site_config.json", bench.sites / site / "site_config.json"):
		write_json(config, read_json(config) | {"socketio_port": port})
	variables = {
		"NODE_PATH": str(modules),
		"FRAPPE_BENCH_ROOT": str(bench.folder),
		"FRAPPE_SITE": site,
		"FRAPPE_SOCKETIO_PORT": str(port),
		"FRAPPE_REDIS_QUEUE": read_json(bench.sites / "common_site_config.json")["redis_queue"],
	}
	options = {"cwd": bench.sites, "env": bench.environment() | variables}
	process = spawn([desk.node()[0], source], "realtime", die_with_parent=True, **options)
	if not _listens(process, port):
		end(process.pid, group=True)
		report.say(f"  - no live updates: their server did not start; see {LOGS}/realtime.log")
		return None
	return process, {"MILESTONE_LIVE_UPDATES": "1"}


def _server(bench: Bench) -> tuple[Path, Path] | None:
	"""The server's source, and the packages it imports."""
	frappe, modules = (bench.engine.home / "apps" / "frappe").resolve(), desk.node_modules(bench)
	if isinstance(bench.engine, SnapshotEngine):
		return desk.SOURCE / "realtime.js", modules
	there = (frappe / "realtime").exists() and (modules / "socket.io").exists()
	return (frappe / "socketio.js", modules) if there else None


def _listens(process: subprocess.Popen, port: int) -> bool:
	limit = time.monotonic() + START_SECONDS
	while time.monotonic() < limit and alive(process.pid):
		if answers(port):
			return True
		time.sleep(0.1)
	return False
