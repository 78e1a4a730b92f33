// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { formatter, period, tolerance, workflow } = milestone_automation.report_filters;

	frappe.query_reports["Supplier Scorecard"] = {
		formatter,
		filters: [workflow(), ...period(), ...tolerance()],
	};
})();
