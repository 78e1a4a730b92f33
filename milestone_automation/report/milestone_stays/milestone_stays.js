// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, period, to_details_of_document, to_milestones, tracked_field, workflow, working_time } =
		milestone_automation.report_filters;

	frappe.query_reports["Milestone Stays"] = {
		formatter: linked({
			days: (row, filters) => (filters.workflow ? to_details_of_document(row) : to_milestones(row, filters)),
		}),
		filters: [
			...tracked_field(),
			workflow(),
			{ fieldname: "value", fieldtype: "Data", label: __("Value") },
			{ fieldname: "next_value", fieldtype: "Data", label: __("Next Value") },
			{ fieldname: "next_is_empty", fieldtype: "Check", label: __("Next Value Is Empty") },
			...period(),
			working_time(),
			{ fieldname: "open_only", fieldtype: "Check", label: __("Open Milestones Only") },
			{ fieldname: "returns_only", fieldtype: "Check", label: __("Returns to the Value Only") },
		],
		onload: (report) => milestone_automation.report_filters.on_load(report),
	};
})();
