frappe.views.calendar["Milestone Task"] = {
	field_map: {
		start: "due_date",
		end: "due_date",
		id: "name",
		title: "title",
		allDay: "all_day",
		color: "color",
	},
	gantt: true,
	options: { selectable: false },
	get_events_method: "milestone_automation.api.task_events",
};
