// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, to_details_of_document, workflow } = milestone_automation.report_filters;
	const to_task = (row) => row.task && frappe.utils.get_form_link("Milestone Task", row.task);

	frappe.query_reports["Blocked and Overdue"] = {
		formatter: linked({
			title: to_task,
			days: (row) => to_task(row) || to_details_of_document(row),
		}),
		filters: [workflow()],
	};
})();
