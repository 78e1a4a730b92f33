// The builder on the form of a Milestone Workflow. It edits the child rows of the form directly.
import * as criteria from "./criteria";
import { DocumentFields } from "./fields";
import { preview } from "./preview";
import { problem_list } from "./problems";
import { edit } from "./step_dialog";
import * as steps from "./steps";
import { try_steps } from "./try_steps";
import { Quick, stage_defaults, task_defaults } from "./quick";
import * as view from "./view";

const STAGE = "Milestone Workflow Stage";
const TASK = "Milestone Workflow Task";
// Next steps and exit criteria look like tasks.
const TASK_ROW = ".milestone-task-row[data-task]";
// Kinds of owners and assignees without a right to the document.
const OUTSIDE = ["Supplier Contact", "All Supplier Contacts", "Third-Party Collaborator"];
// Fields whose value decides which other inputs are shown.
const REDRAW = [
	"kind",
	"owner_kind",
	"dependency",
	"key_date_rule",
	"reach_rule",
	"track_field",
	"assignee_kind",
	"supplier_field",
];
// Fields with one name per line, chosen by check boxes.
const NAMES = ["predecessors", "after_tasks"];
const NUMBERS = [
	"offset_days",
	"warning_lead_days",
	"check_in_days",
	"remind_after_days",
	"remind_every_days",
	"remind_at_most",
	"due_days_before",
];

// Frappe refuses with a dialog to look up what a user may not even select: for most managers, roles. They read the name that
// is there, and what they write is checked when the workflow is saved.
const link_or_text = (doctype) =>
	frappe.model.can_read(doctype) || frappe.model.can_select(doctype)
		? { fieldtype: "Link", options: doctype }
		: { fieldtype: "Data" };

export class Builder {
	constructor(frm) {
		this.frm = frm;
		this.open = new Set();
		this.problems = { general: [], stages: [], tasks: [], steps: [], completed: {} };
		this.check_soon = frappe.utils.debounce(() => this.check(), 600);
		this.$wrapper = $('<div class="milestone-builder"></div>').appendTo(
			frm.fields_dict.builder.$wrapper.empty()
		);
		this.$wrapper.on("change", "[data-field]", (event) => this.on_change(event));
		this.$wrapper.on("click", "[data-do]", (event) => this.on_click(event));
		// The names that new milestones got here, by row.
		this.default_names = new Map();
		this.quick = new Quick(this);
	}

	get stages() {
		return this.frm.doc.stages || [];
	}

	get tasks() {
		return this.frm.doc.tasks || [];
	}

	tasks_of(stage) {
		return this.tasks.filter((task) => task.stage === stage.stage_name);
	}

	row(name) {
		if (criteria.is_name(name)) return this.criterion(name);
		if (steps.is_name(name)) return steps.find(this.frm, name);
		if (name === this.frm.doc.name) return this.frm.doc;
		return [...this.stages, ...this.tasks].find((row) => row.name === name);
	}

	// An exit criterion with its milestone, found like a row of a table.
	criterion(name) {
		const [stage_name, index] = criteria.place_of(name);
		const stage = this.row(stage_name);
		return { ...criteria.read(stage)[index], name, stage, index };
	}

	refresh() {
		const doctype = this.frm.doc.document_type;
		if (!doctype) {
			this.$wrapper.html(view.choose_doctype());
			return Promise.resolve();
		}
		if (this.fields && this.fields.doctype === doctype) {
			this.draw();
			return Promise.resolve();
		}
		return DocumentFields.load(doctype).then((fields) => {
			if (fields.doctype !== this.frm.doc.document_type) return;
			this.fields = fields;
			fields.on_fetched = () => this.draw();
			this.draw();
		});
	}

	draw(focus = null) {
		const focused =
			focus || (this.$wrapper.find(document.activeElement).length && document.activeElement.dataset.focus);
		const { fields, open, problems, stages } = this;
		this.$wrapper.html(
			view.builder(
				{ stages, open, problems, fields, completion: this.completion(), shown: this.shown_part() },
				(stage, index) =>
					view.card(stage, index, {
						fields,
						open,
						tasks: this.tasks_of(stage),
						problems: problems.stages[index] || [],
						step_problems: (problems.steps || [])[index] || {},
						problems_of: (task) => problems.tasks[this.tasks.indexOf(task)] || [],
						stages,
						workflow: this.frm.doc,
						earlier_tasks: stages.slice(0, index + 1).flatMap((one) => this.tasks_of(one)),
					})
			)
		);
		this.make_links();
		this.make_sortable();
		if (focused) this.$wrapper.find(`[data-focus="${CSS.escape(focused)}"]`).trigger("focus");
	}

	// Asked for only where somebody from outside is asked, or was.
	shown_part() {
		const { doc } = this.frm;
		const asks_outside =
			this.stages.some((stage) => OUTSIDE.includes(stage.owner_kind)) ||
			this.tasks.some((task) => OUTSIDE.includes(task.assignee_kind));
		return asks_outside || doc.shown_fields ? view.shown_part(doc, this.fields.showable()) : "";
	}

	completion() {
		return steps.list(steps.place_of_plan(this.frm), this.fields, this.problems.completed);
	}

	// Frappe asks the server before a link changes, also for the value that is there at first. What is chosen from its list
	// counts at once: the next row takes it over. An answer may come after the cards were drawn again: it is for the control
	// that is shown now.
	make_links() {
		const controls = (this.controls = new Map());
		this.$wrapper.find("[data-link]").each((_index, place) => {
			const { link, field, row: name, label } = place.dataset;
			const row = this.row(name);
			const take = (value) => {
				if (value === control.known) return;
				control.known = value;
				this.set(row, field, value);
				const shown = this.controls.get(place.dataset.key);
				if (shown && shown !== control) {
					shown.known = value;
					shown.set_value(value);
				}
			};
			const control = frappe.ui.form.make_control({
				parent: place,
				df: {
					...link_or_text(link),
					fieldname: field,
					label,
					placeholder: label,
					change: () => take(control.get_value() || ""),
				},
				only_input: true,
				render_input: true,
			});
			control.known = row[field] || "";
			place.dataset.key = `${name}-${field}`;
			controls.set(place.dataset.key, control);
			control.set_value(control.known);
			if (!control.$input) return;
			control.$input.attr("aria-label", label);
			control.$input.on("awesomplete-select", ({ originalEvent }) => {
				const item = control.awesomplete.get_item(originalEvent.text.value);
				if (item && item.value && !item.action) take(item.value);
			});
		});
	}

	make_sortable() {
		const by_grip = { handle: ".milestone-grip", animation: 120 };
		const $cards = this.$wrapper.find(".milestone-cards");
		if (!$cards.length || !window.Sortable) return;
		window.Sortable.create($cards.get(0), {
			...by_grip,
			draggable: ".milestone-card",
			onEnd: () => this.take_order(),
		});
		this.$wrapper.find(".milestone-task-rows").each((_index, list) => {
			window.Sortable.create(list, {
				...by_grip,
				group: "milestone-tasks",
				draggable: TASK_ROW,
				onEnd: () => this.take_order(),
			});
		});
	}

	// Put the rows into the order on the screen.
	take_order() {
		const names = (selector, data) =>
			this.$wrapper
				.find(selector)
				.toArray()
				.map((element) => element.dataset[data]);
		this.$wrapper.find(TASK_ROW).each((_index, element) => {
			const task = this.row(element.dataset.task);
			const stage = this.row($(element).closest(".milestone-card").data("stage"));
			task.stage = stage.stage_name;
		});
		this.reorder("stages", names(".milestone-card", "stage"));
		this.reorder("tasks", names(TASK_ROW, "task"));
		this.changed();
	}

	// Rows that are not on the screen (tasks of no milestone) keep their place at the end.
	reorder(table, names) {
		const rows = this.frm.doc[table] || [];
		const place = (row) => names.indexOf(row.name) + 1 || names.length + 1;
		rows.sort((one, other) => place(one) - place(other) || one.idx - other.idx);
		rows.forEach((row, index) => (row.idx = index + 1));
	}

	changed(focus = null) {
		this.frm.dirty();
		this.frm.refresh_field("stages");
		this.frm.refresh_field("tasks");
		this.draw(focus);
		this.check_soon();
	}

	on_change(event) {
		const input = event.currentTarget;
		if (!input.dataset.row || input.dataset.link || $(input).closest("[data-link]").length) return;
		const row = this.row(input.dataset.row);
		const field = input.dataset.field;
		if (field === "stage_name") return this.rename(row, input);
		if (field === "add_shown_field") return this.show_fields([...this.shown_fields, input.value]);
		if (NAMES.includes(field)) return this.toggle_name(row, field, input);
		if (field === "title") this.rename_in("after_tasks", this.tasks, row.title, input.value.trim());
		if (input.type === "checkbox") return this.set(row, field, input.checked ? 1 : 0);
		this.set(row, field, NUMBERS.includes(field) ? cint(input.value) : input.value.trim());
	}

	set(row, field, value) {
		if (row.stage && criteria.is_name(row.name)) return this.set_criterion(row, field, value);
		frappe.model.set_value(row.doctype, row.name, field, value);
		if (field === "track_field") frappe.model.set_value(row.doctype, row.name, "track_value", "");
		const counts_from_none = field === "dependency" && value === "Nothing";
		if (counts_from_none && row.key_date_rule === "After Previous Milestone") {
			frappe.model.set_value(row.doctype, row.name, "key_date_rule", "After Creation");
		}
		if (field === "kind" && value === "Acceptance" && this.tasks_of(row).length) this.ask_about_tasks(row);
		if (REDRAW.includes(field)) this.draw();
		this.check_soon();
	}

	get shown_fields() {
		return view.lines(this.frm.doc, "shown_fields");
	}

	show_fields(names) {
		const { doc } = this.frm;
		frappe.model.set_value(doc.doctype, doc.name, "shown_fields", names.join("\n"));
		this.draw(`${doc.name}-add_shown_field`);
		this.check_soon();
	}

	do_hide_field(_doc, { name }) {
		this.show_fields(this.shown_fields.filter((one) => one !== name));
	}

	toggle_name(row, field, input) {
		const { name } = input.dataset;
		const names = view.lines(row, field).filter((one) => one !== name);
		this.set(row, field, [...names, ...(input.checked ? [name] : [])].join("\n"));
	}

	// Rows that name another one follow when it is renamed.
	rename_in(field, rows, from, to) {
		rows.forEach((row) => {
			const names = view.lines(row, field);
			if (!from || !to || !names.includes(from)) return;
			const renamed = names.map((one) => (one === from ? to : one)).join("\n");
			frappe.model.set_value(row.doctype, row.name, field, renamed);
		});
	}

	set_criterion({ stage, index }, field, value) {
		const rows = criteria.read(stage);
		const one = rows[index];
		if (field === "insert_field") one.condition = `${one.condition || ""} doc.${value}`.trim();
		else one[field] = value;
		if (field === "doctype") one.link_field = "";
		this.write_criteria(stage, rows);
		if (["kind", "doctype", "insert_field"].includes(field)) this.draw();
	}

	write_criteria(stage, rows) {
		frappe.model.set_value(STAGE, stage.name, "exit_criteria", rows.length ? JSON.stringify(rows) : "");
		this.check_soon();
	}

	do_add_criterion(stage) {
		const rows = [...criteria.read(stage), { kind: "Field Is Set", required: 1 }];
		this.write_criteria(stage, rows);
		this.draw(`${criteria.name_of(stage, rows.length - 1)}-kind`);
	}

	do_remove_criterion({ stage, index }) {
		this.write_criteria(
			stage,
			criteria.read(stage).filter((_one, place) => place !== index)
		);
		this.draw(`${stage.name}-add_criterion`);
	}

	do_add_step({ place }) {
		const on_done = (step) => this.write_steps(place, [...steps.read(place), step], -1, "add_step");
		edit({ place, fields: this.fields, on_done });
	}

	do_edit_step({ place, index }) {
		const list = steps.read(place);
		const on_done = (step) => {
			list[index] = step;
			this.write_steps(place, list, index, "edit_step");
		};
		edit({ step: list[index], place, fields: this.fields, on_done });
	}

	do_remove_step({ place, index }) {
		const list = steps.read(place).filter((_step, number) => number !== index);
		this.write_steps(place, list, -1, "add_step");
	}

	do_step_up({ place, index }) {
		this.move_step(place, index, -1, "step_up");
	}

	do_step_down({ place, index }) {
		this.move_step(place, index, 1, "step_down");
	}

	move_step(place, index, by, focus) {
		const list = steps.read(place);
		const [step] = list.splice(index, 1);
		list.splice(index + by, 0, step);
		this.write_steps(place, list, index + by, focus);
	}

	write_steps(place, list, index, focus) {
		steps.write(place, list);
		this.draw(`${steps.name_of(place, index)}-${focus}`);
		this.check_soon();
	}

	do_try_steps() {
		try_steps(this.frm, this.fields);
	}

	ask_about_tasks(stage) {
		frappe.confirm(
			__("An acceptance milestone cannot have tasks. Remove its {0} tasks?", [this.tasks_of(stage).length]),
			() => {
				this.tasks_of(stage).forEach((task) => this.drop("tasks", task));
				this.changed();
			},
			() => this.set(stage, "kind", "Standard")
		);
	}

	// Tasks and later milestones refer to a milestone by name.
	rename(stage, input) {
		const name = input.value.trim();
		const taken = this.stages.some(
			(other) => other !== stage && other.stage_name.toLowerCase() === name.toLowerCase()
		);
		if (!name || taken) {
			input.value = stage.stage_name;
			frappe.show_alert({
				message: taken ? __("Another milestone already has this name.") : __("A milestone needs a name."),
				indicator: "orange",
			});
			return;
		}
		this.tasks_of(stage).forEach((task) => frappe.model.set_value(TASK, task.name, "stage", name));
		this.rename_in("predecessors", this.stages, stage.stage_name, name);
		const before = stage.stage_name;
		frappe.model.set_value(STAGE, stage.name, "stage_name", name);
		if (name !== before) this.quick.on_named(stage, before);
		// Other cards show the name.
		this.draw();
		this.check_soon();
	}

	on_click(event) {
		const { do: action, row } = event.currentTarget.dataset;
		event.preventDefault();
		this[`do_${action}`](row && (this.row(row) || row), event.currentTarget.dataset);
	}

	new_name() {
		const names = this.stages.map((stage) => stage.stage_name);
		let number = this.stages.length + 1;
		while (names.includes(__("Milestone {0}", [number]))) number++;
		return __("Milestone {0}", [number]);
	}

	do_add_stage() {
		const { stages } = this;
		const stage = this.new_stage(stages[stages.length - 1]);
		this.open.clear();
		this.open.add(stage.name);
		this.changed(`${stage.name}-stage_name`);
		this.select_focused();
	}

	do_add_values(fieldname) {
		this.quick.add_values(fieldname);
	}

	do_add_names() {
		this.quick.add_names(this.$wrapper.find("[data-names]").val());
	}

	// A new milestone after another one, or the first; without a name it gets one to be typed over.
	new_stage(after, name = null) {
		const default_name = this.new_name();
		const stage = this.frm.add_child("stages", {
			...stage_defaults(after),
			...(name && this.fields.value_named(name)),
			stage_name: name || default_name,
		});
		if (!name) this.default_names.set(stage.name, default_name);
		const names = this.stages.map((one) => one.name).filter((one) => one !== stage.name);
		names.splice(after ? names.indexOf(after.name) + 1 : 0, 0, stage.name);
		this.reorder("stages", names);
		return stage;
	}

	new_task(stage_name, after = null, title = "") {
		const task = this.frm.add_child("tasks", { ...task_defaults(this.tasks), stage: stage_name, title });
		const ordered = this.stages.flatMap((one) => this.tasks_of(one)).map((one) => one.name);
		const names = ordered.filter((one) => one !== task.name);
		if (after) names.splice(names.indexOf(after.name) + 1, 0, task.name);
		this.reorder("tasks", after ? names : ordered);
		return task;
	}

	select_focused() {
		this.$wrapper.find(document.activeElement).trigger("select");
	}

	do_remove_stage(stage) {
		const tasks = this.tasks_of(stage);
		const remove = () => {
			tasks.forEach((task) => this.drop("tasks", task));
			this.drop("stages", stage);
			this.changed("add_stage");
		};
		if (!tasks.length) return remove();
		const name = frappe.utils.escape_html(stage.stage_name);
		frappe.confirm(__("Remove {0} and its {1} tasks?", [name, tasks.length]), remove);
	}

	do_stage_up(stage) {
		this.move(stage, -1, "stage_up");
	}

	do_stage_down(stage) {
		this.move(stage, 1, "stage_down");
	}

	move(stage, by, focus) {
		const { stages } = this;
		const from = stages.indexOf(stage);
		stages.splice(from, 1);
		stages.splice(from + by, 0, stage);
		stages.forEach((row, index) => (row.idx = index + 1));
		const order = stages.flatMap((one) => this.tasks_of(one)).map((task) => task.name);
		this.reorder("tasks", order);
		this.changed(`${stage.name}-${focus}`);
	}

	do_add_task(stage) {
		const task = this.new_task(stage.stage_name);
		this.changed(`${task.name}-title`);
	}

	do_remove_task(task) {
		const stage = this.stages.find((one) => one.stage_name === task.stage);
		this.drop("tasks", task);
		this.changed(`${stage.name}-add_task`);
	}

	do_toggle(row) {
		if (this.open.has(row.name)) this.open.delete(row.name);
		else this.open.add(row.name);
		this.draw(`${row.name}-toggle`);
	}

	do_toggle_all() {
		if (this.open.size) this.open.clear();
		else this.stages.forEach((stage) => this.open.add(stage.name));
		this.draw();
	}

	do_preview() {
		preview(this.frm);
	}

	drop(table, row) {
		const rows = this.frm.doc[table];
		rows.splice(rows.indexOf(row), 1);
		frappe.model.clear_doc(row.doctype, row.name);
		rows.forEach((one, index) => (one.idx = index + 1));
	}

	// Check with the server's rules before the workflow is saved.
	check() {
		const { frm } = this;
		if (!frm.doc.document_type) return;
		return frappe.xcall("milestone_automation.api.check_workflow", { workflow: frm.doc }).then((problems) => {
			const before = JSON.stringify(this.problems);
			this.problems = problems;
			if (JSON.stringify(problems) !== before) this.mark();
		});
	}

	// Mark problems without drawing again, which would interrupt somebody who is typing.
	mark() {
		const show = ($place, problems) => {
			$place.toggleClass("has-problems", !!problems.length).children(".milestone-problems").remove();
			return problem_list(problems);
		};
		this.$wrapper.children(".milestone-problems").remove();
		this.$wrapper.prepend(problem_list(this.problems.general));
		this.stages.forEach((stage, index) => {
			const $card = this.$wrapper.find(`.milestone-card[data-stage="${stage.name}"]`);
			$(show($card, this.problems.stages[index] || [])).insertAfter($card.children(".milestone-card-head"));
		});
		this.mark_steps();
		this.tasks.forEach((task, index) => {
			const $row = this.$wrapper.find(`.milestone-task-row[data-task="${task.name}"]`);
			$(show($row, this.problems.tasks[index] || [])).insertAfter($row.children(".milestone-task-line"));
		});
	}

	mark_steps() {
		const of_stages = this.stages.map((stage, index) => [stage.name, (this.problems.steps || [])[index]]);
		[...of_stages, [steps.COMPLETED, this.problems.completed]].forEach(([owner, problems]) =>
			this.$wrapper.find(`[data-step^="${steps.start_of(owner)}"]`).each((index, element) => {
				const step_problems = (problems || {})[index + 1] || [];
				$(element)
					.toggleClass("has-problems", !!step_problems.length)
					.children(".milestone-problems")
					.remove();
				$(element).append(problem_list(step_problems));
			})
		);
	}
}
