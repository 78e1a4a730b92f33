frappe.listview_settings["Milestone Plan Log"] = {
	hide_name_column: true,
};
