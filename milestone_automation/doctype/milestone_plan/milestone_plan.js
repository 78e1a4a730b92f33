frappe.ui.form.on("Milestone Plan", {
	refresh(frm) {
		frm.trigger("show_panel");
		if (frm.is_new()) return;
		frm.add_custom_button(__("Open Document"), () =>
			frappe.set_route("Form", frm.doc.reference_type, frm.doc.reference_name)
		);
		frm.add_custom_button(
			__("Tasks"),
			() => frappe.set_route("List", "Milestone Task", { plan: frm.doc.name }),
			__("View")
		);
		frm.add_custom_button(
			__("Date Changes"),
			() => frappe.set_route("List", "Milestone Date Change", { plan: frm.doc.name }),
			__("View")
		);
		frm.add_custom_button(
			__("Log"),
			() => frappe.set_route("List", "Milestone Plan Log", { plan: frm.doc.name }),
			__("View")
		);
	},

	show_panel(frm) {
		const { $wrapper } = frm.fields_dict.plan_panel;
		if (frm.is_new()) return $wrapper.empty();
		milestone_automation.load_panel().then(() => {
			if (!frm.own_panel) {
				const $panel = $('<div class="milestone-panel is-inside"></div>').appendTo($wrapper.empty());
				frm.own_panel = new milestone_automation.Panel($panel);
			}
			frm.own_panel.show(frm.doc.reference_type, frm.doc.reference_name, frm.doc.modified, frm);
		});
	},
});
