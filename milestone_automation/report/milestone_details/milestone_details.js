// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { group_by, linked, period, to_changes, tolerance, workflow } = milestone_automation.report_filters;
	const SHOWN = {
		All: __("All"),
		Reached: __("Reached"),
		Early: __("Early"),
		"On Time": __("On Time"),
		Late: __("Late"),
		Overdue: __("Overdue"),
		"Date Changed": __("Date Changed"),
		"Date Moved": __("Date Moved"),
		"Date Moved Out": __("Date Moved Out"),
		Answered: __("Answered"),
	};

	frappe.query_reports["Milestone Details"] = {
		formatter: linked({
			changes: to_changes,
			moves: to_changes,
			days_out: to_changes,
			days_in: to_changes,
		}),
		filters: [
			workflow(),
			{ fieldname: "reference_name", fieldtype: "Data", label: __("Document") },
			{
				fieldname: "shown",
				fieldtype: "Select",
				label: __("Show"),
				default: "All",
				options: Object.entries(SHOWN).map(([value, label]) => ({ value, label })),
			},
			...period(),
			group_by(),
			{ fieldname: "group", fieldtype: "Data", label: __("Group") },
			{ fieldname: "without_group", fieldtype: "Check", label: __("Without Group") },
			{ fieldname: "reason", fieldtype: "Data", label: __("Reason") },
			{ fieldname: "without_reason", fieldtype: "Check", label: __("No Reason Given") },
			...tolerance(),
		],
	};
})();
