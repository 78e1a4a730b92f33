// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, period, to_details, workflow } = milestone_automation.report_filters;
	const to_changed = to_details("Date Changed", (row) =>
		row.without_reason ? { without_reason: 1 } : { reason: row.reason }
	);

	frappe.query_reports["Date Changes by Reason"] = {
		formatter: linked({
			count: to_changed,
			documents: to_changed,
			days_out: to_changed,
			days_in: to_changed,
		}),
		filters: [workflow(), ...period()],
	};
})();
