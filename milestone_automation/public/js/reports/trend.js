// Milestone trend chart: each milestone's key date (upwards) over the day it was reported. Level is on plan, rising is slipping.
import { heights } from "./heights";
import { day, picture, shorten, show, tag, text, time_marks, time_scale, width_of_report } from "./svg";

const HEIGHT = heights.trend();
const EDGE = 90;
const TOP = 14;
const BOTTOM = 30;
const MOST_LINES = 30;
const BETWEEN_DATES = 48;
const LABEL = { width: 80, height: 11 };
const COLORS = ["#2490ef", "#e86c13", "#30a66d", "#9c45e3", "#e03636", "#0289f7", "#b8860b", "#d6409f"];

export function draw_trend(rows) {
	const lines = rows
		.slice(0, MOST_LINES)
		.map((row) => ({
			...row,
			points: JSON.parse(row.points || "[]").map(([at, due]) => [day(at), day(due)]),
		}))
		.filter((row) => row.points.length);
	if (!lines.length) return;
	const today = day(frappe.datetime.get_today());
	const width = width_of_report();
	const reports = lines.flatMap((row) => row.points.map(([at]) => at));
	const dates = lines.flatMap((row) => row.points.map(([, due]) => due));
	const x = time_scale([...reports, today], EDGE, width - EDGE);
	const up = time_scale(dates, 0, 1);
	const part = (moment) => (moment - up.first) / (up.last - up.first);
	const y = Object.assign((moment) => TOP + (1 - part(moment)) * (HEIGHT - TOP - BOTTOM), {
		first: up.first,
		last: up.last,
	});
	const has_place = free_places();
	const content = [
		...time_marks(x).map(
			({ place, label }) =>
				tag("line", { x1: place, x2: place, y1: TOP, y2: HEIGHT - BOTTOM, class: "milestone-grid" }) +
				text(place, HEIGHT - 12, label, { class: "milestone-axis", "text-anchor": "middle" })
		),
		...time_marks(y, BETWEEN_DATES).map(({ place, label }) => key_date_mark(place, label, width)),
		...lines.map((row, index) => draw_line(row, COLORS[index % COLORS.length], x, y, today, has_place)),
	].join("");
	show(
		picture(
			width,
			HEIGHT,
			__("Key dates of {0} milestones over the days they were reported", [lines.length]),
			content
		)
	);
}

// The dates stand where people begin to read; the end of a text is on its other side there, too.
function key_date_mark(y, label, width) {
	const [from, to] = frappe.utils.is_rtl() ? [8, width - EDGE] : [EDGE, width - 8];
	const at = frappe.utils.is_rtl() ? width - EDGE + 6 : EDGE - 6;
	return (
		tag("line", { x1: from, x2: to, y1: y, y2: y, class: "milestone-grid" }) +
		text(at, y + 4, label, { class: "milestone-axis", "text-anchor": "end" })
	);
}

// Names that would cover each other are left to the tooltip of their line.
function free_places() {
	const taken = [];
	return (x, y) => {
		if (taken.some((one) => Math.abs(one.x - x) < LABEL.width && Math.abs(one.y - y) < LABEL.height))
			return false;
		taken.push({ x, y });
		return true;
	};
}

function draw_line(row, color, x, y, today, has_place) {
	const points = row.reached ? row.points : [...row.points, [today, row.points[row.points.length - 1][1]]];
	const steps = points.map(([at, due], index) => {
		const before = index ? `L${x(at)} ${y(points[index - 1][1])}` : `M${x(at)} ${y(due)}`;
		return `${before}L${x(at)} ${y(due)}`;
	});
	const [last_at, last_due] = points[points.length - 1];
	const name = `${row.reference_name}: ${row.stage_name}`;
	return tag(
		"g",
		{},
		tag("title", {}, frappe.utils.escape_html(name)) +
			tag("path", { d: steps.join(""), class: "milestone-trend", stroke: color }) +
			points.map(([at, due]) => tag("circle", { cx: x(at), cy: y(due), r: 3, fill: color })).join("") +
			(has_place(x(last_at), y(last_due))
				? text(x(last_at) + (frappe.utils.is_rtl() ? -6 : 6), y(last_due) + 4, shorten(row.stage_name, 14), {
						class: "milestone-axis",
				  })
				: "")
	);
}
