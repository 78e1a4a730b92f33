// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, of_document, to_details_of_document, to_list, workflow } =
		milestone_automation.report_filters;

	frappe.query_reports["Conformance"] = {
		formatter: linked({
			days: to_details_of_document,
			// Only what was undone and reached again has a number of times that says something.
			times: (row) =>
				row.is_repeated &&
				to_list("Milestone Plan Log", {
					...of_document(row),
					stage_name: row.stage_name,
					event: "Milestone Undone",
				}),
		}),
		filters: [workflow()],
	};
})();
