frappe.listview_settings["Milestone Workflow"] = {
	add_fields: ["enabled", "document_type"],

	get_indicator(workflow) {
		return workflow.enabled
			? [__("Enabled"), "green", "enabled,=,1"]
			: [__("Disabled"), "gray", "enabled,=,0"];
	},
};
