// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { baseline, formatter, workflow } = milestone_automation.report_filters;

	frappe.query_reports["Slip Trend"] = {
		formatter,
		filters: [
			workflow(),
			{ fieldname: "reference_name", fieldtype: "Data", label: __("Document") },
			baseline(),
		],
		after_datatable_render() {
			const report = frappe.query_report;
			milestone_automation.load_reports().then(() => milestone_automation.reports.draw_trend(report.data));
		},
	};
})();
