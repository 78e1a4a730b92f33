import { pill } from "../panel/words";

// Frappe shows an unknown number as 0.
export const formatter = (value, row, column, data, default_formatter) => {
	if (value === null || value === undefined) return "";
	if (column.fieldname === "health" && value) return pill(value);
	const shown = default_formatter(value, row, column, data);
	return column.fieldname === "chance" && is_risk(value)
		? `<span class="text-danger">${shown}</span>`
		: shown;
};

export const is_risk = (chance) => cint(chance) < cint(frappe.boot.milestone_at_risk_below);

// Filters that several reports have.
export const workflow = (reqd = 0) => ({
	fieldname: "workflow",
	fieldtype: "Link",
	options: "Milestone Workflow",
	label: __("Workflow"),
	reqd,
});

export const baseline = () => ({
	fieldname: "baseline",
	fieldtype: "Link",
	options: "Milestone Baseline",
	label: __("Compare with Baseline"),
	get_query: () => {
		const workflow = frappe.query_report.get_filter_value("workflow");
		return { filters: workflow ? { workflow } : {} };
	},
});

export const period = () => [
	{ fieldname: "from_date", fieldtype: "Date", label: __("From") },
	{ fieldname: "to_date", fieldtype: "Date", label: __("To") },
];

export const tolerance = () => [
	{ fieldname: "early_days", fieldtype: "Int", label: __("Days Early Allowed"), default: 0 },
	{ fieldname: "late_days", fieldtype: "Int", label: __("Days Late Allowed"), default: 0 },
];

export const working_time = () => ({
	fieldname: "working_time",
	fieldtype: "Check",
	label: __("Working Time"),
});

const tracked = () => frappe.boot.milestone_tracked || {};

// A tracked DocType and one of the fields its tracker records. Both have a value at once: Frappe asks for a report
// before the labels of the fields are there.
export const tracked_field = () => [
	{
		fieldname: "document_type",
		fieldtype: "Link",
		options: "DocType",
		label: __("Document Type"),
		reqd: 1,
		default: Object.keys(tracked())[0],
		get_query: () => ({ filters: { name: ["in", Object.keys(tracked())] } }),
		on_change: () => {
			offer_fields().then(() => frappe.query_report.refresh());
		},
	},
	{
		fieldname: "track_field",
		fieldtype: "Select",
		label: __("Tracked Field"),
		reqd: 1,
		options: [...new Set([...Object.values(tracked()).flat(), "milestone_stage"])],
		default: (Object.values(tracked())[0] || [])[0],
	},
];

export function offer_fields() {
	const filters = frappe.query_report.filters || [];
	const [doctype, field] = ["document_type", "track_field"].map((name) =>
		filters.find((one) => one.df.fieldname === name)
	);
	if (!field || !doctype.get_value()) return Promise.resolve();
	return frappe
		.xcall("milestone_automation.api.tracked_fields", { doctype: doctype.get_value() })
		.then((fields) => {
			field.df.options = fields;
			field.refresh();
			const known = fields.some((one) => one.value === field.get_value());
			if (!known && fields.length) return field.set_value(fields[0].value);
		});
}

// Of a report on a tracked field: its fields, and the button that exports their milestones.
export function on_load(report) {
	report.page.add_inner_button(__("Export Event Log"), () =>
		milestone_automation.export_log(report.get_filter_values())
	);
	return offer_fields();
}
