"""Where users find the app: the apps screen, and on Frappe 16 the desktop and its sidebar."""

import json

import frappe
import pytest
from frappe.utils import cint

from devtool.paths import ROOT
from milestone_automation import hooks, permissions
from milestone_automation.engine.base import compat

APP = "milestone_automation"
NAME = "Milestone Automation"
FOLDERS = {"Desktop Icon": "desktop_icon", "Workspace Sidebar": "workspace_sidebar"}
GROUPS = ["My Work", "Plans", "Setup", "Reports"]
HAS_DESKTOP = cint(frappe.__version__.split(".")[0]) >= 16
on_16 = pytest.mark.skipif(not HAS_DESKTOP, reason="Frappe 15 has no desktop of this kind")


def shipped(doctype: str) -> dict:
	return json.loads((ROOT / APP / FOLDERS[doctype] / f"{APP}.json").read_text())


def desktop_of(user: str) -> tuple[list[str], list[dict]]:
	"""Names of a user's icons, and the items of our sidebar, as the Desk gets them when it starts."""
	# Frappe 15 has none of them.
	from frappe.boot import get_sidebar_items  # noqa: PLC0415 - only Frappe 16 has it
	from frappe.desk.desktop import get_workspace_sidebar_items  # noqa: PLC0415 - see above
	from frappe.desk.doctype.desktop_icon.desktop_icon import get_desktop_icons  # noqa: PLC0415 - see above

	frappe.set_user(user)
	frappe.clear_cache(user=user)
	pages = [page["name"] for page in get_workspace_sidebar_items()["pages"]]
	sidebars = get_sidebar_items(pages)
	icons = get_desktop_icons(user, bootinfo=frappe._dict(workspace_sidebar_item=sidebars))
	return [icon["label"] for icon in icons], sidebars.get(NAME.lower(), {"items": []})["items"]


@pytest.mark.no_site
def test_the_sidebar_shows_everything_once_in_its_groups():
	items = shipped("Workspace Sidebar")["items"]
	assert [item["label"] for item in items if item["type"] == "Section Break"] == GROUPS
	links = [(item["link_type"], item["link_to"]) for item in items if item["type"] == "Link"]
	assert len(links) == len(set(links))
	workspace = json.loads((ROOT / APP / f"workspace/{APP}/{APP}.json").read_text())
	on_workspace = {(one["link_type"], one["link_to"]) for one in workspace["links"] if one["type"] == "Link"}
	assert on_workspace == set(links) - {("Workspace", NAME)}


@pytest.mark.no_site
def test_groups_of_which_only_managers_may_open_anything_are_hidden_from_others():
	"""Frappe leaves out what a user may not open, never the heading over it."""
	items = shipped("Workspace Sidebar")["items"]
	asks = {item["label"]: item["display_depends_on"] for item in items if item.get("display_depends_on")}
	assert set(asks) == {"Setup", "Reports"}
	in_setup = items[[item["label"] for item in items].index("Setup") + 1 :]
	in_setup = in_setup[: [item["type"] for item in in_setup].index("Section Break")]
	assert all(f"'{item['link_to']}'" in asks["Setup"] for item in in_setup)


@pytest.mark.no_site
def test_icons_of_the_desktop_exist():
	icon = shipped("Desktop Icon")
	assert (ROOT / APP / "public" / icon["logo_url"].removeprefix(f"/assets/{APP}/")).exists()
	for variant in ("solid", "subtle"):
		assert (
			ROOT / APP / f"public/icons/desktop_icons/{variant}/{frappe.scrub(icon['label'])}.svg"
		).exists()


def test_the_address_on_the_apps_screen_fits_the_version(site):
	(entry,) = hooks.add_to_apps_screen
	assert entry["route"] == ("/desk/milestone-automation" if HAS_DESKTOP else "/app/milestone-automation")
	assert shipped("Desktop Icon")["link"] == "/desk/milestone-automation"


@pytest.mark.parametrize(
	("roles", "seen"),
	[(["Milestone Manager"], True), (["System Manager"], True), (["Dashboard Manager"], False), ([], False)],
)
def test_the_apps_screen_is_for_those_who_manage_plans(make_user, roles, seen):
	user = make_user("desk.finder@example.com", roles)
	frappe.set_user(user)
	assert permissions.has_app_permission() is seen


@on_16
def test_a_milestone_manager_finds_icon_and_sidebar_on_the_desktop(make_user):
	icons, items = desktop_of(make_user("nora.finder@example.com", ["Milestone Manager"]))
	assert icons.count(NAME) == 1
	shown = {item["link_to"] for item in items if item["type"] == "Link"}
	assert {"Milestone Plan", "Milestone Workflow", "my-milestones", "Milestone Bottlenecks"} <= shown
	assert [item["label"] for item in items if item["type"] == "Section Break"] == GROUPS


@on_16
def test_the_desktop_of_others_stays_as_it_was(make_user):
	icons, _items = desktop_of(make_user("otto.finder@example.com", ["Dashboard Manager"]))
	assert NAME not in icons


@on_16
def test_uninstalling_takes_icon_and_sidebar_along(scratch_site):
	site = scratch_site()
	assert rows_of_desktop(site) == [1, 1, len(shipped("Workspace Sidebar")["items"])]
	site.bench("uninstall-app", APP, "--yes", "--no-backup")
	assert rows_of_desktop(site) == [0, 0, 0]


def rows_of_desktop(site) -> list[int]:
	with site.connect():
		counts = [frappe.db.count(doctype, {"app": APP}) for doctype in FOLDERS]
		return [*counts, frappe.db.count("Workspace Sidebar Item", {"parent": NAME})]


def test_an_old_frappe_has_no_desktop_to_clean_up(site, monkeypatch):
	monkeypatch.setattr(frappe, "__version__", "15.72.0")
	monkeypatch.setattr(frappe.db, "delete", lambda *_: pytest.fail("there is nothing to delete"))
	compat.remove_desktop(APP)
	assert compat.desk_route("x") == "/app/x"
