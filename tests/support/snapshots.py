"""All that a site keeps of the app, as one value: definitions, columns, rows. Two of them can be compared."""

import json

SNAPSHOT = """
import json
import frappe

DOCTYPES = sorted({"Milestone", "Milestone Tracker", *frappe.get_all(
	"DocType", {"module": "Milestone Automation"}, pluck="name"
)})
state = {}
for doctype in DOCTYPES:
	fields = frappe.get_all("DocField", {"parent": doctype}, ["*"], order_by="idx")
	permissions = frappe.get_all("DocPerm", {"parent": doctype}, ["*"], order_by="idx")
	for row in [*fields, *permissions]:
		# Frappe writes the rows of a definition anew whenever it syncs it.
		for bookkeeping in ("name", "creation", "modified"):
			row.pop(bookkeeping)
	state[doctype] = {
		"doctype": frappe.get_all("DocType", {"name": doctype}, ["*"])[0],
		"fields": fields,
		"permissions": permissions,
		"columns": [] if frappe.get_meta(doctype).issingle else sorted(frappe.db.get_table_columns(doctype)),
		"rows": [] if frappe.get_meta(doctype).issingle else frappe.get_all(doctype, ["*"], order_by="name")
	}
state["roles"] = frappe.get_all("Role", {"name": ("like", "Milestone%")}, ["*"])
state["modules"] = frappe.get_all("Module Def", {"app_name": "milestone_automation"}, ["*"])
state["other"] = {
	doctype: frappe.get_all(doctype, {"module": "Milestone Automation"}, ["*"], order_by="name")
	for doctype in ("Report", "Workspace", "Dashboard Chart", "Number Card")
}
print(json.dumps(state, default=str, sort_keys=True))
"""


def last_json(output: str):
	return json.loads(output.strip().splitlines()[-1])


def snapshot_of(scratch) -> dict:
	return last_json(scratch.python(SNAPSHOT))


def difference(before: dict, after: dict) -> dict:
	"""What is not the same in two snapshots, by DocType and part."""
	found = {}
	for key in sorted({*before, *after}):
		old, new = before.get(key), after.get(key)
		if old != new and isinstance(old, dict) and isinstance(new, dict):
			found |= difference_of_parts(key, old, new)
		elif old != new:
			found[key] = (old, new)
	return found


def difference_of_parts(key: str, old: dict, new: dict) -> dict:
	changed = [part for part in sorted({*old, *new}) if old.get(part) != new.get(part)]
	return {f"{key}.{part}": difference_of_values(old.get(part), new.get(part)) for part in changed}


def difference_of_values(one, other) -> dict | tuple:
	if isinstance(one, list) and isinstance(other, list):
		return [row for row in one if row not in other], [row for row in other if row not in one]
	if isinstance(one, dict) and isinstance(other, dict):
		return {name: (one[name], other.get(name)) for name in one if one[name] != other.get(name)}
	return one, other
