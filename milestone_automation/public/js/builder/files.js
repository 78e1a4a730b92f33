// A workflow as a file, and as the start of another one: what a person has written, without what a site keeps of it.
const DOCTYPE = "Milestone Workflow";
const TABLES = ["stages", "tasks"];
// What the server counts or stamps by itself, and what is decided where the file is opened.
const LEFT_OUT = ["enabled", "version", "builder", "forecast_up_to", "forecast_again_on"];
const STAMPED = /_by$/;

const fields_of = (doctype) =>
	frappe
		.get_meta(doctype)
		.fields.filter(({ fieldtype }) => frappe.model.is_value_type(fieldtype))
		.map(({ fieldname }) => fieldname)
		.filter((fieldname) => !LEFT_OUT.includes(fieldname) && !STAMPED.test(fieldname));

const table_doctype = (table) => frappe.meta.get_docfield(DOCTYPE, table).options;

function values_of(doc, doctype) {
	const filled = fields_of(doctype).filter((fieldname) => ![undefined, null, ""].includes(doc[fieldname]));
	return Object.fromEntries(filled.map((fieldname) => [fieldname, doc[fieldname]]));
}

export function to_data(doc) {
	const rows = TABLES.map((table) => [
		table,
		(doc[table] || []).map((row) => values_of(row, table_doctype(table))),
	]);
	return { doctype: DOCTYPE, ...values_of(doc, DOCTYPE), ...Object.fromEntries(rows) };
}

export function download(frm) {
	const blob = new Blob([`${JSON.stringify(to_data(frm.doc), null, 1)}\n`], { type: "application/json" });
	const link = document.createElement("a");
	link.href = URL.createObjectURL(blob);
	link.download = `${frm.docname}.json`;
	link.click();
	URL.revokeObjectURL(link.href);
}

// Nothing is stored before the user saves, and the server checks it then like any other.
export function open_as_new(data, workflow_name) {
	return frappe.model.with_doctype(DOCTYPE, () => {
		const doc = frappe.model.get_new_doc(DOCTYPE);
		Object.assign(doc, values_from(data, DOCTYPE), { workflow_name, enabled: 0 });
		TABLES.forEach((table) =>
			(data[table] || []).forEach((row) => {
				const child = frappe.model.add_child(doc, table_doctype(table), table);
				Object.assign(child, values_from(row, child.doctype));
			})
		);
		frappe.set_route("Form", DOCTYPE, doc.name);
	});
}

// Of a file only what a workflow has; a value is a text or a number.
function values_from(data, doctype) {
	const known = fields_of(doctype).filter((fieldname) =>
		["string", "number"].includes(typeof data[fieldname])
	);
	return Object.fromEntries(known.map((fieldname) => [fieldname, data[fieldname]]));
}

export const duplicate = (frm) =>
	open_as_new(to_data(frm.doc), __("Copy of {0}", [frm.doc.workflow_name]).slice(0, 140));

export function upload() {
	const input = document.createElement("input");
	Object.assign(input, { type: "file", accept: ".json,application/json" });
	input.addEventListener("change", () => input.files[0] && input.files[0].text().then(read));
	input.click();
}

export function read(text) {
	const data = parsed(text);
	const is_workflow = data && data.doctype === DOCTYPE && TABLES.every((table) => is_list(data[table]));
	if (is_workflow) return open_as_new(data, cstr(data.workflow_name).slice(0, 140));
	return frappe.msgprint({
		title: __("Not a Workflow"),
		indicator: "red",
		message: __("This file is not an exported Milestone Workflow. Choose a file from Export as File."),
	});
}

const is_list = (rows) =>
	rows === undefined || (Array.isArray(rows) && rows.every((row) => row && typeof row === "object"));

function parsed(text) {
	try {
		return JSON.parse(text);
	} catch (error) {
		return null;
	}
}
