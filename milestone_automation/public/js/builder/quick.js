// Writing many milestones and tasks in a row: from the values of a field, one per line, or by Enter.
import { esc, icon } from "../panel/words";

const STAGE = "Milestone Workflow Stage";
const DAYS_BETWEEN = 7;
const TITLES = { stages: "stage_name", tasks: "title" };
const DAYS = { stages: "offset_days", tasks: "due_days_before" };
// What a new task takes over from the one before.
const LIKE_THE_LAST = [
	"assignee_kind",
	"assignee_user",
	"assignee_role",
	"assignee_field",
	"collaborator_name",
	"collaborator_email",
	"completion_rule",
	"required",
	"due_days_before",
	"working_days",
];
// And a new milestone.
const SAME_OWNER = ["owner_kind", "owner_user", "owner_role", "owner_field", "owner_name", "owner_email"];
const MOST_LETTERS = 80;

const filled = (row, fieldnames) =>
	Object.fromEntries(fieldnames.filter((name) => row && row[name]).map((name) => [name, row[name]]));

export const lines_of = (text) =>
	cstr(text)
		.split(/\r?\n/)
		.map((line) => line.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, "").trim())
		.filter(Boolean)
		.map((line) => line.slice(0, 140));

export function task_defaults(tasks) {
	return filled(tasks[tasks.length - 1], LIKE_THE_LAST);
}

// A date counted from the one before needs days between them: those of the milestone before, or a week.
export function stage_defaults(before) {
	const counted = before && before.key_date_rule !== "Set Manually" && cint(before.offset_days) > 0;
	return {
		...filled(before, SAME_OWNER),
		key_date_rule: before ? "After Previous Milestone" : "After Creation",
		offset_days: counted ? cint(before.offset_days) : DAYS_BETWEEN,
		working_days: counted ? cint(before.working_days) : 0,
	};
}

// The first milestones: one for each value of a field, or their names.
export function offers(fields) {
	const buttons = fields.with_values().map(({ value, label, values }) => {
		const names = frappe.ellipsis(values.map((one) => one.label).join(", "), MOST_LETTERS);
		return `<button type="button" class="btn btn-sm btn-default milestone-offer" data-do="add_values" data-row="${esc(
			value
		)}">
			${icon("plus")} ${__("One for each value of {0}", [`<b>${esc(label)}</b>`])}
			<span class="milestone-muted">${esc(names)}</span></button>`;
	});
	return `
		<div class="milestone-offers">
			${buttons.join("")}
			<label class="milestone-offer-names">
				<span class="milestone-set-label">${__("Or their names, one per line:")}</span>
				<textarea class="form-control" rows="4" data-names data-focus="names"></textarea>
			</label>
			<button type="button" class="btn btn-sm btn-default" data-do="add_names">
				${icon("plus")} ${__("Add These Milestones")}
			</button>
		</div>`;
}

export const hint = () =>
	`<span class="milestone-muted milestone-hint">${__(
		"Enter in a name or title adds the next one. Several lines can be pasted."
	)}</span>`;

export class Quick {
	constructor(builder) {
		this.builder = builder;
		// Rows added by Enter that still have no name of their own.
		this.waiting = new Map();
		builder.$wrapper.on("keydown", "[data-field]", (event) => this.on_key(event));
		builder.$wrapper.on("paste", "[data-field]", (event) => this.on_paste(event.originalEvent));
	}

	table_of(input, names = TITLES) {
		return Object.keys(names).find((table) => {
			const rows = this.builder.frm.doc[table] || [];
			return names[table] === input.dataset.field && rows.some((row) => row.name === input.dataset.row);
		});
	}

	on_key(event) {
		const input = event.target;
		if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
		const table = this.table_of(input);
		const table_of_days = this.table_of(input, DAYS);
		const is_meant = event.key === "Enter" ? table || table_of_days : this.waiting.has(input.dataset.row);
		if (!is_meant) return;
		event.preventDefault();
		event.stopPropagation();
		if (table_of_days) this.after_days(table_of_days, input);
		else this.after_title(table, input, event.key);
	}

	after_title(table, input, key) {
		const row = this.builder.row(input.dataset.row);
		const untouched = this.waiting.get(row.name) === input.value.trim();
		if (untouched || key === "Escape") return this.take_back(table, row);
		if (!input.value.trim()) return;
		this.builder.on_change({ currentTarget: input });
		if (row[TITLES[table]] === input.value.trim()) this.add_after(table, row);
	}

	// As in a spreadsheet: to the days of the next row. After the last task of a milestone comes a new one.
	after_days(table, input) {
		const row = this.builder.row(input.dataset.row);
		this.builder.on_change({ currentTarget: input });
		const rows = table === "stages" ? this.builder.stages : this.builder.tasks_of({ stage_name: row.stage });
		const next = rows[rows.indexOf(row) + 1];
		if (!next) return table === "tasks" && row.title && this.add_after(table, row);
		const days = this.builder.$wrapper.find(`[data-focus="${next.name}-${DAYS[table]}"]`);
		days.trigger("focus").trigger("select");
	}

	// Enter in a row without a name ends the list.
	take_back(table, row) {
		this.waiting.delete(row.name);
		const stage = table === "tasks" && this.builder.stages.find((one) => one.stage_name === row.stage);
		this.builder.drop(table, row);
		this.builder.changed(stage ? `${stage.name}-add_task` : "add_stage");
	}

	add_after(table, row, name = null) {
		const { builder } = this;
		const added = table === "stages" ? builder.new_stage(row, name) : builder.new_task(row.stage, row, name);
		if (name === null) this.waiting.set(added.name, cstr(added[TITLES[table]]));
		builder.changed(`${added.name}-${TITLES[table]}`);
		builder.select_focused();
		return added;
	}

	on_paste(event) {
		const input = event.target;
		const table = this.table_of(input);
		const lines = lines_of(event.clipboardData && event.clipboardData.getData("text"));
		if (!table || lines.length < 2) return;
		event.preventDefault();
		let row = this.builder.row(input.dataset.row);
		const all_selected = input.selectionStart === 0 && input.selectionEnd === input.value.length;
		if (all_selected && (table === "tasks" || this.is_free(lines[0]))) {
			input.value = lines.shift();
			this.builder.on_change({ currentTarget: input });
		}
		lines.forEach((line) => {
			if (table === "tasks" || this.is_free(line)) row = this.add_after(table, row, line);
		});
	}

	is_free(name) {
		return !this.builder.stages.some((stage) => stage.stage_name.toLowerCase() === name.toLowerCase());
	}

	add_values(fieldname) {
		const { values } = this.builder.fields.with_values().find((one) => one.value === fieldname);
		const names = values.map(({ value, label }) => [
			label,
			{ reach_rule: "Field Value", track_field: fieldname, track_value: value },
		]);
		this.add_all(names);
	}

	add_names(text) {
		this.add_all(lines_of(text).map((name) => [name, {}]));
	}

	add_all(names) {
		names.forEach(([name, values]) => {
			const { stages } = this.builder;
			if (!this.is_free(name)) return;
			Object.assign(this.builder.new_stage(stages[stages.length - 1], name), values);
		});
		this.builder.changed("add_stage");
	}

	// A milestone named like a value of the document is most likely reached by it.
	on_named(stage, before) {
		const is_first_name = this.builder.default_names.get(stage.name) === before;
		this.builder.default_names.delete(stage.name);
		this.waiting.delete(stage.name);
		if (!is_first_name || stage.reach_rule === "Field Value") return;
		const reach_values = this.builder.fields.value_named(stage.stage_name);
		if (reach_values) frappe.model.set_value(STAGE, stage.name, reach_values);
	}
}
