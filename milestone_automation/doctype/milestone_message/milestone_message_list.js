frappe.listview_settings["Milestone Message"] = {
	hide_name_column: true,
};
