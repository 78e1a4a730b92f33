"""Plans for documents that were there before their workflow: a job, resumable, with reasons for what it skips."""

from unittest.mock import patch

import frappe
import pytest

from milestone_automation import api
from milestone_automation.engine.plans import bulk_start, plan_builder
from tests.support.factories import (
	ORDER,
	SUPPLIER,
	ensure_production_order,
	make_document,
	make_workflow,
	plan_of,
	stage,
	task,
)

STAGES = [stage("Cut", "Cut", -20), stage("Shipped", "Shipped")]
TASKS = [task("Shipped", "Sign the packing list")]


def plans_of(doctype: str = ORDER) -> set[str]:
	return set(frappe.get_all("Milestone Plan", {"reference_type": doctype}, pluck="reference_name"))


@pytest.fixture
def committed(scratch_site):
	"""A site of its own, whose worker really runs what is queued."""
	scratch = scratch_site()
	with scratch.connect():
		ensure_production_order()
	return scratch


def test_the_job_of_a_real_worker_plans_what_fits_and_says_why_it_skips_the_rest(committed):
	with committed.connect():
		fits = [make_document(pieces=500).name for _number in range(3)]
		small = make_document(pieces=5).name
		special = make_document(pieces=900, note="special").name
		cancelled = make_document(pieces=500)
		cancelled.submit()
		cancelled.cancel()
		make_workflow(stages=STAGES, tasks=TASKS, condition="doc.pieces > 100")
		make_workflow("Special", stages=STAGES, tasks=TASKS, priority=9, condition="doc.note == 'special'")
		planned = make_document(pieces=500)
		frappe.db.commit()  # the worker shall see it
		before = plan_of(planned).name
		queued = api.start_plans("Production")
		assert queued["documents"] == 5
		frappe.db.commit()  # queues the job
	committed.worker()
	with committed.connect():
		assert plans_of() == {*fits, planned.name}
		assert plan_of(planned).name == before
		summary = api.start_plans_summary("Production")
		assert (summary["total"], summary["looked_at"], summary["started"], summary["done"]) == (
			5,
			5,
			3,
			True,
		)
		assert summary["skipped"] == {
			"Does not match the workflow": 1,
			"The workflow Special takes precedence": 1,
		}
		assert summary["examples"] == {
			"Does not match the workflow": [small],
			"The workflow Special takes precedence": [special],
		}


def test_a_job_that_was_killed_goes_on_where_it_stopped(committed, monkeypatch):
	with committed.connect():
		names = [make_document().name for _number in range(5)]
		make_workflow(stages=STAGES, tasks=TASKS)
		frappe.db.commit()  # the job commits too
		monkeypatch.setattr(bulk_start, "BATCH", 2)
		report = bulk_start._report

		def killed(workflow, result, user):
			report(workflow, result, user)
			if result["looked_at"] == 4:
				raise KeyboardInterrupt

		monkeypatch.setattr(bulk_start, "_report", killed)
		with pytest.raises(KeyboardInterrupt):
			bulk_start.run("Production")
		frappe.db.rollback()
		assert len(plans_of()) == 4
		assert bulk_start.summary("Production")["done"] is False
		monkeypatch.setattr(bulk_start, "_report", report)
		result = bulk_start.run("Production")
		assert (result["total"], result["started"], result["done"]) == (1, 1, True)
		assert plans_of() == set(names)


def test_a_document_whose_plan_fails_is_named_with_the_reason_and_keeps_no_other_from_its_plan(
	production_order, monkeypatch
):
	good, bad = make_document(), make_document()
	make_workflow(stages=STAGES, tasks=TASKS)
	build = plan_builder.build

	def faulty(workflow, doc):
		if doc.name == bad.name:
			raise ValueError("No such day")
		return build(workflow, doc)

	monkeypatch.setattr(plan_builder, "build", faulty)
	result = {"started": 0, "looked_at": 0, "skipped": {}, "examples": {}}
	for name in (bad.name, good.name):
		bulk_start._start_one(ORDER, name, "Production", result)
	assert result["started"] == 1
	assert result["examples"] == {"No such day": [bad.name]}
	assert plan_of(good) and not plan_of(bad)


def test_a_disabled_workflow_is_refused(production_order):
	make_workflow(stages=STAGES, tasks=TASKS, enabled=0)
	with pytest.raises(
		frappe.ValidationError, match=r"The workflow Production is not enabled. Enable it first."
	):
		api.start_plans("Production")


def test_documents_with_numbers_for_names_are_planned(site, make_doctype):
	# Frappe's SQLite has no sequences.
	naming = "hash" if frappe.db.db_type == "sqlite" else "autoincrement"
	numbered = make_doctype("Numbered Order", [{"fieldname": "day", "fieldtype": "Date"}], autoname=naming)
	old = frappe.get_doc({"doctype": numbered, "day": "2030-06-28"}).insert()
	make_workflow(document_type=numbered, stages=[stage("Shipped", date_field="day")], tasks=[])
	assert plan_of(frappe.get_doc({"doctype": numbered, "day": "2030-06-28"}).insert())
	assert bulk_start.documents_without_plan(numbered) == [old.name]
	result = {"started": 0, "looked_at": 0, "skipped": {}, "examples": {}}
	bulk_start._start_one(numbered, old.name, "Production", result)
	assert result["started"] == 1
	assert bulk_start.documents_without_plan(numbered) == []


def test_a_manager_starts_plans_of_documents_they_may_read_and_counts_no_others(
	production_order, make_user, as_user
):
	mill, weaver = (
		frappe.get_doc({"doctype": SUPPLIER, "title": title}).insert().name for title in ("Mill", "Weaver")
	)
	seen = make_document(supplier=mill)
	make_document(supplier=weaver)
	make_user("maria@example.com", ["Milestone Manager", "Production Reader"])
	make_user("eve@example.com", ["Milestone Manager"])
	allowed = {"user": "maria@example.com", "allow": SUPPLIER, "for_value": mill}
	frappe.get_doc({"doctype": "User Permission"} | allowed).insert()
	make_workflow(stages=STAGES, tasks=TASKS)
	with as_user("eve@example.com"):
		assert api.start_plans("Production")["documents"] == 0
	with as_user("maria@example.com"):
		assert api.start_plans("Production")["documents"] == 1
	# The job commits after each batch.
	with patch.object(frappe.db, "commit"):
		result = bulk_start.run("Production", user="maria@example.com")
	assert (result["total"], result["started"]) == (1, 1)
	assert plans_of() == {seen.name}
