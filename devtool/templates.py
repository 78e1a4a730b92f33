"""Ready sites to copy: `bare` (Frappe alone, setup wizard done) and `app` (bare with this app installed)."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from .benches import ADMIN_PASSWORD, Bench, read_json, write_json
from .databases import copy_folder
from .engines import Engine
from .locks import build_lock, is_free, keep_shared
from .paths import APP, CHECKOUT, LOCKS, ROOT
from .report import report
from .stamps import Stamps, digest, digest_tree

RECIPE = 1  # raise it when the steps below change what a template holds
KEPT_TEMPLATES = 3
INSTALL_INPUTS = (
	"**/*.json",
	"**/*.txt",
	"hooks.py",
	"install.py",
	"uninstall.py",
	"engine/indexes.py",
	"patches/**/*.py",
	"setup/**/*.py",
)

WIZARD = f"""
import frappe
from frappe.desk.page.setup_wizard.setup_wizard import setup_complete
answers = dict(language="English", country="Germany", timezone="Europe/Berlin", currency="EUR",
	full_name="Ada Admin", email="ada@example.com", password="{ADMIN_PASSWORD}", enable_telemetry=0)
print(setup_complete(frappe._dict(answers)))
frappe.db.set_single_value("System Settings", "enable_onboarding", 0)
frappe.db.commit()
"""


@dataclass
class Template:
	"""A site nobody works on, with its database."""

	site: str
	db_name: str
	key: str


class Templates:
	"""The templates of one bench and database kind."""

	def __init__(self, bench: Bench):
		self.bench = bench
		self.kind = bench.database.kind + (
			"" if bench.database.service or bench.database.kind == "sqlite" else "-own"
		)
		self.stamps = Stamps(bench.engine.home / "stamps")
		self.lock = f"sites-{bench.engine.key}-{self.kind}"

	def name(self, kind: str) -> str:
		"""Database names are unique on the machine: checkout, engine, kind."""
		engine = digest(self.bench.engine.key)[:4]
		return f"ma_{CHECKOUT[:6]}_{engine}_{kind}"

	def bare(self) -> Template:
		key = digest(RECIPE, WIZARD, self.bench.engine.identity(), self.bench.database.kind)
		template = Template(f"bare-{key[:8]}-{self.kind}", self.name(f"bare_{key[:8]}"), key)
		with build_lock(self.lock):
			if not self._ready(template):
				with report.step(f"new site on {self.bench.database.kind}"):
					self._new_site(template)
				with report.step("setup wizard"):
					self.bench.run_code(template.site, WIZARD, what="The setup wizard")
				self.stamps.write(template.site, key)
				self._prune("bare", template)
			keep_shared(self._use(template.site))
		return template

	def app(self) -> Template:
		bare = self.bare()
		key = digest(bare.key, self.app_key())
		template = Template(f"app-{key[:8]}-{self.kind}", self.name(f"app_{key[:8]}"), key)
		with build_lock(self.lock):
			if not self._ready(template):
				with report.step("app installed on a copy of it"):
					self._discard(template)
					copy_site(self.bench, bare.site, self.bench, template.site, template.db_name)
					self.bench.run("install-app", APP, site=template.site, what="Installing the app")
				self.stamps.write(template.site, key)
				self._prune("app", template)
			keep_shared(self._use(template.site))
		return template

	@staticmethod
	def app_key() -> str:
		"""Changes with everything that installing the app puts into a site."""
		return digest_tree(ROOT / APP, INSTALL_INPUTS)

	def _use(self, site: str) -> Path:
		"""Whoever may still copy a template holds this file, shared."""
		return LOCKS / f"template-{self.bench.engine.key}-{site}"

	def _ready(self, template: Template) -> bool:
		site = self.bench.sites / template.site
		stamped = self.stamps.done(template.site, template.key) and (site / "site_config.json").exists()
		return stamped and self.bench.database.exists(template.db_name, site) and self._repoint(site)

	def _repoint(self, site: Path) -> bool:
		"""The server's port may have changed since the site was made."""
		return repoint(self.bench, site)

	def _new_site(self, template: Template) -> None:
		self._discard(template)
		names = [
			"--db-name",
			template.db_name,
			"--db-password",
			template.db_name,
			"--admin-password",
			ADMIN_PASSWORD,
		]
		options = [*self.bench.database.new_site_options(), *names, *self._login_scope()]
		self.bench.run("new-site", template.site, *options, what="bench new-site")

	def _login_scope(self) -> list[str]:
		"""The option that lets a site's MariaDB user come by TCP has changed its name."""
		if self.bench.database.kind != "mariadb":
			return []
		source = self.bench.engine.home / "apps" / "frappe" / "frappe" / "commands" / "site.py"
		known = "--mariadb-user-host-login-scope" in source.read_text()
		return ["--mariadb-user-host-login-scope=%"] if known else ["--no-mariadb-socket"]

	def _discard(self, template: Template) -> None:
		self.stamps.forget(template.site)
		self.bench.database.drop(template.db_name)
		shutil.rmtree(self.bench.sites / template.site, ignore_errors=True)

	def _prune(self, kind: str, latest: Template) -> None:
		"""A run goes on copying the template it began with; others but the latest few go."""
		sites = [
			site for site in self.bench.sites.glob(f"{kind}-*-{self.kind}") if is_free(self._use(site.name))
		]
		sites = [site for site in sites if site.name != latest.site]
		for site in sorted(sites, key=lambda path: path.stat().st_mtime)[: -KEPT_TEMPLATES + 1]:
			config = read_json(site / "site_config.json") if (site / "site_config.json").exists() else {}
			self._discard(Template(site.name, config.get("db_name") or self.name("none"), ""))


def repoint(bench: Bench, site: Path) -> bool:
	path = site / "site_config.json"
	config = read_json(path)
	place = {
		name: value
		for name, value in bench.database.site_config(config["db_name"]).items()
		if name in ("db_host", "db_port")
	}
	if place.items() - config.items():
		write_json(path, config | place)
	return True


def copy_site(source_bench: Bench, source: str, target_bench: Bench, target: str, db_name: str) -> None:
	"""Copy a site under a new name: folder, configuration, database."""
	source_site, target_site = source_bench.sites / source, target_bench.sites / target
	config = read_json(source_site / "site_config.json")
	source_db = config["db_name"]
	config.pop("db_user", None)
	copy_folder(source_site, target_site)
	write_json(target_site / "site_config.json", config | target_bench.database.site_config(db_name))
	target_bench.database.copy(source_db, db_name, source_site, target_site)
	for name in ("logs", "locks"):
		(target_site / name).mkdir(exist_ok=True)


def engine_database_prefix(engine: Engine) -> str:
	return f"ma_{CHECKOUT[:6]}_{digest(engine.key)[:4]}_"
