frappe.listview_settings["Milestone Workflow"] = {
	add_fields: ["enabled", "document_type"],
	hide_name_column: true,

	get_indicator(workflow) {
		return workflow.enabled
			? [__("Enabled"), "green", "enabled,=,1"]
			: [__("Disabled"), "gray", "enabled,=,0"];
	},

	onload(list) {
		if (frappe.model.can_create("Milestone Workflow")) {
			list.page.add_inner_button(__("Ready Workflows"), choose_ready_workflow);
			list.page.add_inner_button(__("Import from File"), () =>
				frappe.model.with_doctype("Milestone Workflow", () =>
					milestone_automation.load_builder().then(() => milestone_automation.workflow_files.upload())
				)
			);
		}
	},
};

function choose_ready_workflow() {
	frappe.xcall("milestone_automation.api.get_ready_workflows").then((ready) => {
		const esc = (text) => frappe.utils.escape_html(cstr(text));
		const by_name = (name) => ready.find((one) => one.name === name);
		const describe = () => {
			const chosen = by_name(dialog.get_value("name"));
			if (!chosen) return;
			const size = __("{0} milestones, {1} tasks", [chosen.stages, chosen.tasks]);
			dialog.fields_dict.about.$wrapper.html(
				`<p>${esc(chosen.description)}</p><p class="text-muted">${size}</p>`
			);
			dialog.set_value("document_type", chosen.document_types[0] || "");
		};
		const dialog = new frappe.ui.Dialog({
			title: __("Ready Workflows"),
			animate: false,
			fields: [
				{
					fieldname: "name",
					fieldtype: "Select",
					label: __("Ready Workflow"),
					options: ready.map(({ name, title }) => ({ value: name, label: title })),
					reqd: 1,
					onchange: describe,
				},
				{ fieldname: "about", fieldtype: "HTML" },
				{
					fieldname: "document_type",
					fieldtype: "Link",
					options: "DocType",
					label: __("Applies To"),
					reqd: 1,
					get_query: () => ({ filters: { istable: 0, issingle: 0 } }),
				},
			],
			primary_action_label: __("Import"),
			primary_action: (values) =>
				frappe
					.xcall("milestone_automation.api.install_ready_workflow", {
						name: values.name,
						document_type: values.document_type,
					})
					.then(({ workflow, notes }) => {
						dialog.hide();
						frappe.set_route("Form", "Milestone Workflow", workflow);
						show_notes(notes);
					}),
		});
		dialog.show();
		dialog.set_value("name", ready[0].name).then(describe);
	});
}

function show_notes(notes) {
	const intro = `<p>${__("The workflow was created but is disabled. Review it, then enable it.")}</p>`;
	const rows = (notes || []).map((note) => `<li>${frappe.utils.escape_html(strip_html(note))}</li>`);
	frappe.msgprint({
		title: __("Imported"),
		indicator: "green",
		message: intro + (rows.length ? `<ul>${rows.join("")}</ul>` : ""),
	});
}
