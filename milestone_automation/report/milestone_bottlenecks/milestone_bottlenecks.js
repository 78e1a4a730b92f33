// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { linked, period, to_report, to_stays, tracked_field, workflow, working_time } =
		milestone_automation.report_filters;
	const to_finished = to_stays((row) => ({ value: row.value }));
	const to_earlier = to_stays((row, { compare_from, compare_to }) => ({
		value: row.value,
		from_date: compare_from,
		to_date: compare_to,
	}));
	const to_open = (row, filters) => {
		const { document_type, track_field } = filters;
		return filters.workflow
			? to_stays(() => ({ value: row.value, open_only: 1 }))(row, filters)
			: to_report("Milestone Aging", { document_type, track_field, value: row.value });
	};
	const to_returns = (chosen_period) =>
		to_stays((row, filters) => ({ value: row.value, ...chosen_period(filters), returns_only: 1 }));

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
			rework: to_returns(() => ({})),
			count_before: to_earlier,
			mean_before: to_earlier,
			mean_change: to_earlier,
			median_before: to_earlier,
			median_change: to_earlier,
			p90_before: to_earlier,
			p90_change: to_earlier,
			share_before: to_earlier,
			rework_before: to_returns((filters) => ({
				from_date: filters.compare_from,
				to_date: filters.compare_to,
			})),
		}),
		filters: [
			...tracked_field(),
			workflow(),
			...period(),
			working_time(),
			{ fieldname: "compare_from", fieldtype: "Date", label: __("Compare From") },
			{ fieldname: "compare_to", fieldtype: "Date", label: __("Compare To") },
		],
		onload: (report) => milestone_automation.report_filters.on_load(report),
	};
})();
