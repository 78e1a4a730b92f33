// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { baseline, drawing, linked, to_details_of_document, to_report, workflow } =
		milestone_automation.report_filters;
	const to_trend = ({ reference_name }, filters) =>
		to_report("Slip Trend", { reference_name, baseline: filters.baseline });

	frappe.query_reports["Milestone Timeline"] = {
		formatter: linked({
			chance: to_details_of_document,
			slip: to_trend,
			since_baseline: to_trend,
		}),
		filters: [
			workflow(),
			{ fieldname: "reference_name", fieldtype: "Data", label: __("Document") },
			{ fieldname: "running_only", fieldtype: "Check", label: __("Running Plans Only"), default: 1 },
			baseline(),
		],
		after_datatable_render: drawing("timeline", (reports, rows) => reports.draw_timeline(rows)),
	};
})();
