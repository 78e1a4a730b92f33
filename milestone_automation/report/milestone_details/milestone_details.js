// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { group_by, linked, period, to_changes, tolerance, workflow } = milestone_automation.report_filters;
	const SHOWN = {
		All: __("All"),
		Reached: __("Reached"),
		"Reached or Overdue": __("Reached or Overdue"),
		Early: __("Early"),
		"On Time": __("On Time"),
		Late: __("Late"),
		Overdue: __("Overdue"),
		"Date Changed": __("Date Changed"),
		"Date Moved": __("Date Moved"),
		"Date Moved Out": __("Date Moved Out"),
		Answered: __("Answered"),
	};
	// Of the weekly summary.
	const SECTIONS = [
		{ value: "", label: "" },
		{ value: "late", label: __("Late") },
		{ value: "blocked", label: __("Blocked") },
		{ value: "at risk", label: __("At Risk") },
		{ value: "due in the next days", label: __("Due in the Next 7 Days") },
		{ value: "reached in the last days", label: __("Reached in the Last 7 Days") },
		{ value: "moved in the last days", label: __("Moved in the Last 7 Days") },
	];

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
			{ fieldname: "section", fieldtype: "Select", label: __("Section"), options: SECTIONS },
		],
	};
})();
