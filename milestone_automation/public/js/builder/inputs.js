// The inputs of the builder.
import { esc, icon } from "../panel/words";

// An input bound to a field of a row. `data-focus` finds it again after the card was drawn again.
function bound(tag, row, field, label, attributes = "", inner = "") {
	const type = tag === "input" ? "" : `</${tag}>`;
	return `<${tag} class="form-control input-xs" data-field="${field}" data-row="${
		row.name
	}" aria-label="${esc(label)}"
		data-focus="${row.name}-${field}" ${attributes}>${inner}${type}`;
}

export const text = (row, field, label, placeholder = "") =>
	bound(
		"input",
		row,
		field,
		label,
		`type="text" dir="auto" value="${esc(row[field])}" placeholder="${esc(placeholder)}" maxlength="140"`
	);

export const number = (row, field, label, least = 0) =>
	bound(
		"input",
		row,
		field,
		label,
		`type="number" dir="ltr" ${least === null ? "" : `min="${least}"`} step="1" value="${cint(row[field])}"`
	);

// What people write goes by its first letter, and code from left to right.
export const area = (row, field, label, placeholder = "", direction = "auto") =>
	bound(
		"textarea",
		row,
		field,
		label,
		`rows="2" dir="${direction}" placeholder="${esc(placeholder)}"`,
		esc(row[field])
	);

export function select(row, field, label, options, empty = null) {
	const known = options.some((one) => cstr(one.value) === cstr(row[field]));
	const all = [
		...(empty === null ? [] : [{ value: "", label: empty }]),
		...options,
		...(known || !row[field] ? [] : [{ value: row[field], label: row[field] }]),
	];
	const inner = all
		.map(
			(one) =>
				`<option value="${esc(one.value)}" ${cstr(one.value) === cstr(row[field]) ? "selected" : ""}>${esc(
					one.label
				)}</option>`
		)
		.join("");
	return bound("select", row, field, label, "", inner);
}

export const check = (row, field, label, text = label) =>
	`<label class="milestone-check"><input type="checkbox" data-field="${field}" data-row="${row.name}"
		data-focus="${row.name}-${field}" ${cint(row[field]) ? "checked" : ""}> ${text}</label>`;

// A placeholder for Frappe's Link control.
export const link = (row, field, doctype, label) =>
	`<div class="milestone-link" data-link="${doctype}" data-field="${field}" data-row="${
		row.name
	}" data-label="${esc(label)}"></div>`;

export function button(action, row, label, symbol, attributes = "") {
	return `<button type="button" class="btn btn-xs milestone-quiet" data-do="${action}" data-row="${row.name}"
		data-focus="${row.name}-${action}" aria-label="${esc(label)}" title="${esc(label)}" ${attributes}>${icon(
		symbol
	)}</button>`;
}
