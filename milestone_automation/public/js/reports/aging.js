// Open documents as dots over the lines of the value they stand in: half, four of five, nineteen of twenty were gone by then.
import { is_risk } from "./filters";
import { heights } from "./heights";
import { has_number, picture, shorten, show, tag, text, width_of_report } from "./svg";

const HEIGHT = heights.aging();
const BOTTOM = 44;
const TOP = 16;
const LEFT = 48;
const MOST_DOTS = 2000;
const MARKS = [0, 1, 3, 7, 14, 30, 90, 180, 365, 730, 1825];
// The labels stand in different places, as the lines may be close.
const LINES = [
	["line_50", "milestone-line-50", "50 %", 0.25],
	["line_80", "milestone-line-80", "80 %", 0.6],
	["line_95", "milestone-line-95", "95 %", 0.95],
];

export function draw_aging(rows) {
	const shown = rows.slice(0, MOST_DOTS);
	if (!shown.length) return;
	const values = [...new Set(shown.map((row) => row.value))];
	const width = width_of_report();
	const highest = Math.max(...shown.map((row) => Math.max(row.age, row.line_95 || 0))) * 1.05 || 1;
	const column = (width - LEFT - 10) / values.length;
	// Logarithmic: a document that was forgotten for a year must not press all others onto the ground.
	const y = (days) => TOP + (1 - Math.log1p(days) / Math.log1p(highest)) * (HEIGHT - TOP - BOTTOM);
	const x = (index) => {
		const place = LEFT + index * column;
		return frappe.utils.is_rtl() ? width - place - column : place;
	};
	const content = [
		...MARKS.filter((days) => days <= highest).map((days) => grid(y(days), days, width)),
		...values.map((value, index) => draw_column(value, shown, x(index), column, y)),
	].join("");
	const label = __("Age of {0} open documents by value", [shown.length]);
	const more =
		rows.length > shown.length
			? `<p class="milestone-muted">${__("The first {0} of {1} documents.", [shown.length, rows.length])}</p>`
			: "";
	show(legend(shown) + picture(width, HEIGHT, label, content) + more);
}

const is_past = (row, line) => has_number(row[line]) && row.age > row[line];

const at_risk = (row) => has_number(row.chance) && is_risk(row.chance);

function legend(rows) {
	const lines = __("Lines: 50 %, 80 % and 95 % of earlier documents had moved on by then.");
	const ring = `<span aria-hidden="true">◎</span> ${__("unlikely to meet its key date")}`;
	return `<p class="milestone-muted milestone-legend">${lines} ${rows.some(at_risk) ? ring : ""}</p>`;
}

function tooltip(row) {
	const date = (value) => frappe.datetime.str_to_user(value);
	const lines = [`${row.reference_name}: ${__("{0} days", [Math.round(row.age * 10) / 10])}`];
	if (row.forecast) lines.push(__("Forecast of {0}: {1}", [row.stage_name, date(row.forecast)]));
	if (row.forecast_p80) lines.push(__("80 % sure by: {0}", [date(row.forecast_p80)]));
	if (has_number(row.chance)) lines.push(__("Chance to meet the key date: {0} %", [row.chance]));
	return lines.join("\n");
}

// The axis stands where people begin to read; an end of a text is on its other side there, too.
function grid(y, days, width) {
	const rtl = frappe.utils.is_rtl();
	const [from, to, at] = rtl ? [10, width - LEFT, width - LEFT + 6] : [LEFT, width - 10, LEFT - 6];
	return (
		tag("line", { x1: from, x2: to, y1: y, y2: y, class: "milestone-grid" }) +
		text(at, y + 4, __("{0} d", [Math.round(days)]), { class: "milestone-axis", "text-anchor": "end" })
	);
}

function draw_column(value, rows, x, width, y) {
	const column_rows = rows.filter((row) => row.value === value);
	const lines = LINES.map(([field, kind, label, part]) => {
		const days = column_rows[0][field];
		if (days === null || days === undefined) return "";
		const at = y(days);
		return (
			tag("line", { x1: x + 4, x2: x + width - 4, y1: at, y2: at, class: kind }) +
			text(x + width * (frappe.utils.is_rtl() ? 1 - part : part), at - 3, label, {
				class: "milestone-axis",
				"text-anchor": "end",
			})
		);
	});
	const dots = column_rows.map((row, index) => {
		const at = x + 12 + ((index * 37) % Math.max(1, width - 24));
		const color = is_past(row, "line_95") ? "red" : is_past(row, "line_80") ? "orange" : "blue";
		return tag(
			"a",
			{ href: frappe.utils.get_form_link(row.reference_type, row.reference_name), "data-color": color },
			tag(
				"circle",
				{ cx: at, cy: y(row.age), r: 5, class: "milestone-dot" },
				tag("title", {}, frappe.utils.escape_html(tooltip(row)))
			) + (at_risk(row) ? tag("circle", { cx: at, cy: y(row.age), r: 8, class: "milestone-risk-ring" }) : "")
		);
	});
	const label = text(x + width / 2, HEIGHT - BOTTOM + 18, shorten(value, Math.floor(width / 8)), {
		class: "milestone-axis",
		"text-anchor": "middle",
	});
	const number = text(x + width / 2, HEIGHT - BOTTOM + 34, String(column_rows.length), {
		class: "milestone-axis",
		"text-anchor": "middle",
	});
	return lines.join("") + dots.join("") + label + number;
}
