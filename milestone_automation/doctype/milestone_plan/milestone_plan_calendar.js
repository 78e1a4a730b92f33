// The calendar shows each milestone on its key date, the Gantt view each plan from its start to its next date.
frappe.views.calendar["Milestone Plan"] = {
	field_map: {
		start: "created_from",
		end: "next_date",
		id: "name",
		title: "title",
		allDay: "all_day",
		color: "color",
	},
	gantt: true,
	options: { selectable: false },
	get_events_method: "milestone_automation.api.stage_events",
};
