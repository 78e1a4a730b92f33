frappe.pages["milestone-grid"].on_page_load = function (wrapper) {
	const page = frappe.ui.make_app_page({
		parent: wrapper,
		title: __("Milestone Grid"),
		single_column: true,
	});
	milestone_automation.load_grid().then(() => {
		wrapper.grid = new milestone_automation.Grid(page);
		wrapper.grid.start();
	});
};

frappe.pages["milestone-grid"].on_page_show = function (wrapper) {
	if (wrapper.grid) wrapper.grid.show_again();
};
