"""Ready sites to copy: `bare` (Frappe alone, setup wizard done), `app` (bare with this app installed), and `app` on a
site that has another app of the bench."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .benches import ADMIN_PASSWORD, Bench, read_json, write_json
from .databases import copy_folder
from .locks import build_lock, is_free, keep_shared
from .paths import APP, LOCKS, ROOT
from .report import report
from .stamps import Stamps, digest, digest_tree

RECIPE = 1  # raise it when the steps below change what a template holds
KEPT_TEMPLATES = 3
KEY_PATTERN = "[0-9a-f]" * 8
INSTALL_INPUTS = (
	"**/*.json",
	"**/*.txt",
	"hooks.py",
	"install.py",
	"uninstall.py",
	"engine/base/indexes.py",
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
class SiteTemplate:
	"""A site nobody works on, with its database."""

	site: str
	db_name: str
	key: str


class Templates:
	"""The templates of one bench and database kind."""

	def __init__(self, bench: Bench):
		self.bench = bench
		self.kind = bench.database.label
		self.stamps = Stamps(bench.engine.home / "stamps")
		self.lock = f"sites-{bench.engine.key}-{self.kind}"

	def name(self, kind: str) -> str:
		return self.bench.database_prefix + kind

	def bare(self) -> SiteTemplate:
		key = digest(RECIPE, WIZARD, self.bench.engine.identity(), self.bench.database.kind)
		return self._made("bare", key, self._new_site)

	def app(self) -> SiteTemplate:
		return self._with_this_app("app", self.bare())

	def beside(self, other: str, code: str) -> SiteTemplate:
		"""`app` on a site that had another app of the bench before. `code` is Python that sets that one up.

		Args:
			other: name of the other app, one of the bench.
			code: run once with the site connected; has to commit.

		Raises:
			DevError: an app cannot be installed, or the code failed.
		"""
		bare = self.bare()
		source = self.bench.engine.home / "apps" / other / other
		key = digest(bare.key, other, code, source / "__init__.py", source / "patches.txt")

		def install(template: SiteTemplate) -> None:
			with report.step(f"{other} installed on a copy of the bare site"):
				self._install(other, bare, template)
			with report.step(f"{other} set up"):
				self.bench.run_code(template.site, code, what=f"Setting up {other}")

		return self._with_this_app(f"app-on-{other}", self._made(f"has-{other}", key, install))

	def _with_this_app(self, kind: str, source: SiteTemplate) -> SiteTemplate:
		def install(template: SiteTemplate) -> None:
			with report.step("app installed on a copy of it"):
				self._install(APP, source, template)

		return self._made(kind, digest(source.key, self.app_key()), install)

	def _install(self, app: str, source: SiteTemplate, template: SiteTemplate) -> None:
		copy_site(self.bench, source.site, self.bench, template.site, template.db_name)
		self.bench.run("install-app", app, site=template.site, what=f"Installing {app}")

	def _made(self, kind: str, key: str, make: Callable[[SiteTemplate], None]) -> SiteTemplate:
		"""The template of this kind and key, made where it is missing."""
		name = self.name(f"{kind.replace('-', '_')}_{key[:8]}")
		template = SiteTemplate(f"{kind}-{key[:8]}-{self.kind}", name, key)
		with build_lock(self.lock):
			if not self._ready(template):
				self._discard(template)
				make(template)
				self.stamps.write(template.site, key)
				self._prune(kind, template)
			keep_shared(self._use(template.site))
		return template

	@staticmethod
	def app_key() -> str:
		"""Changes with everything that installing the app puts into a site."""
		return digest_tree(ROOT / APP, INSTALL_INPUTS)

	def _use(self, site: str) -> Path:
		"""Whoever may still copy a template holds this file, shared."""
		return LOCKS / f"template-{self.bench.engine.key}-{site}"

	def _ready(self, template: SiteTemplate) -> bool:
		site = self.bench.sites / template.site
		stamped = self.stamps.done(template.site, template.key) and (site / "site_config.json").exists()
		return stamped and self.bench.database.exists(template.db_name, site) and self._repoint(site)

	def _repoint(self, site: Path) -> bool:
		"""The server's port may have changed since the site was made."""
		return repoint(self.bench, site)

	def _new_site(self, template: SiteTemplate) -> None:
		with report.step(f"new site on {self.bench.database.kind}"):
			self._run_new_site(template)
		with report.step("setup wizard"):
			self.bench.run_code(template.site, WIZARD, what="The setup wizard")

	def _run_new_site(self, template: SiteTemplate) -> None:
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

	def _discard(self, template: SiteTemplate) -> None:
		self.stamps.forget(template.site)
		self.bench.database.drop(template.db_name)
		shutil.rmtree(self.bench.sites / template.site, ignore_errors=True)

	def _prune(self, kind: str, latest: SiteTemplate) -> None:
		"""A run goes on copying the template it began with; others but the latest few go."""
		sites = [
			site
			for site in self.bench.sites.glob(f"{kind}-{KEY_PATTERN}-{self.kind}")
			if is_free(self._use(site.name))
		]
		sites = [site for site in sites if site.name != latest.site]
		for site in sorted(sites, key=lambda path: path.stat().st_mtime)[: -KEPT_TEMPLATES + 1]:
			config = read_json(site / "site_config.json") if (site / "site_config.json").exists() else {}
			self._discard(SiteTemplate(site.name, config.get("db_name") or self.name("none"), ""))


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
	"""Copy a site under a new name: folder, configuration, database.

	Args:
		source_bench, source: the site to copy; nobody writes to it meanwhile.
		target_bench, target: bench and name of the new one.
		db_name: name of its database, which is its user and password, too.

	Raises:
		DevError: the database cannot be copied.
	"""
	source_site, target_site = source_bench.sites / source, target_bench.sites / target
	config = read_json(source_site / "site_config.json")
	source_db = config["db_name"]
	config.pop("db_user", None)
	copy_folder(source_site, target_site)
	write_json(target_site / "site_config.json", config | target_bench.database.site_config(db_name))
	target_bench.database.copy(source_db, db_name, source_site, target_site)
	for name in ("logs", "locks"):
		(target_site / name).mkdir(exist_ok=True)
