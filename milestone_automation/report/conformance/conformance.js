// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { formatter, workflow } = milestone_automation.report_filters;

	frappe.query_reports["Conformance"] = {
		formatter,
		filters: [workflow()],
	};
})();
