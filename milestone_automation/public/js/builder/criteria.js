// The exit criteria of a milestone in the builder: rows that are sentences. The milestone keeps them as a list in one field.
import { esc, icon } from "../panel/words";
import * as choices from "./choices";
import { area, button, check, link, select, text } from "./inputs";

const SEPARATOR = "#";

// What is not a list of rows is left to the check of the server, which says so.
export function read(stage) {
	try {
		const rows = JSON.parse(stage.exit_criteria || "[]");
		return Array.isArray(rows) ? rows : [];
	} catch (error) {
		return [];
	}
}

// A row by the name its inputs carry, as the rows of tables are found by theirs.
export const name_of = (stage, index) => `${stage.name}${SEPARATOR}${index}`;
export const is_name = (name) => cstr(name).includes(SEPARATOR);
export const place_of = (name) => [name.split(SEPARATOR)[0], cint(name.split(SEPARATOR)[1])];

export function criteria(stage, fields) {
	const rows = read(stage)
		.map((one, index) => criterion({ required: 1, ...one, name: name_of(stage, index) }, fields))
		.join("");
	return `
		<ul class="milestone-criteria-rows" aria-label="${__("Exit Criteria")}">${rows}</ul>
		<button type="button" class="btn btn-xs milestone-quiet milestone-add" data-do="add_criterion"
			data-row="${esc(stage.name)}" data-focus="${esc(stage.name)}-add_criterion">
			${icon("plus")} ${__("Add Exit Criterion")}</button>`;
}

function criterion(row, fields) {
	const parts = {
		"Field Is Set": () => select(row, "field", __("Field"), fields.settable(), __("Choose a field")),
		"Condition Is Met": () => condition(row, fields.readable()),
		"Other Document Exists": () => other_document(row, fields),
	}[row.kind];
	const placeholder =
		row.kind === "Condition Is Met" ? __("What people read") : __("What people read (optional)");
	return `
		<li class="milestone-task-row" data-criterion="${esc(row.name)}">
			<div class="milestone-task-line">
				${select(row, "kind", __("Kind"), choices.CRITERION_KINDS())}
				${parts ? parts() : ""}
				<div class="milestone-grow">${text(row, "label", __("Label"), placeholder)}</div>
				${check(row, "required", __("Required"))}
				<span class="milestone-card-buttons">
					${button("remove_criterion", row, __("Remove Exit Criterion"), "trash")}
				</span>
			</div>
		</li>`;
}

function condition(row, options) {
	return `
		<div class="milestone-grow">${area(row, "condition", __("Condition"), "doc.status == 'Open'", "ltr")}</div>
		${select({ name: row.name }, "insert_field", __("Insert Field"), options, __("Insert a field"))}`;
}

function other_document(row, fields) {
	const doctype = row.doctype;
	const rest = doctype
		? `${select(row, "link_field", __("Linked By"), fields.links_from(doctype), __("Choose a field"))}
			<span>${__("and, if wanted, on this condition:")}</span>
			${condition(row, fields.readable(doctype))}`
		: "";
	return link(row, "doctype", "DocType", __("Document Type")) + rest;
}
