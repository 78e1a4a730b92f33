// Loaded by every page of the Desk. Panel, builder, grid and report pictures are loaded when a page needs them.
import { REACHED_ON } from "./fields";
import { reserve } from "./panel/place";
import * as refused from "./refused";
import * as report_filters from "./reports/filters";
import { arrow, load_labels, milestone_title, recorded_value, show_title } from "./titles";

frappe.provide("milestone_automation");
Object.assign(milestone_automation, {
	REACHED_ON,
	arrow,
	load_labels,
	milestone_title,
	recorded_value,
	report_filters,
});
refused.listen();

milestone_automation.load_panel = function () {
	if (!milestone_automation.panel_loaded) {
		milestone_automation.panel_loaded = new Promise((resolve) =>
			frappe.require(["milestone_desk.bundle.css", "milestone_panel.bundle.js"], resolve)
		);
	}
	return milestone_automation.panel_loaded;
};

milestone_automation.load_builder = function () {
	if (!milestone_automation.builder_loaded) {
		milestone_automation.builder_loaded = new Promise((resolve) =>
			frappe.require(["milestone_desk.bundle.css", "milestone_builder.bundle.js"], resolve)
		);
	}
	return milestone_automation.builder_loaded;
};

milestone_automation.load_grid = function () {
	if (!milestone_automation.grid_loaded) {
		milestone_automation.grid_loaded = new Promise((resolve) =>
			frappe.require(["milestone_desk.bundle.css", "milestone_grid.bundle.js"], resolve)
		);
	}
	return milestone_automation.grid_loaded;
};

milestone_automation.load_reports = function () {
	if (!milestone_automation.reports_loaded) {
		milestone_automation.reports_loaded = new Promise((resolve) =>
			frappe.require(["milestone_desk.bundle.css", "milestone_reports.bundle.js"], resolve)
		);
	}
	return milestone_automation.reports_loaded;
};

// With the document type, field and period of a report, when it is asked for there.
milestone_automation.export_log = (values) =>
	milestone_automation.load_reports().then(() => milestone_automation.reports.export_log(values));

$(document).on("form-refresh", (event, frm) => {
	refused.remember_form(frm);
	show_title(frm);
	if (!(frappe.boot.milestone_doctypes || []).includes(frm.doctype)) return;
	const $place = reserve(frm);
	milestone_automation.load_panel().then(() => milestone_automation.show_panel_on(frm, $place));
});
