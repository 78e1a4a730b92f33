// The script of a report runs in the page: its names stay in a function of its own.
(() => {
	const { formatter, period, tolerance, workflow } = milestone_automation.report_filters;

	frappe.query_reports["On-time Performance"] = {
		formatter,
		filters: [
			workflow(),
			{
				fieldname: "group_by",
				fieldtype: "Select",
				label: __("Group By"),
				default: "Milestone",
				options: ["Workflow", "Milestone", "Owner", "Role", "Supplier", "Month"].map((value) => ({
					value,
					label: __(value),
				})),
			},
			...period(),
			...tolerance(),
		],
	};
})();
