"""From options to a ready bench: engine, servers, templates."""

import json
import shutil
import tempfile
import time
from argparse import Namespace
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import clones, engines
from .benches import Bench, choose_database, main_bench
from .leases import services_in_use
from .locks import build_lock
from .paths import ROOT, STATE
from .report import report
from .templates import SiteTemplate, Templates, repoint


def dev_site(bench: Bench) -> str:
	"""Name of the site that `./dev bench`, `./dev python` and `./dev demo` work on.

	Args:
		bench: the main bench; each kind of database has a site of its own.
	"""
	return f"milestone-{bench.database.label}.localhost"


@contextmanager
def ready_bench(options: Namespace):
	"""The main bench with its servers running, held for the length of the block.

	Args:
		options: of `./dev`: `bench`, `frappe` and `db`.

	Yields:
		Bench: its engine built.

	Raises:
		DevError: engine or servers cannot be had; says what to do.
	"""
	engine = engines.choose(options.bench, options.frappe)
	report.say(f"Frappe: {engine.title} ({engine.why})")
	with build_lock(f"engine-{engine.key}"):
		engine.build()
	kind = options.db or engine.default_database()
	private = kind in ("postgres", "mariadb") and (options.db or not isinstance(engine, engines.BenchEngine))
	with services_in_use(["redis", *([kind] if private else [])]):
		bench = main_bench(engine, choose_database(engine, options.db))
		with build_lock(f"engine-{engine.key}"):
			bench.lay_out()
			ensure_assets(bench)
		yield bench


def ensure_assets(bench: Bench) -> None:
	"""Every web page raises without assets.json; an empty one serves until the Desk is built.

	Args:
		bench: of the engine.
	"""
	for name in ("assets.json", "assets-rtl.json"):
		if not (bench.assets / name).exists():
			(bench.assets / name).write_text("{}")


def ensure_dev_site(bench: Bench) -> str:
	"""The developer's site: made from the app template, migrated when the app's schema has changed.

	Args:
		bench: the main bench, its servers running.

	Returns:
		str: name of the site.

	Raises:
		DevError: making or migrating it failed; with the end of the log.
	"""
	site, templates = dev_site(bench), Templates(bench)
	with build_lock(templates.lock):
		db_name = templates.name("dev")
		folder = bench.sites / site
		template = templates.app()
		if not (folder / "site_config.json").exists() or not bench.database.exists(db_name, folder):
			with report.step(f"site {site}"):
				_make_dev_site(bench, template, site, db_name)
		elif not templates.stamps.done(site, template.key):
			repoint(bench, folder)
			with report.step(f"site {site} migrated"):
				bench.run("migrate", site=site, what="bench migrate")
		repoint(bench, folder)
		templates.stamps.write(site, template.key)
	return site


def _make_dev_site(bench: Bench, template: SiteTemplate, site: str, db_name: str) -> None:
	bench.database.drop(db_name)
	shutil.rmtree(bench.sites / site, ignore_errors=True)
	clones.copy_site(bench, template.site, bench, site, db_name)
	bench.engine.stamps.write(f"{site}-made", str(time.time()))


@dataclass
class Run:
	"""What a test run or benchmark needs to know, handed over in a file named by MILESTONE_RUN."""

	bench: Bench
	bare: SiteTemplate
	app: SiteTemplate

	def save(self) -> Path:
		values = {
			"engine": self.bench.engine.recipe(),
			"db": self.bench.database.kind,
			"own_database": self.bench.database.service is None and self.bench.database.kind == "mariadb",
			"bare": vars(self.bare),
			"app": vars(self.app),
			"root": str(ROOT),
		}
		folder = STATE / "runs"
		folder.mkdir(parents=True, exist_ok=True)
		with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False) as file:
			json.dump(values, file, indent=1)
		return Path(file.name)

	@classmethod
	def load(cls, path: str | Path) -> "Run":
		values = json.loads(Path(path).read_text())
		engine = engines.restore(values["engine"])
		database = choose_database(engine, None if values["own_database"] else values["db"])
		return cls(
			main_bench(engine, database), SiteTemplate(**values["bare"]), SiteTemplate(**values["app"])
		)
