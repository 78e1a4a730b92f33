// What a next step writes into fields, as rows in its dialog: a field, where its value comes from, and the value.
import { esc, icon } from "../panel/words";
import * as choices from "./choices";

const options = (list, chosen, empty = "") =>
	[{ value: "", label: empty }, ...list]
		.map(
			({ value, label }) =>
				`<option value="${esc(value)}" ${cstr(value) === cstr(chosen) ? "selected" : ""}>${esc(
					label
				)}</option>`
		)
		.join("");

const select = (part, label, list, chosen, empty) =>
	`<select class="form-control input-xs" data-part="${part}" aria-label="${esc(label)}">${options(
		list,
		chosen,
		empty
	)}</select>`;

const remove_button = (label) =>
	`<button type="button" class="btn btn-xs milestone-quiet" data-remove aria-label="${esc(label)}"
		title="${esc(label)}">${icon("trash")}</button>`;

export class Mapping {
	constructor($parent, { label, rows, target, source, has_row = false }) {
		Object.assign(this, { label, target, source, has_row });
		this.rows = rows && rows.length ? rows.map((row) => ({ ...row })) : [{ field: "", value: "" }];
		this.$wrapper = $('<div class="milestone-mapping"></div>').appendTo($parent);
		this.$wrapper.on("change", "[data-part]", (event) => this.on_change(event));
		this.$wrapper.on("click", "[data-remove]", (event) => this.remove($(event.currentTarget)));
		this.$wrapper.on("click", "[data-add]", () => this.add());
		this.draw();
	}

	draw() {
		this.$wrapper.html(`
			<span class="control-label">${esc(this.label)}</span>
			<ul>${this.rows.map((row) => this.row_html(row)).join("")}</ul>
			<button type="button" class="btn btn-xs milestone-quiet" data-add>${icon("plus")} ${__(
			"Add Field"
		)}</button>`);
	}

	row_html(row) {
		const from = choices.VALUE_SOURCES(this.has_row);
		return `
			<li class="milestone-mapping-row">
				${select("field", __("Field"), this.target.settable_plain(), row.field, __("Choose a field"))}
				<select class="form-control input-xs" data-part="source" aria-label="${__("Set to")}">${options(
			from,
			source_of(row)
		).replace(/^<option[^>]*><\/option>/, "")}</select>
				${this.value_html(row)}
				${remove_button(__("Remove Field"))}
			</li>`;
	}

	value_html(row) {
		const source = source_of(row);
		if (source === "from") {
			return select(
				"value",
				__("Field to Copy"),
				this.source.readable_plain(),
				row.from,
				__("Choose a field")
			);
		}
		const known = source === "value" && this.target.values(row.field);
		if (known) return select("value", __("Value"), known, row.value, "");
		const type = source === "value" ? this.target.input_type(row.field) : "text";
		const example = this.has_row ? "row.qty * 0.3" : "doc.grand_total * 0.3";
		return `<input type="${type}" class="form-control input-xs" data-part="value" value="${esc(row[source])}"
			dir="${source === "formula" ? "ltr" : "auto"}"
			aria-label="${source === "formula" ? __("Formula") : __("Value")}"
			placeholder="${source === "formula" ? example : ""}">`;
	}

	on_change({ currentTarget }) {
		const index = $(currentTarget).closest("li").index();
		const row = this.rows[index];
		const { part } = currentTarget.dataset;
		if (part === "value") {
			row[source_of(row)] = currentTarget.value;
			return;
		}
		const source = part === "source" ? currentTarget.value : source_of(row);
		const value = part === "source" || source === "value" ? "" : row[source];
		const field = part === "field" ? currentTarget.value : row.field;
		this.rows[index] = { field, [source]: value };
		// The choice keeps its focus, and what is typed to find an option.
		$(currentTarget).closest("li").find("[data-part=value]").replaceWith(this.value_html(this.rows[index]));
	}

	add() {
		this.rows.push({ field: "", value: "" });
		this.draw();
		this.$wrapper.find("li").last().find("[data-part=field]").trigger("focus");
	}

	remove($button) {
		this.rows.splice($button.closest("li").index(), 1);
		this.draw();
		this.$wrapper.find("[data-add]").trigger("focus");
	}

	value() {
		return this.rows.filter((row) => row.field);
	}
}

const source_of = (row) => ["from", "formula"].find((name) => row[name] !== undefined) || "value";

// Rows of the tables of a new document: one, or one for each row of a table of this document.
export class Tables {
	constructor($parent, { label, rows, target, source }) {
		Object.assign(this, { label, target, source });
		this.parts = [];
		this.$wrapper = $('<div class="milestone-mapping-tables"></div>').appendTo($parent);
		const tables = target.tables();
		if (!tables.length) return;
		this.$wrapper.html(`<span class="control-label">${esc(
			label
		)}</span><div class="milestone-mapping-parts"></div>
			<button type="button" class="btn btn-xs milestone-quiet" data-add-table>${icon("plus")} ${__(
			"Add Rows"
		)}</button>`);
		this.$wrapper.on("click", "[data-add-table]", () => this.add({ table: tables[0].value }));
		(rows || []).forEach((row) => this.add(row));
	}

	add(row) {
		const part = { ...row };
		part.$part = $('<fieldset class="milestone-mapping-table"></fieldset>').appendTo(
			this.$wrapper.find(".milestone-mapping-parts")
		);
		part.$part.on("change", "[data-table]", (event) => {
			part[event.currentTarget.dataset.table] = event.currentTarget.value;
			this.draw(part, []);
		});
		part.$part.on("click", "[data-remove-table]", () => {
			this.parts.splice(this.parts.indexOf(part), 1);
			part.$part.remove();
		});
		this.parts.push(part);
		this.draw(part, row.fields);
	}

	draw(part, rows) {
		const choose = (name, label, list, empty) =>
			`<select class="form-control input-xs" data-table="${name}" aria-label="${esc(label)}">${options(
				list,
				part[name],
				empty
			)}</select>`;
		part.$part.html(`
			<div class="milestone-mapping-row">
				<span>${__("A row in")}</span>
				${choose("table", __("Table"), this.target.tables(), __("Choose a table"))}
				${choose("each", __("For Each Row Of"), this.source.tables_by(__("for each row of {0}")), __("once"))}
				<button type="button" class="btn btn-xs milestone-quiet" data-remove-table
					aria-label="${__("Remove Rows")}" title="${__("Remove Rows")}">${icon("trash")}</button>
			</div>`);
		const target = this.target.of_table(part.table);
		const source = part.each ? this.source.of_table(part.each) : this.source;
		part.mapping = new Mapping(part.$part, {
			label: __("Fields of the Row"),
			rows,
			target,
			source,
			has_row: Boolean(part.each),
		});
	}

	value() {
		return this.parts
			.map(({ table, each, mapping }) => ({ table, ...(each ? { each } : {}), fields: mapping.value() }))
			.filter((one) => one.table && one.fields.length);
	}
}
