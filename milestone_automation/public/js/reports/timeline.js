// One row a document on one time axis: planned, current and actual dates, the slip as a dotted tail, the forecast as a
// circle with a line from the date that is as likely as not to the one that is 80 % sure, and today.
import { HEALTH_COLOR } from "../panel/words";
import { heights, MOST_ROWS, ROW, TOP } from "./heights";
import {
	day,
	has_number,
	picture,
	shorten,
	show,
	tag,
	text,
	time_marks,
	time_scale,
	width_of_report,
} from "./svg";

const FORECAST_BELOW = 10;
const LABELS = 170;

export function draw_timeline(rows) {
	const shown = rows.slice(0, MOST_ROWS).map((row) => ({ ...row, dots: JSON.parse(row.stages || "[]") }));
	const today = day(frappe.datetime.get_today());
	const days = shown.flatMap(({ dots }) =>
		dots.flatMap((dot) =>
			[dot.planned, dot.due, dot.reached, dot.forecast, dot.forecast_p80].filter(Boolean).map(day)
		)
	);
	if (!days.length) return;
	const width = width_of_report();
	const rtl = frappe.utils.is_rtl();
	const scale = rtl
		? time_scale([...days, today], 10, width - LABELS)
		: time_scale([...days, today], LABELS, width - 10);
	const height = heights.timeline(shown.length);
	const content = [
		...axis(scale, height),
		tag("line", { x1: scale(today), x2: scale(today), y1: TOP - 10, y2: height, class: "milestone-today" }),
		text(scale(today), 12, __("Today"), {
			class: "milestone-today-label",
			"data-color": "red",
			"text-anchor": "middle",
		}),
		...shown.map((row, index) => draw_row(row, TOP + index * ROW + ROW / 2 - 2, scale, width, rtl)),
	].join("");
	const more =
		rows.length > shown.length
			? `<p class="milestone-muted">${__("The first {0} of {1} documents.", [shown.length, rows.length])}</p>`
			: "";
	show(
		legend() +
			picture(width, height, __("Milestones of {0} documents over time", [shown.length]), content) +
			more
	);
}

function axis(scale, height) {
	return time_marks(scale).map(
		({ place, label }) =>
			tag("line", { x1: place, x2: place, y1: TOP - 8, y2: height, class: "milestone-grid" }) +
			text(place, TOP - 12, label, { class: "milestone-axis", "text-anchor": "middle" })
	);
}

function draw_row(row, y, scale, width, rtl) {
	const link = frappe.utils.get_form_link(row.reference_type, row.reference_name);
	const label = text(rtl ? width - 4 : 4, y + 4, shorten(row.reference_name, 22), {
		class: "milestone-row-label",
	});
	return (
		tag("a", { href: link, "data-name": row.reference_name }, label) +
		row.dots.map((dot) => draw_dot(dot, y, scale)).join("")
	);
}

function draw_dot(dot, y, scale) {
	const current = dot.reached || dot.due;
	const parts = [draw_forecast(dot, y, scale)];
	if (current && dot.planned && dot.planned !== current) {
		const [from, to] = [scale(day(dot.planned)), scale(day(current))];
		parts.push(tag("line", { x1: from, x2: to, y1: y, y2: y, class: "milestone-slip" }));
		parts.push(diamond(from, y, 4, "milestone-planned"));
	}
	if (current)
		parts.push(diamond(scale(day(current)), y, 6, dot.reached ? "milestone-actual" : "milestone-current"));
	return tag(
		"g",
		{ "data-color": HEALTH_COLOR[dot.health] || "gray" },
		tag("title", {}, frappe.utils.escape_html(tooltip(dot))) + parts.join("")
	);
}

// Below the diamonds, as a forecast often falls on a key date.
function draw_forecast(dot, y, scale) {
	if (!dot.forecast || dot.reached) return "";
	const at = y + FORECAST_BELOW;
	const [from, to] = [scale(day(dot.forecast)), scale(day(dot.forecast_p80 || dot.forecast))];
	return (
		tag("line", { x1: from, x2: to, y1: at, y2: at, class: "milestone-forecast-range" }) +
		tag("line", { x1: to, x2: to, y1: at - 3, y2: at + 3, class: "milestone-forecast-range" }) +
		tag("circle", { cx: from, cy: at, r: 3.5, class: "milestone-forecast" })
	);
}

function diamond(x, y, size, kind) {
	return tag("path", {
		d: `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}Z`,
		class: kind,
	});
}

function tooltip(dot) {
	const date = (value) => (value ? frappe.datetime.str_to_user(value) : "–");
	const lines = [dot.name, __("Planned: {0}", [date(dot.planned)]), __("Key date: {0}", [date(dot.due)])];
	if (dot.reached) lines.push(__("Reached: {0}", [date(dot.reached)]));
	else if (dot.forecast) {
		lines.push(__("Forecast: {0}", [date(dot.forecast)]));
		if (dot.forecast_p80) lines.push(__("80 % sure by: {0}", [date(dot.forecast_p80)]));
		if (has_number(dot.chance)) lines.push(__("Chance to meet the key date: {0} %", [dot.chance]));
	}
	return lines.join("\n");
}

function legend() {
	return `<p class="milestone-muted milestone-legend"><span aria-hidden="true">◇</span> ${__(
		"planned or open"
	)} <span aria-hidden="true">◆</span> ${__("reached")} <span aria-hidden="true">┄</span> ${__(
		"slip"
	)} <span aria-hidden="true">○─┤</span> ${__("forecast, up to the date that is 80 % sure")}</p>`;
}
