frappe.pages["milestone-board"].on_page_load = function (wrapper) {
	const page = frappe.ui.make_app_page({
		parent: wrapper,
		title: __("Board by Milestone"),
		single_column: true,
	});
	milestone_automation.load_panel().then(() => {
		wrapper.board = new milestone_automation.Board(page);
		wrapper.board.start();
	});
};

frappe.pages["milestone-board"].on_page_show = function (wrapper) {
	if (wrapper.board) wrapper.board.load();
};
