// Loaded by every page of the Desk. Panel and builder are loaded when a page needs them.
frappe.provide("milestone_automation");

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

$(document).on("form-refresh", (event, frm) => {
	if (!(frappe.boot.milestone_doctypes || []).includes(frm.doctype)) return;
	milestone_automation.load_panel().then(() => milestone_automation.show_panel_on(frm));
});
