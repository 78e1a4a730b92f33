frappe.listview_settings["Milestone Tracker"] = {
	add_fields: ["disabled"],

	get_indicator(tracker) {
		return tracker.disabled
			? [__("Disabled"), "gray", "disabled,=,1"]
			: [__("Enabled"), "green", "disabled,=,0"];
	},
};
