"""The doctor names what is wrong on a site that was broken on purpose, and mends what can be mended."""

import copy

import frappe
import pytest
from frappe.utils import add_days, now_datetime

from milestone_automation import doctor, hooks
from milestone_automation.engine.base import bulk, follow_ups
from milestone_automation.engine.plans import orphans
from milestone_automation.engine.rules.vocabulary import MessageStatus

GONE = "gone"


def faults(check) -> list[str]:
	return check().faults


@pytest.fixture
def broken_hooks(monkeypatch):
	"""Function that takes something out of what Frappe knows of all hooks, or adds something."""
	known = copy.deepcopy(dict(frappe.get_hooks()))
	original = frappe.get_hooks

	def get_hooks(hook=None, default=None, app_name=None):
		return known.get(hook, default or []) if hook and not app_name else original(hook, default, app_name)

	monkeypatch.setattr(frappe, "get_hooks", get_hooks)
	return known


def test_a_site_that_is_well_has_all_hooks():
	assert faults(doctor._hooks) == []
	assert {place for hook in doctor.HOOKS for place, _path in doctor._paths(getattr(hooks, hook))}


@pytest.mark.parametrize("event", ["before_save", "before_submit", "before_cancel", "on_change", "on_trash"])
def test_an_event_that_frappe_does_not_call_is_named(broken_hooks, event):
	del broken_hooks["doc_events"]["*"][event]
	assert f"it is missing in doc_events * {event}." in faults(doctor._hooks)[0]


@pytest.mark.parametrize(
	("hook", "key"),
	[
		("has_permission", "Milestone Plan"),
		("permission_query_conditions", "Milestone Task"),
		("standard_queries", "Milestone Message"),
		("override_whitelisted_methods", "frappe.client.get_count"),
	],
)
def test_a_permission_hook_that_frappe_does_not_know_is_named(broken_hooks, hook, key):
	path = getattr(hooks, hook)[key]
	broken_hooks[hook][key].remove(path)
	assert faults(doctor._hooks) == [f"{path} is not called: it is missing in {hook} {key}."]


def test_a_call_that_another_app_replaces_too_is_named(broken_hooks):
	call = "frappe.client.get_count"
	broken_hooks["override_whitelisted_methods"][call].append("other_app.get_count")
	assert faults(doctor._hooks) == [
		"milestone_automation.api.get_count may not be called: other_app.get_count is in"
		f" override_whitelisted_methods {call} too."
	]


def test_many_missing_hooks_are_not_all_listed(broken_hooks):
	del broken_hooks["permission_query_conditions"]
	assert len(faults(doctor._hooks)) == doctor.SHOWN + 1


def test_a_field_that_core_has_and_the_site_has_not_is_named():
	frappe.db.delete("DocField", {"parent": "Milestone", "fieldname": "milestone_tracker"})
	frappe.clear_cache(doctype="Milestone")
	assert faults(doctor._core) == ["Milestone has no field milestone_tracker, and core's has."]


@pytest.mark.parametrize(
	("fieldname", "what", "value", "fault"),
	[
		("document_type", "unique", "0", "unique of document_type is nothing, and core's is 1"),
		("document_type", "options", "Module Def", "options of document_type is Module Def, and core's is DocType"),
		("disabled", "fieldtype", "Data", "fieldtype of disabled is Data, and core's is Check"),
	],
)  # fmt: skip
def test_a_field_that_is_not_as_core_defines_it_is_named(fieldname, what, value, fault):
	frappe.db.set_value("DocField", {"parent": "Milestone Tracker", "fieldname": fieldname}, what, value)
	frappe.clear_cache(doctype="Milestone Tracker")
	assert faults(doctor._core) == [f"Milestone Tracker: {fault}."]


def test_a_column_that_the_table_has_not_is_named(monkeypatch):
	monkeypatch.setattr(frappe.db, "get_table_columns", lambda doctype: ["name", "document_type", "disabled"])
	assert "The table of Milestone Tracker has no column track_field." in faults(doctor._core)


@pytest.fixture
def running_scheduler(monkeypatch):
	"""The scheduler is on, and each job has just run."""
	monkeypatch.setattr(doctor, "is_scheduler_disabled", lambda: False)
	monkeypatch.setitem(frappe.conf, "pause_scheduler", 0)
	job = frappe.qb.DocType("Scheduled Job Type")
	frappe.qb.update(job).set(job.last_execution, now_datetime()).set(job.stopped, 0).run()


@pytest.mark.parametrize("method", hooks.scheduler_events["hourly_long"])
def test_a_job_that_is_missing_or_stopped_or_has_not_run_is_named(running_scheduler, method):
	assert faults(doctor._scheduler) == []
	row = {"method": method}
	frappe.db.set_value("Scheduled Job Type", row, "last_execution", add_days(now_datetime(), -3))
	assert faults(doctor._scheduler)[0].startswith(f"The scheduled job {method} has not run since ")
	assert doctor._scheduler().fix is None
	frappe.db.set_value("Scheduled Job Type", row, "stopped", 1)
	assert faults(doctor._scheduler) == [f"The scheduled job {method} is stopped."]
	frappe.db.delete("Scheduled Job Type", row)
	assert faults(doctor._scheduler) == [f"The scheduled job {method} is missing."]
	assert doctor._scheduler().fix


@pytest.mark.parametrize("link", orphans.LINKS, ids=lambda link: f"{link.doctype} {link.field}")
def test_rows_that_belong_to_nothing_are_counted_and_deleted(link, monkeypatch):
	monkeypatch.setattr(orphans, "BATCH", 2)
	before = frappe.db.count(link.doctype)
	assert link.doctype not in "".join(faults(doctor._orphans))
	values = {link.field: GONE, **dict([link.only] if link.only else [])}
	if link.field == "parent":
		values |= {"parenttype": link.owner, "parentfield": "rows"}
	bulk.insert_rows(link.doctype, [dict(values) for _row in range(5)])
	assert faults(doctor._orphans) == [f"5 rows of {link.doctype} have no {link.owner}."]
	doctor._orphans().fix()
	assert faults(doctor._orphans) == []
	assert frappe.db.count(link.doctype) == before


def test_what_deleting_an_orphan_leaves_behind_goes_with_it():
	(task,) = bulk.insert_rows("Milestone Task", [{"plan": GONE, "title": "Left"}])
	bulk.insert_rows("Milestone Task Assignee", [{"parent": task, "parenttype": "Milestone Task"}])
	doctor._orphans().fix()
	assert faults(doctor._orphans) == []
	assert not frappe.db.exists("Milestone Task Assignee", {"parent": task})


def test_milestones_of_documents_that_are_gone_are_marked():
	values = {"reference_type": "User", "track_field": "enabled", "value": "1", "reached_on": now_datetime()}
	values["reference_deleted"] = 0  # on SQLite the column has no default
	(name,) = bulk.insert_rows("Milestone", [{**values, "reference_name": "nobody@doctor.example"}])
	assert faults(doctor._orphans) == ["1 documents of User are gone, and their milestones still count."]
	doctor._orphans().fix()
	assert faults(doctor._orphans) == []
	assert frappe.db.get_value("Milestone", name, "reference_deleted") == 1


def test_a_follow_up_that_nobody_can_do_is_named_and_goes():
	(name,) = bulk.insert_rows(follow_ups.DOCTYPE, [{"work": "of another version", "arguments": "{}"}])
	assert faults(doctor._orphans) == []
	frappe.db.set_value(follow_ups.DOCTYPE, name, "creation", add_days(now_datetime(), -2))
	assert "have waited for more than a day" in faults(doctor._orphans)[0]
	orphans._forget_unknown_follow_ups()
	assert faults(doctor._orphans) == []


@pytest.fixture
def mailing(monkeypatch):
	"""The app sends messages, and nothing keeps them."""
	frappe.db.set_single_value("Milestone Settings", "messages_enabled", 1)
	monkeypatch.setitem(frappe.conf, "mute_emails", 0)
	frappe.db.delete("Milestone Message")
	frappe.db.set_default("suspend_email_queue", 0)


def new_faults(before: list[str]) -> list[str]:
	return [fault for fault in faults(doctor._mail) if fault not in before]


def test_mails_that_are_muted_or_suspended_are_told_with_what_to_do(mailing, monkeypatch):
	before = faults(doctor._mail)
	monkeypatch.setitem(frappe.conf, "mute_emails", 1)
	frappe.db.set_default("suspend_email_queue", 1)
	assert new_faults(before) == [
		"The site sends no mail: its configuration has mute_emails.",
		"The queue of mails is suspended.",
	]
	assert "set-config mute_emails 0. Resume sending in the list of Email Queue." in doctor._mail().advice


@pytest.mark.parametrize(("status", "patience"), doctor.MESSAGE_IS_LATE.items())
def test_messages_that_wait_for_days_are_told(mailing, status, patience):
	before = faults(doctor._mail)
	(name,) = bulk.insert_rows(
		"Milestone Message", [{"status": MessageStatus(status).value, "message_key": "doctor"}]
	)
	assert new_faults(before) == []
	frappe.db.set_value("Milestone Message", name, "creation", add_days(now_datetime(), -patience.days - 1))
	assert new_faults(before) == [f"1 messages are {status.value} for more than {patience.days} days."]
	frappe.db.set_single_value("Milestone Settings", "messages_enabled", 0)
	assert faults(doctor._mail) == []
