// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { formatter, period, tracked_field, working_time } = milestone_automation.report_filters;

	frappe.query_reports["Process Map"] = {
		formatter,
		filters: [...tracked_field(), ...period(), working_time()],
		onload: (report) => milestone_automation.report_filters.on_load(report),
		after_datatable_render() {
			const report = frappe.query_report;
			milestone_automation
				.load_reports()
				.then(() => milestone_automation.reports.draw_map(report.data, report.get_filter_values()));
		},
	};
})();
