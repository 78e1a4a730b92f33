frappe.listview_settings["Milestone Plan"] = {
	add_fields: ["status", "health", "current_stage", "next_date", "reference_type", "reference_name"],
	filters: [["status", "=", "Active"]],
	hide_name_column: true,

	get_indicator(plan) {
		if (plan.status === "Cancelled") return [__("Cancelled"), "gray", "status,=,Cancelled"];
		if (plan.status === "Completed") return [__("Completed"), "green", "status,=,Completed"];
		const colors = {
			"On Track": "blue",
			"At Risk": "orange",
			Blocked: "purple",
			Late: "red",
			Skipped: "gray",
			"On Hold": "gray",
			Done: "green",
		};
		return [__(plan.health), colors[plan.health], `health,=,${plan.health}|status,=,Active`];
	},

	button: {
		show: (plan) => plan.reference_name,
		get_label: () => __("Open Document"),
		get_description: (plan) => __("Open {0}", [`${__(plan.reference_type)} ${plan.reference_name}`]),
		action: (plan) => frappe.set_route("Form", plan.reference_type, plan.reference_name),
	},

	onload(list) {
		// Read-only: moving a date needs a reason, which the plan asks for.
		if (list.view_name === "Gantt") list.can_write = false;
		list.page.add_inner_button(__("Board by Milestone"), () => frappe.set_route("milestone-board"));
		list.page.add_inner_button(__("Milestone Grid"), () => frappe.set_route("milestone-grid"));
	},
};
