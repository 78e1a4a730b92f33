// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, period, to_details, tolerance, workflow } = milestone_automation.report_filters;
	const behind = (shown) => to_details(shown, (row) => ({ group_by: "Supplier", group: row.supplier }));

	frappe.query_reports["Supplier Scorecard"] = {
		formatter: linked({
			rate: behind("Reached or Overdue"),
			reached: behind("Reached"),
			late: behind("Late"),
			overdue: behind("Overdue"),
			mean_days: behind("Reached"),
			moved: behind("Date Moved"),
			moved_out: behind("Date Moved Out"),
			answer_days: behind("Answered"),
		}),
		filters: [workflow(), ...period(), ...tolerance()],
	};
})();
