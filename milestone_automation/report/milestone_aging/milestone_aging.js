// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { formatter, period, tracked_field } = milestone_automation.report_filters;

	frappe.query_reports["Milestone Aging"] = {
		formatter,
		filters: [...tracked_field(), ...period()],
		onload: (report) => milestone_automation.report_filters.on_load(report),
		after_datatable_render() {
			const report = frappe.query_report;
			milestone_automation.load_reports().then(() => milestone_automation.reports.draw_aging(report.data));
		},
	};
})();
