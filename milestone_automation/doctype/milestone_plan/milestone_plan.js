frappe.ui.form.on("Milestone Plan", {
	refresh(frm) {
		frm.trigger("show_panel");
		if (frm.is_new()) return;
		frm.add_custom_button(__("Open Document"), () =>
			frappe.set_route("Form", frm.doc.reference_type, frm.doc.reference_name)
		);
		if (frappe.model.can_create("Milestone Baseline")) {
			frm.add_custom_button(
				__("Milestone Baseline"),
				() => frappe.new_doc("Milestone Baseline", { plan: frm.doc.name }),
				__("Create")
			);
		}
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
		if (frappe.model.can_read("Milestone Next Step")) {
			frm.add_custom_button(
				__("Next Steps"),
				() => frappe.set_route("List", "Milestone Next Step", { plan: frm.doc.name }),
				__("View")
			);
		}
	},

	show_panel(frm) {
		const { $wrapper } = frm.fields_dict.plan_panel;
		if (frm.is_new()) return $wrapper.empty();
		milestone_automation.load_panel().then(() => {
			if (!frm.own_panel) {
				const $panel = $('<div class="milestone-panel is-inside"></div>').appendTo($wrapper.empty());
				frm.own_panel = new milestone_automation.Panel($panel);
			}
			const { reference_type, reference_name, modified } = frm.doc;
			// Changes are told to whoever looks at the document, whose page is another one.
			if (frappe.realtime.socket) {
				frappe.realtime.emit("doc_subscribe", reference_type, reference_name);
			}
			Promise.resolve(frm.own_panel.show(reference_type, reference_name, modified, frm)).then(() =>
				frm.events.offer_in_open_row(frm)
			);
		});
	},

	// A row may be opened before the panel knows what the user may do.
	offer_in_open_row(frm) {
		const { grid_rows } = frm.fields_dict.stages.grid;
		const row = grid_rows.find((one) => one.wrapper.hasClass("grid-row-open"));
		if (row) offer_reschedule(frm, row.doc.name);
	},
});

function offer_reschedule(frm, name) {
	const row = frm.fields_dict.stages.grid.grid_rows_by_docname[name];
	const $place = row.grid_form.fields_dict.key_date.$wrapper;
	$place.find(".milestone-reschedule").remove();
	if (!frm.own_panel || !frm.own_panel.may(name, "reschedule")) return;
	$(`<button type="button" class="btn btn-xs btn-default milestone-reschedule">${__("Reschedule")}</button>`)
		.on("click", () => frm.own_panel.do_reschedule(frm.own_panel.stage(name)))
		.appendTo($place);
}

// A key date moves in the dialog of the panel only, which asks for a reason and shows what moves along.
frappe.ui.form.on("Milestone Plan Stage", {
	form_render(frm, doctype, name) {
		offer_reschedule(frm, name);
	},
});
