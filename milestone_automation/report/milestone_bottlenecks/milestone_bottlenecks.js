// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, period, to_report, to_stays, tracked_field, working_time } =
		milestone_automation.report_filters;
	const to_finished = to_stays((row) => ({ value: row.value }));
	const to_earlier = to_stays((row, { compare_from, compare_to }) => ({
		value: row.value,
		from_date: compare_from,
		to_date: compare_to,
	}));
	const to_open = (row, { document_type, track_field }) =>
		to_report("Milestone Aging", { document_type, track_field, value: row.value });

	frappe.query_reports["Milestone Bottlenecks"] = {
		formatter: linked({
			count: to_finished,
			mean: to_finished,
			median: to_finished,
			p90: to_finished,
			share: to_finished,
			open_now: to_open,
			oldest: to_open,
			mean_age: to_open,
			rework: to_stays((row) => ({ value: row.value, returns_only: 1 })),
			count_before: to_earlier,
			median_before: to_earlier,
			median_change: to_earlier,
		}),
		filters: [
			...tracked_field(),
			...period(),
			working_time(),
			{ fieldname: "compare_from", fieldtype: "Date", label: __("Compare From") },
			{ fieldname: "compare_to", fieldtype: "Date", label: __("Compare To") },
		],
		onload: (report) => milestone_automation.report_filters.on_load(report),
	};
})();
