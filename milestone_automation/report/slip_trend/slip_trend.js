// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { baseline, drawing, linked, to_changes, workflow } = milestone_automation.report_filters;

	frappe.query_reports["Slip Trend"] = {
		formatter: linked({ slip: to_changes, moves: to_changes, since_baseline: to_changes }),
		filters: [
			workflow(),
			{ fieldname: "reference_name", fieldtype: "Data", label: __("Document") },
			baseline(),
		],
		after_datatable_render: drawing("trend", (reports, rows) => reports.draw_trend(rows)),
	};
})();
