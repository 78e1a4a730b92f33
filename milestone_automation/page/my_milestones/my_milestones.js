frappe.pages["my-milestones"].on_page_load = function (wrapper) {
	const page = frappe.ui.make_app_page({
		parent: wrapper,
		title: __("My Milestones and Tasks"),
		single_column: true,
	});
	page.add_inner_button(__("All Tasks"), () => frappe.set_route("List", "Milestone Task"));
	page.add_inner_button(__("All Plans"), () => frappe.set_route("List", "Milestone Plan"));
	milestone_automation.load_panel().then(() => {
		wrapper.my_work = new milestone_automation.MyWork(page);
		wrapper.my_work.load();
	});
};

frappe.pages["my-milestones"].on_page_show = function (wrapper) {
	if (wrapper.my_work) wrapper.my_work.load();
};
