"""Demo data: purchase orders of a garment buyer, on any Frappe site, without ERPNext.

`bench execute milestone_automation.demo.story.load` and `.clear`. The DocTypes are custom ones of the site, not part of
the app, so uninstalling the app keeps them.

The history is replayed as real saves of its users, with all their effects. As these happen now, the times of the
documents, versions and milestones are changed afterwards. The recorder itself only uses the time of the server.
"""

from collections import defaultdict
from datetime import datetime

import click
import frappe
from frappe.email import queue
from frappe.utils import getdate, now_datetime
from frappe.utils.password import update_password

from milestone_automation import forecasting
from milestone_automation.demo import plans, sample_orders
from milestone_automation.engine.base import clock
from milestone_automation.engine.messages import hourly
from milestone_automation.engine.people.rights import MANAGER_ROLE

ORDER = "Garment Order"
SUPPLIER = "Garment Supplier"
ROLE = "Garment Team"
SERIES = "GO-"
TRACKED_FIELDS = ("status", "ship_date")
USERS = (
	(sample_orders.BUYER, "Bea", "Buyer", ()),
	(sample_orders.MERCHANDISER, "Max", "Merchandiser", ()),
	(sample_orders.MANAGER, "Maya", "Manager", (MANAGER_ROLE,)),
)
# Key of the site configuration with the password of the demo users; without it they cannot log in.
PASSWORD_KEY = "milestone_demo_password"  # nosec B105

# Where Frappe keeps the page that the Desk opens with.
HOME_PAGE, LANDING_PAGE, HOME_OF_FRAPPE = "desktop:home_page", "my-milestones", "workspace"
RIGHTS = ("read", "write", "create", "delete", "report", "export", "share", "print", "email")


def load(today: str | None = None) -> None:
	"""Create the DocTypes, users, tracker and plans of the demo, and the orders unless they exist.

	Args:
		today: ISO date on which the history ends; the current date of the site by default.
	"""
	make_role()
	make_users()
	make_doctypes()
	make_suppliers()
	make_tracker()
	if frappe.db.count(ORDER):
		click.echo("The orders of the demo exist already.")
	else:
		_load_orders(today)
	for name in plans.load(ORDER, SUPPLIER, ROLE):
		click.echo(f"The shipment of {ORDER} {name} is blocked: its packing list is missing.")
	# Or whoever looks at the demo sees no forecast before the scheduler's next full hour.
	forecasting.refresh(now_datetime())
	frappe.db.set_default(HOME_PAGE, LANDING_PAGE)


def send_mails() -> None:
	"""Send what people are asked and told today, whatever the hour; the demo has a mail server of its own."""
	frappe.db.set_single_value("Milestone Settings", "sweep_time", "00:00:00")
	hourly.run()
	queue.flush()


def _load_orders(today: str | None) -> None:
	orders = sample_orders.generate(getdate(today) if today else getdate())
	names = replay(orders)
	set_story_times(orders, names)
	click.echo(
		f"{len(orders)} orders with {frappe.db.count('Milestone', {'reference_type': ORDER})} milestones."
	)


def clear() -> None:
	"""Delete everything that `load` has created: plans, orders with their history, tracker, DocTypes, users and role."""
	plans.clear(ORDER)
	for doctype in (ORDER, SUPPLIER):
		if frappe.db.exists("DocType", doctype):
			clear_documents(doctype)
	frappe.db.delete("Milestone", {"reference_type": ORDER})
	for tracker in frappe.get_all("Milestone Tracker", {"document_type": ORDER}, pluck="name"):
		frappe.delete_doc("Milestone Tracker", tracker, force=True)
	series = frappe.qb.Table("tabSeries")
	frappe.qb.from_(series).delete().where(series.name == SERIES).run()
	for email, *_names in USERS:
		if frappe.db.exists("User", email):
			frappe.delete_doc("User", email, force=True)
	if frappe.db.exists("Role", ROLE):
		frappe.delete_doc("Role", ROLE, force=True)
	_open_frappes_page_first()
	# Last, because dropping a table commits.
	for doctype in (ORDER, SUPPLIER):
		drop_doctype(doctype)


def _open_frappes_page_first() -> None:
	if frappe.db.get_default(HOME_PAGE) == LANDING_PAGE:
		frappe.db.set_default(HOME_PAGE, HOME_OF_FRAPPE)


def clear_documents(doctype: str) -> None:
	"""Delete all documents of a DocType of the demo, and their versions.

	Args:
		doctype: one of the demo's.
	"""
	for name in frappe.get_all(doctype, pluck="name"):
		frappe.delete_doc(doctype, name, force=True, delete_permanently=True)
	frappe.db.delete("Version", {"ref_doctype": doctype})


def drop_doctype(doctype: str) -> None:
	"""Delete a DocType of the demo and its table.

	Args:
		doctype: one of the demo's; may be gone already. Dropping its table commits.
	"""
	if frappe.db.exists("DocType", doctype):
		frappe.delete_doc("DocType", doctype, force=True)
	frappe.db.sql_ddl(frappe.qb.drop_table(frappe.qb.DocType(doctype)).if_exists().get_sql())


# --------------------------------------------------------------------------------- role, users, DocTypes, tracker


def make_role() -> None:
	"""Create the role of the demo users."""
	if not frappe.db.exists("Role", ROLE):
		frappe.get_doc({"doctype": "Role", "role_name": ROLE, "desk_access": 1}).insert()


def make_users() -> None:
	"""Create buyer, merchandiser and manager."""
	for email, first_name, last_name, roles in USERS:
		if not frappe.db.exists("User", email):
			user = frappe.get_doc(
				{
					"doctype": "User",
					"email": email,
					"first_name": first_name,
					"last_name": last_name,
					"send_welcome_email": 0,
					"roles": [{"role": role} for role in (ROLE, *roles) if frappe.db.exists("Role", role)],
				}
			)
			user.flags.no_welcome_mail = True
			user.insert()
		if password := frappe.conf.get(PASSWORD_KEY):
			update_password(email, password)


def make_doctypes() -> None:
	"""Create the custom DocTypes of suppliers and orders."""
	if not frappe.db.exists("DocType", SUPPLIER):
		_make_doctype(
			SUPPLIER,
			"field:supplier_name",
			[
				_field("supplier_name", "Data", reqd=1, unique=1),
				_field("contact_email", "Data", options="Email", in_list_view=1),
			],
		)
	if not frappe.db.exists("DocType", ORDER):
		_make_doctype(
			ORDER,
			f"{SERIES}.####",
			[
				_field("supplier", "Link", options=SUPPLIER, reqd=1, in_list_view=1, in_standard_filter=1),
				_field("style", "Data", reqd=1, in_list_view=1),
				_field("quantity", "Int", in_list_view=1),
				_field(
					"status",
					"Select",
					options="\n".join(sample_orders.STATUSES),
					default=sample_orders.STATUSES[0],
					in_list_view=1,
					in_standard_filter=1,
				),
				{"fieldname": "people_and_dates", "fieldtype": "Column Break"},
				_field("buyer", "Link", options="User"),
				_field("merchandiser", "Link", options="User"),
				_field("order_date", "Date"),
				_field("ship_date", "Date"),
				_field("delivery_date", "Date"),
			],
		)


def _make_doctype(name: str, autoname: str, fields: list[dict]) -> None:
	frappe.get_doc(
		{
			"doctype": "DocType",
			"name": name,
			"module": "Custom",
			"custom": 1,
			"autoname": autoname,
			"track_changes": 1,
			"fields": fields,
			"permissions": [{"role": role, **dict.fromkeys(RIGHTS, 1)} for role in ("System Manager", ROLE)],
		}
	).insert()


def _field(fieldname: str, fieldtype: str, **values) -> dict:
	label = fieldname.replace("_", " ").title()
	return {"fieldname": fieldname, "fieldtype": fieldtype, "label": label, **values}


def make_suppliers() -> None:
	"""Create the suppliers."""
	for name, contact, *_habits in sample_orders.SUPPLIERS:
		if not frappe.db.exists(SUPPLIER, name):
			frappe.get_doc({"doctype": SUPPLIER, "supplier_name": name, "contact_email": contact}).insert()


def make_tracker() -> None:
	"""Create the tracker of status and ship date."""
	if not frappe.db.exists("Milestone Tracker", {"document_type": ORDER}):
		field, *further = TRACKED_FIELDS
		frappe.get_doc(
			{
				"doctype": "Milestone Tracker",
				"document_type": ORDER,
				"track_field": field,
				"extra_fields": [{"track_field": name} for name in further],
			}
		).insert()


# --------------------------------------------------------------------------------------------------- saves and times


def replay(orders: list[sample_orders.Order]) -> dict[int, str]:
	"""Replay the saves of all orders by their users, in order of time.

	Args:
		orders: the generated orders.

	Returns:
		dict: name of the document by order number.
	"""
	names: dict[int, str] = {}
	user_before = frappe.session.user
	steps = sample_orders.all_steps(orders)
	try:
		with click.progressbar(steps, label="Replaying orders") as bar:
			for order, step in bar:
				frappe.set_user(step.user)
				document = _document_of(order, names)
				document.update(step.values)
				names[order.number] = document.save().name
				# Each save was a day of its own. As one, all values but the last would be passing ones.
				frappe.db.before_commit.run()
	finally:
		frappe.set_user(user_before)
	return names


def _document_of(order: sample_orders.Order, names: dict[int, str]):
	if order.number in names:
		return frappe.get_doc(ORDER, names[order.number])
	return frappe.get_doc(
		{
			"doctype": ORDER,
			"supplier": order.supplier,
			"style": order.style,
			"quantity": order.quantity,
			"buyer": sample_orders.BUYER,
			"merchandiser": sample_orders.MERCHANDISER,
		}
	)


def set_story_times(orders: list[sample_orders.Order], names: dict[int, str]) -> None:
	"""Set the times of documents, versions and milestones to those of the generated saves.

	Args:
		orders: the generated orders.
		names: name of the document by order number.
	"""
	versions = _names_by("docname", "Version", {"ref_doctype": ORDER}, "creation asc, name asc")
	milestones = {
		field: _names_by(
			"reference_name",
			"Milestone",
			{"reference_type": ORDER, "track_field": field},
			"reached_on asc, creation asc",
		)
		for field in TRACKED_FIELDS
	}
	for order in orders:
		if not order.steps:
			continue
		name = names[order.number]
		moments = [step.moment for step in order.steps]
		_set_times(ORDER, name, creation=moments[0], modified=moments[-1])
		for version, moment in zip(versions[name], moments[1:], strict=True):
			_set_times("Version", version, creation=moment, modified=moment)
		for field in TRACKED_FIELDS:
			_move_milestones(milestones[field][name], [s.moment for s in order.steps if field in s.values])


def _names_by(column: str, doctype: str, filters: dict, order_by: str) -> dict[str, list[str]]:
	names = defaultdict(list)
	for row in frappe.get_all(doctype, filters, ["name", column], order_by=order_by):
		names[row[column]].append(row.name)
	return names


def _move_milestones(milestones: list[str], moments: list[datetime]) -> None:
	before = None
	for milestone, moment in zip(milestones, moments, strict=True):
		_set_times(
			"Milestone",
			milestone,
			creation=moment,
			modified=moment,
			reached_on=moment,
			time_in_previous=clock.seconds_between(before, moment),
		)
		before = moment


def _set_times(doctype: str, name: str, **values) -> None:
	frappe.db.set_value(doctype, name, values, update_modified=False)
