frappe.ui.form.on("Milestone Workflow", {
	setup(frm) {
		frm.set_query("document_type", () => ({ filters: { istable: 0, issingle: 0, is_virtual: 0 } }));
	},

	refresh(frm) {
		// It is chosen by its label where somebody of the supplier is asked.
		frm.toggle_display("supplier_field", false);
		frm.trigger("show_builder");
		frm.trigger("show_state");
		if (!frm.is_new()) frm.trigger("add_buttons");
	},

	document_type(frm) {
		frm.trigger("show_builder");
	},

	show_builder(frm) {
		const release = frm.milestone_builder ? () => {} : reserve(frm);
		milestone_automation
			.load_builder()
			.then(() => {
				if (!frm.milestone_builder) frm.milestone_builder = new milestone_automation.Builder(frm);
				return frm.milestone_builder.refresh();
			})
			.finally(release);
	},

	show_state(frm) {
		// Frappe adds one message to another.
		frm.dashboard.clear_headline();
		if (frm.is_new() || frm.doc.enabled || !(frm.doc.stages || []).length) return;
		frm.dashboard.set_headline(
			__("This workflow is disabled, so no document gets a plan from it."),
			"orange"
		);
	},

	add_buttons(frm) {
		if (!frm.doc.enabled) {
			frm
				.add_custom_button(__("Enable"), () => frm.set_value("enabled", 1).then(() => frm.save()))
				.addClass("btn-primary");
		} else {
			frm.add_custom_button(
				__("Start Plans for Existing Documents"),
				() => frm.trigger("start_plans"),
				__("Actions")
			);
		}
		if (frappe.model.can_create("Milestone Workflow")) {
			add_file_button(frm, __("Duplicate"), "duplicate");
		}
		add_file_button(frm, __("Export as File"), "download");
		add_file_button(frm, __("Compare Versions"), "compare");
		frm.add_custom_button(
			__("Baseline of All Plans"),
			() => frappe.new_doc("Milestone Baseline", { workflow: frm.doc.name }),
			__("Create")
		);
		frm.add_custom_button(
			__("Plans"),
			() => frappe.set_route("List", "Milestone Plan", { workflow: frm.doc.name }),
			__("View")
		);
		frm.add_custom_button(
			__("Milestone Grid"),
			() => {
				frappe.route_options = { workflow: frm.doc.name };
				frappe.set_route("milestone-grid");
			},
			__("View")
		);
	},

	after_save(frm) {
		// The list of DocTypes with a workflow was loaded when the Desk started.
		const known = frappe.boot.milestone_doctypes || [];
		if (!known.includes(frm.doc.document_type)) {
			frappe.boot.milestone_doctypes = [...known, frm.doc.document_type];
		}
		if (frm.milestone_builder) frm.milestone_builder.check();
	},

	start_plans(frm) {
		const title = __("Starting Plans");
		const question = __(
			"Start a plan for every existing {0} that matches this workflow and has no plan yet?",
			[__(frm.doc.document_type)]
		);
		frappe.confirm(question, () => {
			const on_progress = (result) => {
				if (result.workflow !== frm.doc.name) return;
				frappe.show_progress(title, result.looked_at, result.total || 1);
				if (result.done) {
					frappe.realtime.off("milestone_plans_progress", on_progress);
					// A dialog that is still fading in would stay.
					setTimeout(frappe.hide_progress, 500);
					frm.events.show_summary(result);
				}
			};
			frappe.realtime.on("milestone_plans_progress", on_progress);
			frappe
				.xcall("milestone_automation.api.start_plans", { workflow: frm.doc.name })
				.then(({ documents }) => {
					if (!documents) {
						frappe.realtime.off("milestone_plans_progress", on_progress);
						frappe.msgprint(__("Every document has a plan already."));
					} else {
						frappe.show_alert(__("Checking {0} documents in the background.", [documents]));
					}
				});
		});
	},

	show_summary(result) {
		const skipped = Object.entries(result.skipped || {}).map(
			([reason, count]) => `<li>${count} × ${frappe.utils.escape_html(reason)}</li>`
		);
		frappe.msgprint({
			title: __("Starting Plans"),
			indicator: "green",
			message: `<p>${__("{0} plans were started.", [result.started])}</p>
				${skipped.length ? `<p>${__("Skipped:")}</p><ul>${skipped.join("")}</ul>` : ""}`,
		});
	},
});

// About the height that the builder will have, so that the form does not jump when it arrives.
function reserve(frm) {
	const $place = frm.fields_dict.builder.$wrapper;
	const count = (table) => (frm.doc[table] || []).length;
	const [card, task] = window.innerWidth < 768 ? [180, 160] : [112, 42];
	$place.css("min-height", count("stages") * card + count("tasks") * task + 40);
	return () => $place.css("min-height", "");
}

function add_file_button(frm, label, action) {
	frm.add_custom_button(
		label,
		() => milestone_automation.load_builder().then(() => milestone_automation.workflow_files[action](frm)),
		__("Actions")
	);
}
