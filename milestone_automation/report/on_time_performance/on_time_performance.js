// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { group_by, linked, period, to_details, tolerance, workflow } = milestone_automation.report_filters;
	const behind = (shown) =>
		to_details(shown, (row, filters) => ({
			group_by: filters.group_by,
			...(row.key ? { group: row.key } : { without_group: 1 }),
		}));

	frappe.query_reports["On-time Performance"] = {
		formatter: linked({
			reached: behind("Reached"),
			early: behind("Early"),
			on_time: behind("On Time"),
			late: behind("Late"),
			rate: behind("Reached"),
			mean_days: behind("Reached"),
			median_days: behind("Reached"),
			overdue: behind("Overdue"),
			answer_days: behind("Answered"),
		}),
		filters: [workflow(), group_by(), ...period(), ...tolerance()],
	};
})();
