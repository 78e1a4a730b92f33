const COLUMNS = ["reference_type", "reached_on", "reached_by", "time_in_previous"];

frappe.listview_settings["Milestone"] = {
	add_fields: [
		"reference_type",
		"reference_name",
		"track_field",
		"from_value",
		"value",
		"cleared",
		"reached_on",
		"reached_by",
		"time_in_previous",
	],
	hide_name_column: true,

	formatters: {
		reached_by: (user) => frappe.utils.escape_html(user ? frappe.user.full_name(user) : ""),
	},

	// The title field is core's document type; a line says what happened. A formatter would take the line's link away.
	before_render() {
		if (!this.list || this.list.view_name !== "List") return;
		this.list.data.forEach((milestone) => {
			milestone.document_type = milestone.document_type || milestone.reference_type;
			milestone.reference_type = milestone_automation.milestone_title({
				...milestone,
				reference_type: milestone.document_type,
			});
		});
	},

	onload(list) {
		this.list = list;
		list.page.add_inner_button(__("Export Event Log"), () =>
			milestone_automation.export_log({ document_type: list.get_filter_value("reference_type") })
		);
		show_columns(list);
	},

	refresh(list) {
		milestone_automation.load_labels(list.data.map((milestone) => milestone.document_type)).then((loaded) => {
			if (!loaded) return;
			this.before_render();
			list.render();
		});
	},
};

// Document and value, which core has as columns, stand in the title. What somebody has chosen stays.
function show_columns(list) {
	const settings = list.list_view_settings;
	if (!settings || settings.fields) return;
	settings.fields = JSON.stringify(COLUMNS.map((fieldname) => ({ fieldname })));
	settings.total_fields = settings.total_fields || COLUMNS.length + 1;
	list.setup_columns();
	list.columns[0].df = { ...list.columns[0].df, label: __("Milestone") };
	list.render_header(true);
}
