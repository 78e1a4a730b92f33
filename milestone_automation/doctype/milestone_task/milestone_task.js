frappe.ui.form.on("Milestone Task", {
	refresh(frm) {
		if (frm.is_new()) return;
		frm.trigger("show_state");
		if (frm.doc.status === "Open") {
			frm
				.add_custom_button(__("Complete Task"), () => frm.events.act(frm, "complete_task"))
				.addClass("btn-primary");
			if (frappe.user.has_role(["System Manager", "Milestone Manager"])) {
				frm.add_custom_button(
					__("Waive"),
					() => frm.events.ask(frm, "waive_task", __("Waive")),
					__("Actions")
				);
				frm.add_custom_button(
					__("Cancel Task"),
					() => frm.events.ask(frm, "cancel_task", __("Cancel Task")),
					__("Actions")
				);
			}
		} else {
			frm.add_custom_button(__("Reopen"), () => frm.events.ask(frm, "reopen_task", __("Reopen")));
		}
		if (frm.doc.reference_name && frappe.model.can_read(frm.doc.reference_type)) {
			frm.add_custom_button(__("Open Document"), () =>
				frappe.set_route("Form", frm.doc.reference_type, frm.doc.reference_name)
			);
		}
	},

	show_state(frm) {
		if (frm.doc.status !== "Open") return;
		const stage = `<b>${frappe.utils.escape_html(frm.doc.stage_name)}</b>`;
		if (frm.doc.due_date && frm.doc.due_date < frappe.datetime.get_today()) {
			const days = frappe.datetime.get_diff(frappe.datetime.get_today(), frm.doc.due_date);
			const text = days === 1 ? __("This task is 1 day late.") : __("This task is {0} days late.", [days]);
			frm.dashboard.set_headline(text, "red");
		} else if (frm.doc.required) {
			frm.dashboard.set_headline(
				__("The milestone {0} cannot be reached before this task is done.", [stage]),
				"blue"
			);
		}
	},

	ask(frm, method, label) {
		frappe.prompt(
			[{ fieldname: "reason", fieldtype: "Small Text", label: __("Reason"), reqd: 1 }],
			(values) => frm.events.act(frm, method, values),
			label,
			label
		);
	},

	act(frm, method, values = {}) {
		const call = () =>
			frappe
				.xcall(`milestone_automation.api.${method}`, { task: frm.doc.name, ...values })
				.then(() => frm.reload_doc());
		return frm.is_dirty() ? frm.save().then(call) : call();
	},
});
