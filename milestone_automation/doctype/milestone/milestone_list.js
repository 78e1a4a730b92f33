frappe.listview_settings["Milestone"] = {
	onload(list) {
		list.page.add_inner_button(__("Export Event Log"), () =>
			milestone_automation.export_log({ document_type: list.get_filter_value("reference_type") })
		);
	},
};
