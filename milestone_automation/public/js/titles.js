// What a recorded milestone is called in lists and on its form: GO-0046 · Status: Inspection → Shipped.
const CONFIRMED_FIELD = "milestone_stage";
const STATES = () => [__("Draft"), __("Submitted"), __("Cancelled")];

export const arrow = () => (frappe.utils.is_rtl() ? "←" : "→");

// Where people read from right to left, each value stays in one piece and the later one stands on the left.
const in_one_piece = (value) => (frappe.utils.is_rtl() ? `\u2068${value}\u2069` : value);

export function milestone_title(milestone) {
	const { reference_type, reference_name, track_field } = milestone;
	const change = [before(milestone), after(milestone)].filter(Boolean).map(in_one_piece).join(` ${arrow()} `);
	return `${reference_name} · ${label_of(reference_type, track_field)}: ${change}`;
}

const shown = ({ track_field }, value) => (track_field === "docstatus" ? STATES()[cint(value)] : value);

const before = (milestone) => milestone.from_value && shown(milestone, milestone.from_value);

const after = (milestone) => (milestone.cleared ? __("empty") : shown(milestone, milestone.value));

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
