frappe.ui.form.on("Milestone", {
	refresh(frm) {
		if (frm.is_new()) return;
		milestone_automation.load_labels([frm.doc.reference_type]).then(() => {
			frm.page.set_title(milestone_automation.milestone_title(frm.doc));
			show_values(frm);
		});
		if (frappe.model.can_read(frm.doc.reference_type) && !frm.doc.reference_deleted) {
			frm.add_custom_button(__("Open Document"), () =>
				frappe.set_route("Form", frm.doc.reference_type, frm.doc.reference_name)
			);
		}
	},
});

function show_values(frm) {
	for (const fieldname of ["value", "from_value", "value_before"]) {
		frm.set_df_property(fieldname, "formatter", (value) =>
			frappe.utils.escape_html(cstr(milestone_automation.recorded_value(frm.doc, value)))
		);
	}
}
