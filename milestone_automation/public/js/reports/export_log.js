// Milestones as an event log: asks what to export, and saves the file or says that a job makes it.
export function export_log(values = {}) {
	const tracked = frappe.boot.milestone_tracked || {};
	const dialog = new frappe.ui.Dialog({
		title: __("Export Event Log"),
		animate: false,
		fields: [
			{
				fieldname: "doctype",
				fieldtype: "Link",
				options: "DocType",
				label: __("Document Type"),
				reqd: 1,
				get_query: () => ({ filters: { name: ["in", Object.keys(tracked)] } }),
				onchange: () => offer_fields(dialog, values.track_field),
			},
			{ fieldname: "track_field", fieldtype: "Select", label: __("Tracked Field"), reqd: 1 },
			{ fieldtype: "Column Break" },
			{
				fieldname: "log_format",
				fieldtype: "Select",
				label: __("Format"),
				reqd: 1,
				default: "xes",
				options: [
					{ value: "xes", label: __("XES, for process mining") },
					{ value: "csv", label: __("CSV, for spreadsheets") },
				],
			},
			{ fieldname: "from_date", fieldtype: "Date", label: __("From") },
			{ fieldname: "to_date", fieldtype: "Date", label: __("To") },
		],
		primary_action_label: __("Export"),
		primary_action: (chosen) => run(dialog, chosen),
	});
	dialog.show();
	dialog.set_values({
		doctype: values.document_type || Object.keys(tracked)[0],
		from_date: values.from_date,
		to_date: values.to_date,
	});
	return dialog;
}

function offer_fields(dialog, wanted) {
	const doctype = dialog.get_value("doctype");
	if (!doctype) return;
	frappe.xcall("milestone_automation.api.tracked_fields", { doctype }).then((fields) => {
		const field = dialog.fields_dict.track_field;
		field.df.options = fields;
		field.refresh();
		const preferred = fields.find((one) => one.value === wanted) || fields[0];
		if (preferred) dialog.set_value("track_field", preferred.value);
	});
}

function run(dialog, chosen) {
	dialog.disable_primary_action();
	frappe
		.xcall("milestone_automation.api.export_log", chosen)
		.then((answer) => {
			dialog.hide();
			if (!answer.in_background) return save(answer);
			frappe.show_alert({
				message: __("{0} events are being exported. You get a notification with the file.", [answer.events]),
				indicator: "blue",
			});
		})
		.finally(() => dialog.enable_primary_action());
}

function save({ content, file_name }) {
	// Spreadsheets take a file without a byte order mark for another encoding.
	const mark = file_name.endsWith(".csv") ? "\ufeff" : "";
	const url = URL.createObjectURL(new Blob([mark + content]));
	const link = Object.assign(document.createElement("a"), { href: url, download: file_name });
	document.body.append(link);
	link.click();
	link.remove();
	URL.revokeObjectURL(url);
}
