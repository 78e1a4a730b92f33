"""The hook `milestone_message_channels`: functions of other apps that send on what goes by mail."""

import frappe
import pytest

from milestone_automation.engine.messages import channels
from tests.support.clock import at, do_follow_ups, forget_mail_account, sweep_at
from tests.support.factories import (
	CLERK_ROLE,
	ORDER,
	collaborator,
	make_document,
	make_workflow,
	stage,
	task,
)

pytestmark = pytest.mark.usefixtures("production_order")

OLGA, MILL = "olga@example.com", "mill@example.org"
DAY = "2030-06-08 07:00:00"
TOLD: list[dict] = []


def keep(mail: dict) -> None:
	"""A channel that keeps what it is told."""
	TOLD.append(mail)


def fail(mail: dict) -> None:
	"""A channel at fault, which changes what it was given first."""
	mail.clear()
	raise ConnectionError("nobody is there")


@pytest.fixture
def order(make_user, smtp):
	"""An order with a stage of Olga's and a task of the mill's on the same day."""
	TOLD.clear()
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(
			stages=[stage("Cut", None, -20, owner_kind="User", owner_user=OLGA)],
			tasks=[task("Cut", "Send patterns", required=0, **collaborator(MILL, "The Mill"))],
		)
		return make_document()


@pytest.fixture
def use(monkeypatch):
	"""Function `use(function, ...)`: these are the site's channels."""
	hooks = frappe.get_hooks

	def choose(*functions) -> None:
		# Frappe takes functions of installed apps only.
		for function in functions:
			monkeypatch.setattr(frappe.utils, f"channel_{function.__name__}", function, raising=False)
		paths = [f"frappe.utils.channel_{function.__name__}" for function in functions]
		monkeypatch.setattr(
			frappe,
			"get_hooks",
			lambda hook=None, *args, **named: paths if hook == channels.HOOK else hooks(hook, *args, **named),
		)

	return choose


def test_a_channel_is_told_what_goes_by_mail_once_it_is_committed(order, use, smtp):
	use(keep)
	sweep_at("2030-06-07 07:00:00")
	sweep_at(DAY)
	assert [mail["recipient"] for mail in TOLD] == [MILL]  # by the follow-ups of the first day
	do_follow_ups()
	_of_the_mill, mail = TOLD
	assert (mail["recipient"], mail["user"], mail["full_name"], mail["language"]) == (
		OLGA,
		OLGA,
		"Olga",
		"en",
	)
	assert mail["subject"] == f"Has Cut been reached? Production Order {order.name}"
	assert "The key date of Cut is today, June 8, 2030." in mail["text"]
	assert mail["document"] == {"doctype": ORDER, "name": order.name}
	assert [url["label"] for url in mail["urls"]] == [
		"Yes, it has been reached",
		"Not yet",
		f"Open Production Order {order.name}",
	]
	assert all(url["url"] in mail["text"] for url in mail["urls"])
	do_follow_ups()
	assert len(TOLD) == 2


def test_a_mail_with_several_messages_is_about_no_single_document(order, use):
	use(keep)
	with at("2030-06-01 10:00:00"):
		make_document()
	sweep_at(DAY)
	do_follow_ups()
	(mail,) = [mail for mail in TOLD if mail["recipient"] == OLGA]
	assert (mail["subject"], mail["document"]) == ("Your milestones of June 8, 2030", None)
	assert [url["label"] for url in mail["urls"]].count("Yes, it has been reached") == 2


def test_a_fault_of_a_channel_is_logged_and_stops_neither_the_mail_nor_other_channels(order, use, smtp):
	use(fail, keep)
	sweep_at(DAY)
	do_follow_ups()
	smtp.deliver()
	assert len(smtp.to(OLGA)) == 1
	assert [mail["recipient"] for mail in TOLD if mail["user"]] == [OLGA]
	assert frappe.db.exists("Error Log", {"method": ("like", "Milestone message channel%fail")})


def test_channels_are_not_told_of_people_who_want_the_bell_only(order, use):
	use(keep)
	frappe.defaults.set_user_default("milestone_mail", "Bell Only", user=OLGA)
	sweep_at(DAY)
	do_follow_ups()
	assert OLGA not in {mail["recipient"] for mail in TOLD}


def test_without_channels_nothing_follows_on_a_mail(order):
	do_follow_ups()
	sweep_at(DAY)
	assert frappe.get_all("Milestone Follow Up") == []
