// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { drawing, linked, period, to_stays, tracked_field, working_time } =
		milestone_automation.report_filters;
	const to_step = to_stays((step) => ({
		value: step.from_value,
		...(step.value ? { next_value: step.value } : { next_is_empty: 1 }),
	}));

	frappe.query_reports["Process Map"] = {
		formatter: linked({ count: to_step, mean: to_step, median: to_step, p90: to_step }),
		filters: [...tracked_field(), ...period(), working_time()],
		onload: (report) => milestone_automation.report_filters.on_load(report),
		after_datatable_render: drawing("map", (reports, steps) =>
			reports.draw_map(steps, (step) => to_step(step, frappe.query_report.get_filter_values()))
		),
	};
})();
