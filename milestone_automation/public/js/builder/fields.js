// The fields of the workflow's DocType, by label.
const TRACKABLE = {};

// As `shown_fields.SHOWABLE_TYPES` has them; a test compares.
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
const first_value = ({ default: value, options }) => value || cstr(options).split("\n")[0].trim();

const holds_value = ({ fieldtype }) =>
	!frappe.model.no_value_type.includes(fieldtype) || frappe.model.table_fields.includes(fieldtype);

export class DocumentFields {
	constructor(doctype, trackable) {
		this.doctype = doctype;
		this.trackable = trackable;
		this.fields = doctype && frappe.get_meta(doctype) ? frappe.meta.get_docfields(doctype) : [];
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

	// Links that may name a supplier, whose contacts are asked.
	suppliers() {
		return this.choices(
			({ fieldtype, options }) => fieldtype === "Dynamic Link" || (fieldtype === "Link" && options !== "User")
		);
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
		return tables.reduce((choices, table) => {
			const rows = frappe.get_meta(table.options);
			const of = `${__(table.label, null, doctype)}: `;
			return choices.concat(rows ? links(rows.fields, `${table.fieldname}.`, of) : []);
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

	// The fields of another document type, or of a table; none until its definition has come.
	of(doctype) {
		if (doctype && !frappe.get_meta(doctype)) this.fetch(doctype);
		return new DocumentFields(doctype, []);
	}

	of_table(fieldname) {
		const field = this.fields.find((one) => one.fieldname === fieldname);
		return this.of(field ? field.options : "");
	}

	tables() {
		return this.choices((field) => frappe.model.table_fields.includes(field.fieldtype));
	}

	tables_by(pattern) {
		return this.tables().map(({ value, label }) => ({ value, label: pattern.replace("{0}", label) }));
	}

	links() {
		return this.choices((field) => field.fieldtype === "Link");
	}

	target_of(fieldname) {
		const field = this.fields.find((one) => one.fieldname === fieldname);
		return field && field.options;
	}

	// Fields with one plain value, which a next step can set.
	settable_plain() {
		return this.choices(
			(field) => frappe.model.is_value_type(field.fieldtype) && field.fieldtype !== "Password"
		);
	}

	// Fields a next step can copy: the name too.
	readable_plain() {
		const standard = [
			{ value: "name", label: __("Name (ID)") },
			{ value: "owner", label: __("Created By") },
		];
		return [...standard, ...this.settable_plain()];
	}

	input_type(fieldname) {
		const field = this.fields.find((one) => one.fieldname === fieldname) || {};
		return field.fieldtype === "Date" ? "date" : "text";
	}

	label_of(fieldname) {
		const known = [...this.readable_plain(), ...this.tables()];
		return (known.find(({ value }) => value === fieldname) || {}).label || fieldname || "";
	}

	// Tracked fields to choose a value from, without the value that new documents have: nothing reaches that.
	with_values() {
		return this.fields
			.filter(({ fieldtype, fieldname }) => fieldtype === "Select" && this.is_tracked(fieldname))
			.map((field) => ({
				value: field.fieldname,
				label: __(field.label, null, this.doctype),
				values: this.values(field.fieldname).filter(({ value }) => value !== first_value(field)),
			}))
			.filter(({ values }) => values.length > 1);
	}

	is_tracked(fieldname) {
		return this.trackable.some(({ value }) => value === fieldname);
	}

	// What reaches a milestone that is called like a value of the document; null if there is none.
	value_named(name) {
		for (const { value: track_field, values } of this.with_values()) {
			const match = values.find(({ value, label }) =>
				[value, label].some((one) => one.toLowerCase() === name.toLowerCase())
			);
			if (match) return { reach_rule: "Field Value", track_field, track_value: match.value };
		}
		return null;
	}

	label(fieldname) {
		const field = this.trackable.find((one) => one.value === fieldname);
		return (field && field.label) || fieldname || "";
	}
}
