// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { formatter, period, tracked_field, working_time } = milestone_automation.report_filters;

	frappe.query_reports["Milestone Bottlenecks"] = {
		formatter,
		filters: [
			...tracked_field(),
			...period(),
			working_time(),
			{ fieldname: "compare_from", fieldtype: "Date", label: __("Compare From") },
			{ fieldname: "compare_to", fieldtype: "Date", label: __("Compare To") },
		],
		onload: (report) => milestone_automation.report_filters.on_load(report),
	};
})();
