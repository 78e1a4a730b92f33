// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { link_summary, linked, to_details_of_document, to_report, workflow } =
		milestone_automation.report_filters;
	// As the numbers above the table stand.
	const SECTIONS = [
		"late",
		"blocked",
		"at risk",
		"due in the next days",
		"reached in the last days",
		"moved in the last days",
	];
	const to_section = (section, filters) =>
		to_report("Milestone Details", { workflow: filters.workflow, section });

	frappe.query_reports["Milestone Weekly Summary"] = {
		formatter: linked({
			section: (row, filters) => to_section(row.section_key, filters),
			days: to_details_of_document,
		}),
		after_datatable_render: () =>
			link_summary(SECTIONS.map((section) => to_section(section, frappe.query_report.get_filter_values()))),
		filters: [workflow()],
	};
})();
