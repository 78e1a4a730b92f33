// The fields of the workflow's DocType, by label.
const TRACKABLE = {};

// As the server has them.
const SHOWABLE = [
	...["Autocomplete", "Check", "Currency", "Data", "Date", "Datetime", "Duration", "Dynamic Link", "Float"],
	...[
		"HTML Editor",
		"Int",
		"Link",
		"Long Text",
		"Markdown Editor",
		"Percent",
		"Phone",
		"Read Only",
		"Select",
	],
	...["Small Text", "Table", "Table MultiSelect", "Text", "Text Editor", "Time"],
];

const holds_value = ({ fieldtype }) =>
	!frappe.model.no_value_type.includes(fieldtype) || frappe.model.table_fields.includes(fieldtype);

export class DocumentFields {
	constructor(doctype, trackable) {
		this.doctype = doctype;
		this.trackable = trackable;
		this.fields = frappe.meta.get_docfields(doctype);
	}

	static load(doctype) {
		TRACKABLE[doctype] =
			TRACKABLE[doctype] || frappe.xcall("milestone_automation.api.fields_for", { doctype });
		return new Promise((resolve, reject) => {
			frappe.model.with_doctype(doctype, () =>
				TRACKABLE[doctype]
					.then((fields) => resolve(new DocumentFields(doctype, fields)))
					.catch((error) => {
						delete TRACKABLE[doctype];
						reject(error);
					})
			);
		});
	}

	dates() {
		return this.choices((field) => ["Date", "Datetime"].includes(field.fieldtype));
	}

	users() {
		return this.choices((field) => field.fieldtype === "Link" && field.options === "User");
	}

	tracked() {
		return this.trackable.map(({ value, label }) => ({ value, label }));
	}

	// Fields that can have a value, tables too.
	settable() {
		return this.choices(holds_value);
	}

	// Fields that people from outside can be shown: readable as text, and by whoever chooses them.
	showable() {
		return this.choices(
			(field) =>
				SHOWABLE.includes(field.fieldtype) && frappe.perm.has_perm(this.doctype, field.permlevel, "read")
		);
	}

	// Fields a condition can ask for, of the document itself or of another one.
	readable(doctype = this.doctype) {
		const meta = frappe.get_meta(doctype);
		return ((meta && meta.fields) || [])
			.filter((field) => holds_value(field) && field.label)
			.map((field) => ({ value: field.fieldname, label: __(field.label, null, doctype) }));
	}

	// Fields of another document, and of its rows, that link to this one. Its definition may still have to come.
	links_from(doctype) {
		const meta = frappe.get_meta(doctype);
		if (!meta) {
			this.fetch(doctype);
			return [];
		}
		const links = (fields, prefix, of) =>
			fields
				.filter((field) => this.is_link_here(field))
				.map((field) => ({ value: prefix + field.fieldname, label: of + __(field.label, null, doctype) }));
		const tables = meta.fields.filter((field) => frappe.model.table_fields.includes(field.fieldtype));
		return tables.reduce((found, table) => {
			const rows = frappe.get_meta(table.options);
			const of = `${__(table.label, null, doctype)}: `;
			return found.concat(rows ? links(rows.fields, `${table.fieldname}.`, of) : []);
		}, links(meta.fields, "", ""));
	}

	is_link_here(field) {
		return (
			field.fieldtype === "Dynamic Link" || (field.fieldtype === "Link" && field.options === this.doctype)
		);
	}

	// Once: what cannot be had is not asked for again.
	fetch(doctype) {
		this.fetched = this.fetched || new Set();
		if (this.fetched.has(doctype)) return;
		this.fetched.add(doctype);
		frappe.model.with_doctype(doctype, () => this.on_fetched && this.on_fetched());
	}

	choices(fits) {
		return this.fields
			.filter((field) => fits(field) && field.label)
			.map((field) => ({ value: field.fieldname, label: __(field.label, null, this.doctype) }));
	}

	// The possible values of a field; null for free text.
	values(fieldname) {
		if (fieldname === "docstatus") {
			return [
				{ value: "0", label: __("Draft") },
				{ value: "1", label: __("Submitted") },
				{ value: "2", label: __("Cancelled") },
			];
		}
		const field = this.fields.find((one) => one.fieldname === fieldname);
		if (!field) return null;
		if (field.fieldtype === "Check") {
			return [
				{ value: "1", label: __("Yes") },
				{ value: "0", label: __("No") },
			];
		}
		if (field.fieldtype !== "Select") return null;
		return cstr(field.options)
			.split("\n")
			.map((option) => option.trim())
			.filter(Boolean)
			.map((option) => ({ value: option, label: __(option, null, this.doctype) }));
	}

	label(fieldname) {
		const found = this.trackable.find((one) => one.value === fieldname);
		return (found && found.label) || fieldname || "";
	}
}
