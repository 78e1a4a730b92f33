"""Mailed reports counted everything there is, as Frappe makes them as Administrator. Now each knows its reader."""

import frappe

from milestone_automation.desk import weekly_mail


def execute() -> None:
	"""Name the reader in the mails that exist. Running it again changes nothing."""
	for mail in frappe.get_all("Auto Email Report", fields=["name", "report", "user", "filters"]):
		if weekly_mail.is_ours(mail.report):
			filters = weekly_mail.with_reader(mail.filters, mail.user)
			frappe.db.set_value("Auto Email Report", mail.name, "filters", filters, update_modified=False)
