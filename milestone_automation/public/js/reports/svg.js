// What the pictures of reports share: elements, a time axis, and where a picture goes.
import { esc } from "../panel/words";

export const DAY = 24 * 60 * 60 * 1000;

// Attributes as an object; those without a value are left out.
export function tag(name, attributes = {}, content = "") {
	const parts = Object.entries(attributes)
		.filter(([, value]) => value !== undefined && value !== null && value !== "")
		.map(([key, value]) => ` ${key}="${esc(String(value))}"`);
	return `<${name}${parts.join("")}>${content}</${name}>`;
}

export function text(x, y, words, attributes = {}) {
	return tag("text", { x, y, ...attributes }, esc(words));
}

export function day(value) {
	return new Date(`${String(value).slice(0, 10)}T00:00`).getTime();
}

// Maps days to places from left to right, or from right to left where that is how people read.
export function time_scale(days, start, end) {
	const first = Math.min(...days) - 2 * DAY;
	const last = Math.max(...days) + 2 * DAY;
	const [from, to] = frappe.utils.is_rtl() ? [end, start] : [start, end];
	const place = (moment) => from + ((moment - first) / (last - first)) * (to - from);
	return Object.assign(place, { first, last });
}

// Marks on the first days of months, or every few days of a time that is too short for that, as many as there is room for.
export function time_marks(scale, room = 72) {
	const span = Math.abs(scale(scale.last) - scale(scale.first));
	const most = Math.max(1, Math.floor(span / room));
	const days = (scale.last - scale.first) / DAY;
	const is_short = days < 60;
	const step = Math.max(1, Math.ceil((is_short ? days : days / 30) / most));
	const begin = new Date(scale.first);
	const next = (at) =>
		is_short
			? new Date(at.getFullYear(), at.getMonth(), at.getDate() + step)
			: new Date(at.getFullYear(), at.getMonth() + step, 1);
	const marks = [];
	let at = is_short
		? new Date(begin.getFullYear(), begin.getMonth(), begin.getDate() + 1)
		: new Date(begin.getFullYear(), begin.getMonth() + 1, 1);
	while (at.getTime() < scale.last) {
		marks.push({
			place: scale(at.getTime()),
			label: at.toLocaleDateString(
				frappe.boot.lang,
				is_short ? { day: "numeric", month: "short" } : { month: "short", year: "numeric" }
			),
		});
		at = next(at);
	}
	return marks;
}

// A group, as people can go to links inside.
export function picture(width, height, label, content) {
	return tag(
		"svg",
		{
			viewBox: `0 0 ${width} ${height}`,
			role: "group",
			"aria-label": label,
			class: "milestone-picture-svg",
			width,
			height,
		},
		content
	);
}

// Frappe's place for charts, above the table of a report.
export function show(html) {
	const report = frappe.query_report;
	report.$chart
		.empty()
		.append(
			`<div class="milestone-panel milestone-picture" tabindex="0" role="region" aria-label="${__(
				"Chart"
			)}">${html}</div>`
		)
		.show();
	return report.$chart.find(".milestone-picture");
}

export function width_of_report() {
	return Math.max(560, Math.floor(frappe.query_report.$chart.parent().width() || 900) - 40);
}

export const has_number = (value) => value !== null && value !== undefined;

export function shorten(words, most) {
	const one = String(words || "");
	return one.length > most ? `${one.slice(0, most - 1)}…` : one;
}
