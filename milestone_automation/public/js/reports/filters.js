import { esc, pill } from "../panel/words";
import { heights } from "./heights";

// Frappe shows an unknown number as 0.
export const formatter = (value, row, column, data, default_formatter) => {
	if (value === null || value === undefined) return "";
	if (column.fieldname === "health" && value) return pill(value);
	const shown = from_left(value, default_formatter(value, row, column, data));
	return column.fieldname === "chance" && is_risk(value)
		? `<span class="text-danger">${shown}</span>`
		: shown;
};

// Between words from right to left, a minus sign would stand behind its number.
const from_left = (value, shown) => (value < 0 ? `<span dir="ltr">${shown}</span>` : shown);

export const is_risk = (chance) => cint(chance) < cint(frappe.boot.milestone_at_risk_below);

// The way from a number to what is behind it: for each column, a function of the row and of the chosen filters that
// returns a report or list with its filters, or the address of a form.
export function linked(links) {
	// The styles of pills and links; pictures come later, or never.
	frappe.require("milestone_desk.bundle.css");
	return (value, row, column, data, default_formatter) => {
		const shown = formatter(value, row, column, data, default_formatter);
		const link = shown !== "" && value !== 0 && data && links[column.fieldname];
		const target = link && link(data, frappe.query_report.get_filter_values());
		return target ? `<a href="${esc(target)}" class="milestone-behind">${shown}</a>` : shown;
	};
}

// Beside the picture itself: its legend, and the space around both.
const AROUND = 34;

// For `after_datatable_render` of a report: draws its picture with `draw`, which gets what draws and the rows. That begins to load
// with the script of the report, and until it is there the picture's place is kept: the table does not jump.
export function drawing(picture, draw) {
	milestone_automation.load_reports();
	return () => {
		const report = frappe.query_report;
		if (!milestone_automation.reports)
			keep_place(report.$chart, heights[picture](report.data.length) + AROUND);
		milestone_automation.load_reports().then(() => {
			draw(milestone_automation.reports, report.data);
			if (report.$chart.find(".milestone-picture-place").length) report.$chart.empty().hide();
		});
	};
}

function keep_place($chart, height) {
	$chart.html(`<div class="milestone-picture-place" style="height: ${height}px"></div>`).show();
}

// The same for the numbers above the table, in their order.
export function link_summary(targets) {
	const $numbers = frappe.query_report.page.main.find(".report-summary .summary-value");
	targets.forEach((target, place) => {
		const $number = $numbers.eq(place);
		if (!cint($number.text()) || $number.find("a").length) return;
		$number.wrapInner(`<a href="${esc(target)}" class="milestone-behind"></a>`);
	});
}

function address(route, filters) {
	const chosen = Object.entries(filters).filter(
		([, value]) => value !== undefined && value !== null && value !== ""
	);
	return `${route}?${new URLSearchParams(chosen)}`;
}

export const to_report = (name, filters) =>
	address(
		frappe.utils.generate_route({ type: "report", is_query_report: 1, name }).replaceAll(" ", "%20"),
		filters
	);

export const to_list = (doctype, filters) =>
	address(frappe.utils.generate_route({ type: "doctype", doc_view: "List", name: doctype }), filters);

export const of_document = (row) => ({
	reference_type: row.reference_type,
	reference_name: row.reference_name,
});

// The milestones of a document; who may not open their list, as core gives it to System Managers only, gets the document.
export const to_milestones = (row, filters) =>
	frappe.model.can_read("Milestone")
		? to_list("Milestone", { ...of_document(row), track_field: filters.track_field })
		: frappe.utils.get_form_link(row.reference_type, row.reference_name);

// The changes that a report counts: of its period and reason.
export const to_changes = (row, filters) =>
	to_list("Milestone Date Change", {
		...of_document(row),
		stage_name: row.stage_name,
		status: "Accepted",
		changed_on: between_days(filters.from_date, filters.to_date),
		reason: filters.without_reason ? JSON.stringify(["is", "not set"]) : filters.reason,
	});

// A filter of a list, as Frappe reads it from an address.
function between_days(first, last) {
	if (first && last) return JSON.stringify(["between", [first, last]]);
	if (first) return JSON.stringify([">=", first]);
	// The day itself counts whole.
	return last ? JSON.stringify(["<", frappe.datetime.add_days(last, 1)]) : "";
}

export const to_details_of_document = (row) =>
	to_report("Milestone Details", { reference_name: row.reference_name });

// The milestones that one number of a group counts.
export const to_details = (shown, group_by) => (row, filters) =>
	to_report("Milestone Details", {
		workflow: filters.workflow,
		from_date: filters.from_date,
		to_date: filters.to_date,
		early_days: filters.early_days,
		late_days: filters.late_days,
		shown,
		...group_by(row, filters),
	});

// The stays that one number counts; values come last, as a period to compare with may replace that of the filters.
export const to_stays = (values) => (row, filters) =>
	to_report("Milestone Stays", {
		document_type: filters.document_type,
		track_field: filters.track_field,
		workflow: filters.workflow,
		from_date: filters.from_date,
		to_date: filters.to_date,
		working_time: filters.working_time || "",
		...values(row, filters),
	});

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

// By month first: whether things get better is what most people come to ask.
export const group_by = () => ({
	fieldname: "group_by",
	fieldtype: "Select",
	label: __("Group By"),
	default: "Month",
	options: ["Workflow", "Milestone", "Owner", "Role", "Supplier", "Month"].map((value) => ({
		value,
		label: __(value),
	})),
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
// before the labels of the fields are there. No link to a DocType: Frappe 16 runs such a report only for System Managers.
export const tracked_field = () => [
	{
		fieldname: "document_type",
		fieldtype: "Select",
		options: Object.keys(tracked()).map((value) => ({ value, label: __(value) })),
		label: __("Document Type"),
		reqd: 1,
		default: Object.keys(tracked())[0],
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
