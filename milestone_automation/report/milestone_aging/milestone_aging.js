// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { drawing, linked, period, to_details_of_document, to_milestones, to_stays, tracked_field } =
		milestone_automation.report_filters;
	const to_earlier = to_stays((row) => ({ value: row.value }));

	frappe.query_reports["Milestone Aging"] = {
		formatter: linked({
			age: to_milestones,
			line_50: to_earlier,
			line_80: to_earlier,
			line_95: to_earlier,
			chance: to_details_of_document,
		}),
		filters: [...tracked_field(), ...period(), { fieldname: "value", fieldtype: "Data", label: __("Value") }],
		onload: (report) => milestone_automation.report_filters.on_load(report),
		after_datatable_render: drawing("aging", (reports, rows) => reports.draw_aging(rows)),
	};
})();
