frappe.listview_settings["Milestone Date Change"] = {
	hide_name_column: true,
};
