"""A site with ERPNext, a company and what an order needs, where ERPNext is on the bench."""

from textwrap import dedent

import frappe
import pytest

from devtool.clones import CloneBench
from devtool.prepare import Run
from devtool.templates import SiteTemplate, Templates

from .site import connect, forget_caches

SITE = "erpnext.localhost"
YEARS = range(2025, 2036)

SET_UP = dedent(f"""
	import frappe
	from erpnext.setup.setup_wizard.setup_wizard import setup_complete

	setup_complete(frappe._dict(
		company_name="Milestone Traders", company_abbr="MT", country="Germany", currency="EUR", language="English",
		chart_of_accounts="Standard", fy_start_date="{YEARS[0]}-01-01", fy_end_date="{YEARS[0]}-12-31",
	))
	records = [
		dict(doctype="Fiscal Year", year=str(year), year_start_date=f"{{year}}-01-01", year_end_date=f"{{year}}-12-31")
		for year in range({YEARS[1]}, {YEARS[-1] + 1})
	]
	records += [
		dict(doctype="Supplier", supplier_name="Test Supplier", supplier_group="All Supplier Groups"),
		dict(doctype="Customer", customer_name="Test Customer", customer_group="Commercial", territory="Germany"),
		dict(doctype="Item", item_code="TEST-ITEM", item_group="Products", stock_uom="Nos", is_stock_item=1),
	]
	for record in records:
		frappe.get_doc(record).insert()
	frappe.db.commit()
""")


@pytest.fixture(scope="session")
def erpnext_site(run: Run, workplace: CloneBench, site: str) -> str:
	"""Name of this worker's site with ERPNext and this app."""
	if not on_bench(run):
		pytest.skip("ERPNext is not on this bench. Name one that has it with --bench.")
	return workplace.add_site(template(run), SITE)


def on_bench(run: Run) -> bool:
	"""Tell whether the bench of this run has ERPNext."""
	return "erpnext" in run.bench.app_names()


def template(run: Run) -> SiteTemplate:
	"""The ready site with ERPNext and this app; made where it is missing."""
	return Templates(run.bench).beside("erpnext", SET_UP)


@pytest.fixture
def erpnext(erpnext_site: str):
	"""`frappe`, connected to the ERPNext site for the length of a test."""
	before = frappe.local.site
	frappe.destroy()
	connect(erpnext_site)
	frappe.db.commit = lambda: None  # whatever ERPNext commits is rolled back after the test
	yield frappe
	frappe.db.rollback()
	forget_caches(everything=True)
	frappe.destroy()
	connect(before)
