// The HTML of the grid.
import { HEALTH_COLOR, date, esc, icon, pill } from "../panel/words";

export function table({ columns, rows, total }, { chosen }) {
	const heads = columns.map(
		(stage, index) => `
			<th role="columnheader" aria-colindex="${index + 2}">
				<button type="button" class="milestone-sheet-head" tabindex="-1" data-at="0:${index + 1}"
					title="${__("Select all of {0}", [esc(stage)])}">${esc(stage)}</button>
			</th>`
	);
	return `
		<div class="milestone-sheet-scroll">
			<table class="milestone-sheet-table" role="grid" aria-multiselectable="true" aria-label="${__(
				"Documents and their milestones"
			)}" aria-rowcount="${total + 1}" aria-colcount="${columns.length + 1}">
				<thead><tr role="row" aria-rowindex="1">
					<th role="columnheader" aria-colindex="1" class="milestone-sheet-name" tabindex="-1" data-at="0:0">${__(
						"Document"
					)}</th>
					${heads.join("")}
				</tr></thead>
				<tbody>${rows.map((row, index) => line(row, index + 1, columns, chosen)).join("")}</tbody>
			</table>
		</div>`;
}

function line(row, number, columns, chosen) {
	const link = frappe.utils.get_form_link(row.reference_type, row.reference_name);
	const title = row.title ? `<span class="milestone-muted">${esc(row.title)}</span>` : "";
	const health =
		row.health && row.status === "Active"
			? pill(row.health)
			: `<span class="milestone-muted">${__(row.status)}</span>`;
	const cells = columns.map((stage, index) =>
		cell(row, row.cells[index], stage, `${number}:${index + 1}`, chosen)
	);
	return `
		<tr role="row" aria-rowindex="${number + 1}">
			<th role="rowheader" class="milestone-sheet-name">
				<a href="${link}" tabindex="-1" data-at="${number}:0">${esc(row.reference_name)}</a>
				${title}${health}
			</th>
			${cells.join("")}
		</tr>`;
}

function cell(row, data, stage, at, chosen) {
	if (!data) {
		const label = __("{0} has no {1}.", [esc(row.reference_name), esc(stage)]);
		return `<td role="gridcell" tabindex="-1" data-at="${at}" aria-label="${label}" class="is-missing"></td>`;
	}
	const lines = cell_lines(data);
	const label = [stage, row.reference_name, ...lines.map(({ words }) => words)].join(", ");
	const classes = [data.may ? "may-move" : "", data.reached_on ? "is-reached" : ""].join(" ").trim();
	return `
		<td role="gridcell" tabindex="-1" data-at="${at}" data-color="${HEALTH_COLOR[data.health] || "gray"}"
			class="${classes}" aria-selected="${chosen.has(data.stage)}" aria-label="${esc(label)}">
			${lines.map(({ html }) => html).join("")}
		</td>`;
}

// What a cell says: for the eye and in words for screen readers.
function cell_lines(data) {
	const lines = [];
	const add = (name, words, html) =>
		lines.push({ words, html: `<span class="milestone-sheet-${name}">${html}</span>` });
	if (data.reached_on) {
		const day = date(data.reached_on);
		add("date", __("reached on {0}", [day]), `${icon("check")} ${day}`);
		if (data.key_date && data.key_date !== data.reached_on) note(add, __("due {0}", [date(data.key_date)]));
	} else {
		const day = data.key_date ? date(data.key_date) : __("no date");
		add("date", day, day);
	}
	if (data.planned_date) note(add, __("planned {0}", [date(data.planned_date)]));
	if (data.forecast_date) note(add, forecast(data));
	if (data.health && !["On Track", "Done"].includes(data.health))
		add("health", __(data.health), __(data.health));
	return lines;
}

const note = (add, text) => add("note", text, text);

function forecast({ forecast_date, chance }) {
	const day = date(forecast_date);
	return chance === undefined ? __("forecast {0}", [day]) : __("forecast {0} ({1} %)", [day, chance]);
}

export function bar(count) {
	if (!count) return `<span class="milestone-muted">${hint()}</span>`;
	const text = count === 1 ? __("1 milestone selected") : __("{0} milestones selected", [count]);
	const button = (action, label) =>
		`<button type="button" class="btn btn-default btn-sm" data-action="${action}">${label}</button>`;
	return `
		<b>${text}</b>
		${button("shift", __("Shift by Days"))}
		${count === 1 ? button("edit", __("Reschedule")) : ""}
		${button("clear", __("Clear Selection"))}`;
}

const hint = () =>
	__("Select milestones to shift them; Enter or a double click opens one. Shift selects a range.");

export function foot({ rows, total }) {
	const more =
		rows.length < total
			? `<button type="button" class="btn btn-default btn-sm" data-action="more">${__("Show More")}</button>`
			: "";
	const text = total === 1 ? __("1 document") : __("{0} of {1} documents", [rows.length, total]);
	return `<span class="milestone-muted">${text}</span> ${more}`;
}

export function message(text, action, label) {
	const button = label
		? `<button type="button" class="btn btn-default btn-sm" data-action="${action}">${label}</button>`
		: "";
	return `<div class="milestone-sheet-message" role="status"><p class="milestone-empty">${text}</p>${button}</div>`;
}
