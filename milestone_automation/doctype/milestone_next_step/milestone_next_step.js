frappe.ui.form.on("Milestone Next Step", {
	refresh(frm) {
		if (!["Pending", "Failed"].includes(frm.doc.status)) return;
		frm.add_custom_button(__("Run Again"), () =>
			frappe
				.call({
					method: "milestone_automation.api.run_next_step_again",
					args: { step: frm.doc.name },
					freeze: true,
				})
				.then(() => {
					frappe.show_alert({ message: __("The step runs in the background."), indicator: "blue" });
					frm.reload_doc();
				})
		);
	},
});
