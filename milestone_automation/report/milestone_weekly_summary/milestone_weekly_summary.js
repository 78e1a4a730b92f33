// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, to_details_of_document, workflow } = milestone_automation.report_filters;

	frappe.query_reports["Milestone Weekly Summary"] = {
		formatter: linked({ days: to_details_of_document }),
		filters: [workflow()],
	};
})();
