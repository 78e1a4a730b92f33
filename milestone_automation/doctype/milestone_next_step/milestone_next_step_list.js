frappe.listview_settings["Milestone Next Step"] = {
	hide_name_column: true,
};
