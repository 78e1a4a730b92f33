"""How the tool bundles stylesheets of the Desk, and what it does where its live updates do not start."""

import json
import subprocess

import pytest

from devtool import desk, realtime

pytestmark = pytest.mark.one_database


def test_a_stylesheet_is_found_where_bench_links_the_modules(run, desk_assets, tmp_path):
	"""Frappe 16 imports one by this address."""
	public = tmp_path / "shop" / "public"
	public.mkdir(parents=True)
	imported = '@import "frappe/public/node_modules/highlight.js/styles/tomorrow.css";'
	(public / "shop.bundle.scss").write_text(imported)
	plan = {"apps": {"shop": str(public)}, "searched": [], "modules": [str(desk.node_modules(run.bench))]}
	(tmp_path / "plan.json").write_text(json.dumps(plan | {"output": str(tmp_path)}))
	command = [desk.node()[0], str(desk.SOURCE / "build.js"), str(tmp_path / "plan.json")]
	subprocess.run(command, check=True, cwd=tmp_path)
	(styles,) = (tmp_path / "shop" / "dist" / "css").glob("shop.bundle.*.css")
	assert ".hljs" in styles.read_text()


def test_a_line_says_that_live_updates_do_not_start(
	workplace, site, desk_assets, tmp_path, monkeypatch, capsys
):
	source = tmp_path / "realtime.js"
	source.write_text("process.exit(1)")
	monkeypatch.setattr(realtime, "_server", lambda bench: (source, tmp_path))
	assert realtime.serve(workplace, site) is None
	assert "no live updates: their server did not start" in "".join(capsys.readouterr())
