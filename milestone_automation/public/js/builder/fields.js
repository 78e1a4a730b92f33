// The fields of the workflow's DocType, by label.
const TRACKABLE = {};

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
