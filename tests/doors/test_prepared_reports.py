"""Reports that a worker prepares: their numbers are of the documents their owner may read, and nobody else's to see."""

import inspect

import frappe
import pytest
from frappe.core.doctype.prepared_report import prepared_report

from milestone_automation.desk import prepared_reports
from tests.support.guarded import ADMIN, CLERK, MANAGER, PRICER, make_order, make_workflow

REPORT = "Conformance"
OF_PREPARED = "frappe.core.doctype.prepared_report.prepared_report."
RUN = "frappe.desk.query_report.run"
EXPORT = "frappe.desk.query_report.export_query"
# Frappe 17 asks for the format too.
HAS_FORMAT = "format" in inspect.signature(prepared_report.download_attachment).parameters
AS_JSON = {"format": "json"} if HAS_FORMAT else {}


@pytest.fixture(scope="module")
def prepared(served) -> str:
	"""Name of a prepared report of the manager, about an order that is late."""
	with served.connect():
		make_workflow("Prepared")
		make_order(title="Prepared", delivery_date="2020-01-01")
		frappe.db.set_value("Report", REPORT, "prepared_report", 1)
		for user in (MANAGER, PRICER):
			frappe.get_doc("User", user).add_roles("Prepared Report User")
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	answer = ask(served, MANAGER, f"{OF_PREPARED}make_prepared_report", report_name=REPORT, filters="{}")
	name = answer.json()["message"]["name"]
	with served.connect():
		frappe.set_user(MANAGER)
		prepared_report.generate_report(name)
		# As the worker does at the end of a job.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	return name


def ask(served, by: str, method: str, **arguments):
	return served.client(by).post(f"/api/method/{method}", json=arguments)


def rows(answer) -> list:
	assert answer.status_code == 200, answer.text
	return [row["reference_name"] for row in answer.json()["message"].get("result") or [] if row]


def test_its_owner_sees_the_numbers_and_downloads_them(served, prepared):
	assert len(rows(ask(served, MANAGER, RUN, report_name=REPORT, filters="{}"))) == 1
	by_name = {"prepared_report_name": prepared}
	assert len(rows(ask(served, MANAGER, RUN, report_name=REPORT, filters=by_name))) == 1
	downloaded = ask(served, MANAGER, f"{OF_PREPARED}download_attachment", dn=prepared, **AS_JSON)
	assert downloaded.status_code == 200, downloaded.text
	listed = served.client(MANAGER).get("/api/resource/Prepared Report").json()["data"]
	assert prepared in [row["name"] for row in listed]


def test_its_owner_sees_them_by_a_token_too(served, prepared):
	with served.connect():
		user = frappe.get_doc("User", MANAGER)
		user.api_key, user.api_secret = "prepared-key", "prepared-secret"
		user.save()
		# The web server is another process.
		frappe.db.commit()  # nosemgrep: frappe-manual-commit
	arguments = {"report_name": REPORT, "filters": {"prepared_report_name": prepared}}
	token = {"Authorization": "token prepared-key:prepared-secret"}
	assert len(rows(served.server.guest().post(f"/api/method/{RUN}", json=arguments, headers=token))) == 1


def test_another_manager_has_none(served, prepared):
	assert rows(ask(served, PRICER, RUN, report_name=REPORT, filters="{}")) == []
	listed = served.client(PRICER).get("/api/resource/Prepared Report").json()["data"]
	assert prepared not in [row["name"] for row in listed]


@pytest.mark.parametrize(
	("method", "arguments"),
	[
		(RUN, {"filters": {"prepared_report_name": "NAME"}}),
		(RUN, {"filters": '{"prepared\\u005freport_name": "NAME"}'}),
		(RUN, {"filters": "{}", "user": MANAGER}),
		(EXPORT, {"filters": '{"prepared_report_name": "NAME"}', "file_format_type": "CSV"}),
		(f"{OF_PREPARED}download_attachment", {"dn": "NAME"} | AS_JSON),
		("frappe.client.get", {"doctype": "Prepared Report", "name": "NAME"}),
	],
)
def test_another_manager_may_not_see_it_by_any_name(served, prepared, method, arguments):
	given = {
		key: frappe.parse_json(frappe.as_json(value).replace("NAME", prepared))
		for key, value in arguments.items()
	}
	answer = ask(served, PRICER, method, **({"report_name": REPORT} | given))
	assert answer.status_code in (403, 417), answer.text
	assert "Prepared" not in answer.json().get("message", "")


def test_a_system_manager_sees_it(served, prepared):
	by_name = {"prepared_report_name": prepared}
	assert len(rows(ask(served, ADMIN, RUN, report_name=REPORT, filters=by_name))) == 1


def test_who_may_not_run_a_report_may_not_have_it_prepared(served, prepared):
	method = f"{OF_PREPARED}make_prepared_report"
	assert ask(served, CLERK, method, report_name=REPORT, filters="{}").status_code == 403


def test_a_report_of_another_app_is_frappes_to_answer(served, prepared):
	answer = ask(served, PRICER, RUN, report_name="ToDo", filters="{}", user=MANAGER)
	assert "You may not see this." not in answer.text
	assert ask(served, PRICER, f"{OF_PREPARED}make_prepared_report", report_name="ToDo", filters="{}").ok


def test_heavy_reports_of_a_site_with_many_plans_are_prepared(site, monkeypatch):
	def are_prepared() -> set:
		return set(
			frappe.get_all("Report", {"name": ("in", prepared_reports.HEAVY)}, pluck="prepared_report")
		)

	frappe.db.set_value("Report", {"name": ("in", prepared_reports.HEAVY)}, "prepared_report", 0)
	prepared_reports.prepare_heavy()
	assert are_prepared() == {0}
	monkeypatch.setattr(prepared_reports, "MANY_PLANS", -1)
	prepared_reports.prepare_heavy()
	assert are_prepared() == {1}
