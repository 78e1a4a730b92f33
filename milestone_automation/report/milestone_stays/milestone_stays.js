// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, period, to_milestones, tracked_field, working_time } = milestone_automation.report_filters;

	frappe.query_reports["Milestone Stays"] = {
		formatter: linked({ days: to_milestones }),
		filters: [
			...tracked_field(),
			{ fieldname: "value", fieldtype: "Data", label: __("Value") },
			{ fieldname: "next_value", fieldtype: "Data", label: __("Next Value") },
			{ fieldname: "next_is_empty", fieldtype: "Check", label: __("Next Value Is Empty") },
			...period(),
			working_time(),
			{ fieldname: "returns_only", fieldtype: "Check", label: __("Returns to the Value Only") },
		],
		onload: (report) => milestone_automation.report_filters.on_load(report),
	};
})();
