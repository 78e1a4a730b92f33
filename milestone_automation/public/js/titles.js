// What a recorded milestone is called in lists and on its form: GO-0046 · Status: Inspection → Shipped.
const CONFIRMED_FIELD = "milestone_stage";
const STATES = () => [__("Draft"), __("Submitted"), __("Cancelled")];

export const arrow = () => (frappe.utils.is_rtl() ? "←" : "→");

export function milestone_title(milestone) {
	const { reference_type, reference_name, track_field } = milestone;
	const change = in_order([before(milestone), after(milestone)].filter(Boolean));
	return `${reference_name} · ${label_of(reference_type, track_field)}: ${change}`;
}

// A recorded value as the form of its document would show it: it is kept as text.
export function recorded_value({ reference_type, track_field }, value) {
	if (track_field === "docstatus") return STATES()[cint(value)];
	const { fieldtype } = frappe.meta.get_docfield(reference_type, track_field) || {};
	if (fieldtype === "Check") return cint(value) ? __("Yes") : __("No");
	const is_time = ["Date", "Datetime", "Time"].includes(fieldtype);
	return (is_time && value && frappe.datetime.str_to_user(value, fieldtype === "Time")) || value;
}

// From right to left the later value stands on the left, whatever language the values are in.
function in_order(values) {
	if (!frappe.utils.is_rtl()) return values.join(` ${arrow()} `);
	return `\u2067${values.map((value) => `\u2068${value}\u2069`).join(` ${arrow()} `)}\u2069`;
}

const before = (milestone) => milestone.from_value && recorded_value(milestone, milestone.from_value);

const after = (milestone) => (milestone.cleared ? __("empty") : recorded_value(milestone, milestone.value));

function label_of(doctype, fieldname) {
	if (fieldname === CONFIRMED_FIELD) return __("Milestone");
	if (fieldname === "docstatus") return __("Document Status");
	const field = frappe.meta.get_docfield(doctype, fieldname);
	return field && field.label ? __(field.label, null, doctype) : frappe.unscrub(fieldname);
}

// Labels come with the DocType; who may not read it sees the field's name.
export function load_labels(doctypes) {
	const missing = [...new Set(doctypes)].filter(
		(doctype) => doctype && !frappe.get_meta(doctype) && frappe.model.can_read(doctype)
	);
	return Promise.all(missing.map((doctype) => frappe.model.with_doctype(doctype))).then(() => missing.length);
}

// DocTypes whose rows are named by a hash, and what people call them.
const TITLES = {
	Milestone: milestone_title,
	"Milestone Plan": ({ title }) => title,
	"Milestone Task": ({ title, reference_name }) => [title, reference_name].filter(Boolean).join(" · "),
	"Milestone Message": ({ subject }) => subject,
	"Milestone Next Step": ({ reference_name, stage_name, action }) =>
		[reference_name, stage_name, action && __(action)].filter(Boolean).join(" · "),
	"Milestone Date Change": ({ reference_name, stage_name }) =>
		[reference_name, stage_name].filter(Boolean).join(" · "),
	"Milestone Plan Log": ({ reference_name, event }) =>
		[reference_name, __(event)].filter(Boolean).join(" · "),
};

// Frappe writes the name of a row into the last breadcrumb and the title of the browser's tab.
export function show_title(frm) {
	const title_of = TITLES[frm.doctype];
	if (!title_of || frm.is_new()) return;
	const show = () => {
		const title = title_of(frm.doc);
		const here = frappe.get_route();
		if (!title || here[0] !== "Form" || here[2] !== frm.docname) return;
		$("#navbar-breadcrumbs a, .navbar-breadcrumbs a")
			.filter((_index, link) => $(link).text() === frm.docname)
			.text(title);
		// What Frappe 16 calls the document on its page: the only name on a phone.
		frm.page.wrapper.find(".title-text-form").text(title);
		frappe.utils.set_title(title);
	};
	if (frm.doctype === "Milestone") load_labels([frm.doc.reference_type]).then(show);
	else show();
}
