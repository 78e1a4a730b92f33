frappe.ui.form.on("Milestone Tracker", {
	setup(frm) {
		frm.set_query("document_type", () => ({ filters: { istable: 0, issingle: 0, is_virtual: 0 } }));
	},

	refresh(frm) {
		frm.trigger("offer_fields");
		if (frm.is_new()) return;
		frm.trigger("show_recorded");
		if (frappe.user.has_role("System Manager")) {
			frm.add_custom_button(__("Record Past Changes"), () => frm.trigger("backfill"));
		}
	},

	document_type(frm) {
		frm.set_value("track_field", "");
		frm.trigger("offer_fields");
	},

	// Fields by label; the value is the field name, as in core.
	offer_fields(frm) {
		const doctype = frm.doc.document_type;
		if (!doctype) return frm.events.set_options(frm, []);
		return frappe.xcall("milestone_automation.api.fields_for", { doctype }).then((fields) =>
			frm.events.set_options(
				frm,
				fields.map(({ value, label }) => ({ value, label }))
			)
		);
	},

	set_options(frm, options) {
		frm.set_df_property("track_field", "options", options);
		const { grid } = frm.fields_dict.extra_fields;
		const label = (value) => (options.find((one) => one.value === value) || {}).label || value || "";
		grid.update_docfield_property("track_field", "options", options);
		grid.update_docfield_property("track_field", "formatter", (value) =>
			frappe.utils.escape_html(label(value))
		);
		frm.refresh_field("extra_fields");
	},

	show_recorded(frm) {
		frappe.xcall("milestone_automation.api.recorded", { tracker: frm.doc.name }).then((answer) => {
			const { $wrapper } = frm.fields_dict.recorded_milestones;
			$wrapper
				.html(recorded(answer))
				.find(".show-all")
				.on("click", (event) => {
					event.preventDefault();
					frappe.set_route("List", "Milestone", { milestone_tracker: frm.doc.name });
				});
		});
	},

	backfill(frm) {
		const question = __(
			"Read the version history of all {0} documents and record the changes from before this tracker was created? This runs in the background and can be repeated.",
			[__(frm.doc.document_type)]
		);
		frappe.confirm(question, () => {
			listen_to_backfill(frm);
			frappe
				.xcall("milestone_automation.api.start_backfill", { tracker: frm.doc.name })
				.then(() =>
					frappe.show_alert(
						__("Started. You can leave this page; the milestones are recorded in the background.")
					)
				);
		});
	},
});

function listen_to_backfill(frm) {
	const title = __("Recording Past Changes");
	const on_progress = ({ tracker, done, total, summary, failed }) => {
		if (tracker !== frm.doc.name) return;
		if (total) frappe.show_progress(title, done, total);
		if (!summary && !failed) return;
		frappe.realtime.off("milestone_backfill", on_progress);
		// A dialog that is still fading in would stay.
		setTimeout(frappe.hide_progress, 500);
		if (failed) {
			frappe.msgprint({
				title,
				indicator: "red",
				message: __("It stopped with an error, see the Error Log. Milestones recorded so far stay."),
			});
		} else {
			frappe.show_alert({
				message: __("{0} milestones recorded from {1} documents.", [summary.added, summary.documents]),
				indicator: "green",
			});
			frm.trigger("show_recorded");
		}
	};
	frappe.realtime.on("milestone_backfill", on_progress);
}

function recorded({ count, document_type, last }) {
	const esc = (text) => frappe.utils.escape_html(cstr(text));
	if (!count) return `<p class="text-muted">${__("Nothing recorded yet.")}</p>`;
	const value = (text) => (text ? `<bdi>${esc(text)}</bdi>` : "–");
	const rows = last.map(
		(row) => `<tr>
			<td>${esc(row.reached_on)}</td>
			<td>${frappe.utils.get_form_link(document_type, row.reference_name, true, esc(row.reference_name))}</td>
			<td>${esc(row.field_label)}</td>
			<td>${value(row.from_value)} ${milestone_automation.arrow()} <b>${value(row.value)}</b></td>
			<td>${esc(row.reached_by)}</td>
		</tr>`
	);
	const total =
		count === 1 ? __("1 milestone recorded.") : __("{0} milestones recorded. The last ones:", [count]);
	return `
		<p>${total} <a href="#" class="show-all">${__("Show All")}</a></p>
		<div class="table-responsive"><table class="table table-sm text-nowrap">
			<thead><tr>
				<th scope="col">${__("On")}</th><th scope="col">${__("Document")}</th><th scope="col">${__("Field")}</th>
				<th scope="col">${__("Change")}</th><th scope="col">${__("By")}</th>
			</tr></thead>
			<tbody>${rows.join("")}</tbody>
		</table></div>`;
}
