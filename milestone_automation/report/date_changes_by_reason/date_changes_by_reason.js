// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { workflow, period } = milestone_automation.report_filters;

	frappe.query_reports["Date Changes by Reason"] = {
		filters: [workflow(), ...period()],
	};
})();
