"""`./dev demo`: the whole thing running, with data, for somebody who wants to click."""

import os
import signal
import subprocess
from argparse import Namespace
from contextlib import contextmanager

from . import desk, realtime, web
from .background import Background
from .benches import ADMIN_PASSWORD, Bench, read_json, write_json
from .paths import APP, ROOT, STATE
from .prepare import ensure_dev_site, ready_bench
from .processes import alive, end, free_port, spawn
from .report import DevError, report
from .stamps import digest

STATE_FILE = STATE / "demo.json"
MAILS = STATE / "mails"
DEMO_MODULE = f"{APP}.demo.story"


def demo(options: Namespace) -> int:
	_refuse_second()
	with ready_bench(options) as bench:
		site = prepare_site(bench)
		with processes(bench, site, options.port) as (address, mail_page, running):
			print(_welcome(bench, site, address, mail_page), flush=True)
			_wait(running)
	return 0


def prepare_site(bench: Bench) -> str:
	"""Site, Desk and data; the Desk is built while the site is made.

	Args:
		bench: the main bench, its servers running.

	Returns:
		str: name of the site.

	Raises:
		DevError: the Desk cannot be built, or the data not be loaded.
	"""
	building = Background(lambda: desk.build(bench))
	site = ensure_dev_site(bench)
	building.result()
	load_data(bench, site)
	return site


def load_data(bench: Bench, site: str) -> None:
	"""Demo data, once for each version of the generator.

	Args:
		bench: the main bench.
		site: name of its site.

	Raises:
		DevError: it cannot be loaded; with the end of the log.
	"""
	sources = sorted((ROOT / APP).glob("demo/*.py"))
	key = digest(*sources, bench.engine.stamps.read(f"{site}-made"))
	if bench.engine.stamps.done(f"{site}-demo", key):
		return
	config = bench.sites / site / "site_config.json"
	write_json(config, read_json(config) | {"milestone_demo_password": ADMIN_PASSWORD})
	with report.step("demo data"):
		bench.run("execute", f"{DEMO_MODULE}.load", site=site, log="demo", what="Loading the demo data")
	bench.engine.stamps.write(f"{site}-demo", key)


@contextmanager
def processes(bench: Bench, site: str, wanted_port: int):
	"""Web server, live updates, mail server, worker and scheduler while the block runs.

	Args:
		bench: the main bench.
		site: name of its site.
		wanted_port: of the web server; the next free one where it is taken.

	Yields:
		tuple: address of the web server, address of the page with its mails, and the processes, the web server first.

	Raises:
		DevError: the web server does not start.
	"""
	running: list[subprocess.Popen] = []
	previous = signal.signal(signal.SIGTERM, _as_interrupt)
	try:
		with report.step("web server, live updates, mail server, worker and scheduler"):
			mail_page = _start_mailbox(bench, site, running)
			variables = _start_realtime(bench, site, running)
			server, port = web.serve(bench, site, wanted_port, **variables)
			running.insert(0, server)
			_remember(running, port)
			address = f"http://localhost:{port}"
			_set_address(bench, site, address)
			for command in (web.worker_command(bench, burst=False), bench.command("schedule")):
				running.append(
					spawn(command, "worker", die_with_parent=True, cwd=bench.sites, env=bench.environment())
				)
			bench.run("enable-scheduler", site=site)
			_remember(running, port)
		with report.step("today's mails"):
			bench.run("execute", f"{DEMO_MODULE}.send_mails", site=site, log="demo", what="Sending the mails")
		yield address, mail_page, running
	finally:
		signal.signal(signal.SIGTERM, previous)
		for process in running:
			web.stop(process)
		STATE_FILE.unlink(missing_ok=True)


def _start_realtime(bench: Bench, site: str, running: list[subprocess.Popen]) -> dict[str, str]:
	"""Live updates, where they are to be had; returns what the web server must know."""
	process, variables = realtime.serve(bench, site) or (None, {})
	if process:
		running.append(process)
	return variables


def _start_mailbox(bench: Bench, site: str, running: list[subprocess.Popen]) -> str:
	"""A mail server that sends nothing on, for the site; returns the address of the page that shows its mails."""
	smtp_port, page_port = free_port(2500), free_port(8300)
	command = [bench.engine.python, "-m", "devtool.mailbox", MAILS, smtp_port, page_port]
	running.append(spawn(command, "mails", die_with_parent=True, cwd=bench.sites, env=bench.environment()))
	path = bench.sites / site / "site_config.json"
	mail = {
		"mail_server": "127.0.0.1",
		"mail_port": smtp_port,
		"use_tls": 0,
		"use_ssl": 0,
		"disable_mail_smtp_authentication": 1,
		"auto_email_id": "milestones@garments.example",
	}
	write_json(path, read_json(path) | mail)
	return f"http://localhost:{page_port}"


def _as_interrupt(*_):
	raise KeyboardInterrupt


def _set_address(bench: Bench, site: str, address: str) -> None:
	"""Links in messages lead to this server."""
	path = bench.sites / site / "site_config.json"
	write_json(path, read_json(path) | {"host_name": address})


def _remember(running: list[subprocess.Popen], port: int) -> None:
	values = {"pid": os.getpid(), "processes": [process.pid for process in running], "port": port}
	write_json(STATE_FILE, values)


def _wait(running: list[subprocess.Popen]) -> None:
	"""Until Ctrl-C, `./dev stop`, or the web server ends."""
	try:
		running[0].wait()
		raise DevError(f"The web server ended by itself; see {STATE}/logs/web.log.")
	except KeyboardInterrupt:
		report.say("\nStopping.")


def _refuse_second() -> None:
	if not STATE_FILE.exists():
		return
	state = read_json(STATE_FILE)
	if alive(state["pid"]):
		raise DevError(f"The demo runs already: http://localhost:{state['port']}. ./dev stop ends it.")
	stop()


def stop() -> bool:
	"""End a running demo, also one whose ./dev was killed."""
	if not STATE_FILE.exists():
		return False
	state = read_json(STATE_FILE)
	if alive(state["pid"]):
		end(state["pid"], seconds=30)
	for pid in state["processes"]:
		if alive(pid):
			end(pid, group=True)
	STATE_FILE.unlink(missing_ok=True)
	return True


def _welcome(bench: Bench, site: str, address: str, mail_page: str) -> str:
	return f"""
  Milestone Automation runs on Frappe {bench.engine.version()} ({bench.database.kind}), ready in {report.total():.0f} s.

    Address   {address}
    Login     Administrator
    Password  {ADMIN_PASSWORD}

  What to click first
    1. {address}/app/milestone-plan?health=Blocked : open one of five plans, then its order. It ships today, but a
       required task is open: set Status to Shipped and save. It is refused.
    2. Tick the task off at the top of the order, set Shipped, save again: it goes.
    3. {address}/app/milestone-automation : the workspace, with a checklist; Milestone Workflow is where such plans
       are built.
    4. {address}/app/milestone : every change that was recorded, newest first.

  As a supplier, without an account: {mail_page}
    The mails of the demo. Open one to a supplier ("orders@..."), follow its link, send a file, mark the task as done:
    the order is no longer blocked.

  Others who can log in (same password): buyer@garments.example, merchandiser@garments.example,
  manager@garments.example

  Site {site}; any bench command on it: ./dev bench --help
  Ctrl-C or ./dev stop ends it, ./dev clean deletes everything.
"""
