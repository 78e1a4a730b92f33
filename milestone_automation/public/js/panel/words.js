// Words and small pieces of HTML that the panel, the builder and the lists share.
export { arrow } from "../titles";

export const HEALTH_COLOR = {
	"On Track": "blue",
	"At Risk": "orange",
	Blocked: "purple",
	Late: "red",
	Skipped: "gray",
	"On Hold": "gray",
	Done: "green",
};

export const esc = (text) => frappe.utils.escape_html(cstr(text));

// What people or fields are called, in a sentence: an English name in Arabic, or the other way round, stays in one piece.
export const own = (text) => (cstr(text) ? `<bdi>${esc(text)}</bdi>` : "");

export const code = (text) => `<code dir="ltr">${esc(text)}</code>`;

const PATHS = {
	check: '<path d="M3.5 8.5l3 3 6-7"/>',
	cross: '<path d="M4.5 4.5l7 7M11.5 4.5l-7 7"/>',
	dots: '<circle cx="3" cy="8" r="1"/><circle cx="8" cy="8" r="1"/><circle cx="13" cy="8" r="1"/>',
	chevron: '<path d="M4 6l4 4 4-4"/>',
	grip: '<path d="M6 3.5v.01M6 8v.01M6 12.5v.01M10 3.5v.01M10 8v.01M10 12.5v.01"/>',
	lock: '<rect x="3.5" y="7" width="9" height="6" rx="1"/><path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>',
	plus: '<path d="M8 3.5v9M3.5 8h9"/>',
	trash: '<path d="M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5"/>',
	up: '<path d="M8 12.5v-9M4 7.5l4-4 4 4"/>',
	edit: '<path d="M3 13l.6-2.6L10.8 3.2l2 2L5.6 12.4z"/>',
	down: '<path d="M8 3.5v9M4 8.5l4 4 4-4"/>',
};

export function icon(name) {
	return `<svg class="milestone-icon" viewBox="0 0 16 16" fill="none" stroke="currentColor"
		stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${PATHS[name]}</svg>`;
}

// After an Arabic word, a browser would turn the parts of 31-12-2026 around: the marks keep them in their order.
const in_order = (text) => (frappe.utils.is_rtl() ? `\u2066${text}\u2069` : text);

export const date = (value) => (value ? in_order(frappe.datetime.str_to_user(cstr(value).slice(0, 10))) : "");

export function pill(health) {
	return `<span class="milestone-pill" data-color="${HEALTH_COLOR[health] || "gray"}">${__(health)}</span>`;
}

export function gray_pill(text) {
	return `<span class="milestone-pill" data-color="gray">${text}</span>`;
}

const TICKS = { Met: "✓", Waived: "✓", Open: "✗", Broken: "✗" };

// What a screen reader says for the tick, too.
export const criterion_state = (state) =>
	({ Met: __("Met"), Waived: __("Waived"), Open: __("Not met"), Broken: __("Cannot be checked") }[state]);

export function criterion_tick(state) {
	const is_settled = ["Met", "Waived"].includes(state);
	return `<span class="milestone-tick ${is_settled ? "is-settled" : ""}" role="img"
		aria-label="${criterion_state(state)}" title="${criterion_state(state)}">${TICKS[state]}</span>`;
}

// The exit criteria of a milestone to read, without actions.
export function criterion_ticks(criteria) {
	if (!criteria || !criteria.length) return "";
	const rows = criteria.map(
		(one) => `<li>${criterion_tick(one.state)} ${esc(one.text)}
			${one.required ? "" : `<span class="milestone-muted">${__("optional")}</span>`}</li>`
	);
	return `<ul class="milestone-criteria">${rows.join("")}</ul>`;
}

// The distance of a date from today in words.
export function distance(value, today) {
	const days = frappe.datetime.get_diff(value, today);
	if (days === 0) return __("today");
	if (days === 1) return __("tomorrow");
	if (days === -1) return __("1 day late");
	return days > 0 ? __("in {0} days", [days]) : __("{0} days late", [-days]);
}

// A form knows the names of the document's users; the payload has the others.
const NAMES = {};

export const learn_names = (names) => Object.assign(NAMES, names);

export function user_name(user) {
	if (!user) return "";
	return user === frappe.session.user ? __("You") : NAMES[user] || frappe.user.full_name(user);
}

export function assignee_name(assignee) {
	if (typeof assignee === "string") return assignee;
	return assignee.full_name || user_name(assignee.user) || assignee.email || "";
}

export function owner_text(stage) {
	if (stage.stage_owner) return user_name(stage.stage_owner);
	if (stage.outside_owner_name) return __("{0} (from outside)", [stage.outside_owner_name]);
	return stage.owner_role ? __("Everybody with role {0}", [__(stage.owner_role)]) : "";
}

// By how many days a milestone can move before the last date of the plan has to move.
export function float_words(days) {
	if (!days) return __("None: it is on the critical path");
	return days === 1 ? __("1 day") : __("{0} days", [days]);
}
