frappe.ui.form.on("Milestone", {
	refresh(frm) {
		if (frm.is_new()) return;
		milestone_automation
			.load_labels([frm.doc.reference_type])
			.then(() => frm.page.set_title(milestone_automation.milestone_title(frm.doc)));
		if (frappe.model.can_read(frm.doc.reference_type) && !frm.doc.reference_deleted) {
			frm.add_custom_button(__("Open Document"), () =>
				frappe.set_route("Form", frm.doc.reference_type, frm.doc.reference_name)
			);
		}
	},
});
