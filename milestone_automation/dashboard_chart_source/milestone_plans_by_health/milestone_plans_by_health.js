frappe.provide("frappe.dashboards.chart_sources");

frappe.dashboards.chart_sources["Milestone Plans by Health"] = {
	method: "milestone_automation.api.plans_by_health",
	filters: [],
};
