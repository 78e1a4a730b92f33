// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { baseline, formatter, workflow } = milestone_automation.report_filters;

	frappe.query_reports["Milestone Timeline"] = {
		formatter,
		filters: [
			workflow(),
			{ fieldname: "reference_name", fieldtype: "Data", label: __("Document") },
			{ fieldname: "running_only", fieldtype: "Check", label: __("Running Plans Only"), default: 1 },
			baseline(),
		],
		after_datatable_render() {
			const report = frappe.query_report;
			milestone_automation.load_reports().then(() => milestone_automation.reports.draw_timeline(report.data));
		},
	};
})();
