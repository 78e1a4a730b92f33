// Many documents of a workflow: rows are documents, columns milestones; dates are edited in place and shifted together.
import * as dialogs from "../panel/dialogs";
import { Filters } from "./filters";
import { Selection, moved, range } from "./selection";
import { refusals, shift } from "./shift";
import { bar, foot, message, table } from "./view";

const PAGE = 100;

export class Grid {
	constructor(page) {
		this.page = page;
		this.selection = new Selection();
		this.$body = $('<div class="milestone-panel milestone-sheet"></div>').appendTo(page.main);
		this.$bar = $(`<div class="milestone-sheet-bar" role="toolbar"></div>`).appendTo(this.$body);
		this.$bar.attr("aria-label", __("Selected milestones"));
		this.$announce = $('<div class="sr-only" aria-live="polite"></div>').appendTo(this.$body);
		this.$place = $("<div></div>").appendTo(this.$body);
		this.$foot = $('<div class="milestone-sheet-foot"></div>').appendTo(this.$body);
		this.listen();
	}

	listen() {
		this.$body.on("click", "[data-action]", (event) => this[`do_${event.currentTarget.dataset.action}`]());
		this.$place.on("click", "[data-at]", (event) => this.on_click(event));
		this.$place.on("dblclick", "td[data-at]", (event) => this.edit(position(event.currentTarget)));
		this.$place.on("keydown", "[data-at]", (event) => this.on_key(event));
		// A range is selected, not its text.
		this.$place.on("mousedown", "td[data-at]", (event) => event.shiftKey && event.preventDefault());
	}

	start() {
		this.page.set_secondary_action(__("Refresh"), () => this.load(), "refresh");
		this.page.add_menu_item(__("Export to Excel"), () => this.export("xlsx"));
		this.page.add_menu_item(__("Export to CSV"), () => this.export("csv"));
		return this.ask("workflows_with_plans")
			.then((workflows) => {
				this.filters = this.filters || new Filters(this.page, workflows, () => this.load());
				return this.filters.start();
			})
			.then(() => this.load())
			.catch(() => this.show_error("start"));
	}

	// The page is opened again, perhaps from a workflow.
	show_again() {
		if (this.filters && this.filters.is_ready) this.filters.take_route() ? null : this.load();
	}

	ask(method, args, type = "POST") {
		return new Promise((resolve, reject) =>
			frappe.call({
				method: `milestone_automation.api.${method}`,
				type,
				args,
				silent: true,
				callback: ({ message }) => resolve(message),
				error: reject,
			})
		);
	}

	// Loading and showing

	load() {
		const view = this.filters.values();
		if (!view.workflow) return this.show_nothing();
		// Of two answers the later question's counts, also where both ask the same.
		const asked = (this.asked = (this.asked || 0) + 1);
		this.$body.attr("aria-busy", "true");
		const limit = Math.max(PAGE, Math.min(500, this.data ? this.data.rows.length : 0));
		return this.ask("get_grid", { ...view, limit })
			.then((data) => {
				if (this.asked !== asked) return;
				this.data = data;
				this.selection.refresh((stage) => this.find(stage));
				this.show();
			})
			.catch(() => this.asked === asked && this.show_error("load"))
			.finally(() => this.$body.removeAttr("aria-busy"));
	}

	do_load() {
		return this.load();
	}

	do_start() {
		return this.start();
	}

	do_more() {
		const { data } = this;
		return this.ask("get_grid", { ...this.filters.values(), start: data.rows.length, limit: PAGE })
			.then((next) => {
				if (this.data !== data) return;
				this.data = joined(data, next);
				this.show();
			})
			.catch(() => frappe.show_alert({ message: __("The grid could not be loaded."), indicator: "red" }));
	}

	// Rows of some documents as they are now; all others stay as they were read.
	load_rows(plans) {
		const { data } = this;
		const { workflow } = this.filters.values();
		return this.ask("get_grid", { workflow, filters: [["name", "in", plans]], limit: 500 })
			.then((fresh) => {
				if (this.data !== data) return;
				const known = joined(data, fresh);
				const rows = new Map(known.rows.slice(data.rows.length).map((row) => [row.plan, row]));
				known.rows = known.rows.slice(0, data.rows.length).map((row) => rows.get(row.plan) || row);
				this.data = { ...known, total: data.total };
				this.selection.refresh((stage) => this.find(stage));
				this.show();
			})
			.catch(() => this.show_error("load"));
	}

	show() {
		const { data, selection } = this;
		if (!data.rows.length) return this.show_nothing();
		const $scroll = this.$place.find(".milestone-sheet-scroll");
		const place = [$scroll.scrollLeft() || 0, $scroll.scrollTop() || 0];
		const had_focus = this.$place.get(0).contains(document.activeElement);
		this.$place.html(table(data, selection));
		this.$place.find(".milestone-sheet-scroll").scrollLeft(place[0]).scrollTop(place[1]);
		this.$foot.html(foot(data));
		selection.at = [
			Math.min(selection.at[0], data.rows.length),
			Math.min(selection.at[1], data.columns.length),
		];
		this.node(selection.at).setAttribute("tabindex", "0");
		if (had_focus) this.node(selection.at).focus({ preventScroll: true });
		this.show_selection();
	}

	show_selection() {
		const { selection } = this;
		this.$place.find('[aria-selected="true"]').attr("aria-selected", "false");
		this.data.rows.forEach((row, index) =>
			row.cells.forEach((cell, column) => {
				if (cell && selection.chosen.has(cell.stage)) {
					this.node([index + 1, column + 1]).setAttribute("aria-selected", "true");
				}
			})
		);
		this.$bar.html(bar(selection.chosen.size));
	}

	show_nothing() {
		this.data = null;
		this.selection.clear();
		this.$bar.empty();
		this.$foot.empty();
		if (this.filters.is_filtered()) {
			this.$place.html(
				message(__("No document matches these filters."), "clear_filters", __("Clear Filters"))
			);
		} else if (frappe.model.can_read("Milestone Workflow")) {
			const text = __(
				"No plan is running. Enable a workflow, then start plans for its existing documents: the grid shows them here."
			);
			this.$place.html(message(text, "open_workflows", __("Open Workflows")));
		} else {
			this.$place.html(message(__("No plan is running that you may see.")));
		}
	}

	show_error(again) {
		this.data = null;
		this.$bar.empty();
		this.$foot.empty();
		this.$place.html(message(__("The grid could not be loaded."), again, __("Try Again")));
	}

	do_clear_filters() {
		this.filters.clear();
	}

	do_open_workflows() {
		frappe.set_route("List", "Milestone Workflow");
	}

	// Cells

	node(at) {
		return this.$place.find(`[data-at="${at[0]}:${at[1]}"]`).get(0);
	}

	cell([row, column]) {
		const plan_row = this.data.rows[row - 1];
		return plan_row && column > 0 ? plan_row.cells[column - 1] : null;
	}

	// What a selection keeps of a cell; nothing of one that may not be moved.
	choice(at) {
		const cell = this.cell(at);
		if (!cell || !cell.may) return null;
		return { plan: this.data.rows[at[0] - 1].plan, stage: cell.stage, key_date: cell.key_date || null };
	}

	find(stage) {
		for (const [row, { cells }] of this.data.rows.entries()) {
			const column = cells.findIndex((cell) => cell && cell.stage === stage);
			if (column >= 0) return this.choice([row + 1, column + 1]);
		}
		return null;
	}

	choices(places) {
		return places.map((at) => this.choice(at)).filter(Boolean);
	}

	// Mouse and keyboard

	on_click(event) {
		const at = position(event.currentTarget);
		this.focus(at);
		if (at[1] === 0) return;
		if (at[0] === 0) return this.select_column(at[1]);
		const touch = event.originalEvent.pointerType === "touch";
		if (event.shiftKey) this.select_range(at);
		else this.select(at, event.ctrlKey || event.metaKey || touch);
	}

	on_key(event) {
		const at = position(event.currentTarget);
		const { rows, columns } = this.data;
		const to = moved(at, event, rows.length, columns.length);
		if (to) {
			this.focus(to);
			if (event.shiftKey && to[0] && to[1]) {
				this.selection.anchor = this.selection.anchor || at;
				this.select_range(to);
			}
		} else if (!this.act_on_key(event, at)) {
			return;
		}
		event.preventDefault();
		// Escape would also take the focus from the grid.
		event.stopPropagation();
	}

	// Returns whether the key means something here; Enter on a link or a head is the browser's.
	act_on_key(event, at) {
		const in_cell = at[0] > 0 && at[1] > 0;
		if (event.key === "Escape") this.do_clear();
		else if (in_cell && ["Enter", "F2"].includes(event.key)) this.edit(at);
		else if (in_cell && event.key === " ") this.select(at, true);
		else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) this.select_all();
		else return false;
		return true;
	}

	focus(at) {
		const before = this.node(this.selection.at);
		if (before) before.setAttribute("tabindex", "-1");
		this.selection.at = at;
		const node = this.node(at);
		node.setAttribute("tabindex", "0");
		node.focus({ preventScroll: true });
		this.scroll_to(node);
	}

	// The head and the first column lie above what scrolls below them.
	scroll_to(node) {
		const scroll = this.$place.find(".milestone-sheet-scroll").get(0);
		const cell = (node.closest("td, th") || node).getBoundingClientRect();
		const frame = scroll.getBoundingClientRect();
		const name = scroll.querySelector("thead .milestone-sheet-name").getBoundingClientRect();
		if (cell.top < name.bottom && !node.closest("thead")) scroll.scrollTop -= name.bottom - cell.top;
		if (cell.bottom > frame.bottom) scroll.scrollTop += cell.bottom - frame.bottom + 12;
		if (node.closest(".milestone-sheet-name")) return;
		const rtl = frappe.utils.is_rtl();
		const left = rtl ? frame.left : name.right;
		const right = rtl ? name.left : frame.right;
		if (cell.left < left) scroll.scrollLeft -= left - cell.left;
		else if (cell.right > right) scroll.scrollLeft += cell.right - right;
	}

	select(at, keep) {
		const choice = this.choice(at);
		this.selection.anchor = at;
		if (choice && keep) this.selection.toggle(choice);
		else if (!keep) this.selection.choose(choice ? [choice] : []);
		this.after_selecting();
	}

	select_range(to) {
		this.selection.anchor = this.selection.anchor || to;
		this.selection.choose(this.choices(range(this.selection.anchor, to)));
		this.after_selecting();
	}

	select_column(column) {
		const places = this.data.rows.map((_row, index) => [index + 1, column]);
		this.selection.choose(this.choices(places));
		this.after_selecting();
	}

	select_all() {
		const { rows, columns } = this.data;
		this.selection.choose(this.choices(range([1, 1], [rows.length, columns.length])));
		this.after_selecting();
	}

	after_selecting() {
		this.show_selection();
		const count = this.selection.chosen.size;
		this.$announce.text(count === 1 ? __("1 milestone selected") : __("{0} milestones selected", [count]));
	}

	do_clear() {
		this.selection.clear();
		this.show_selection();
	}

	// Changing dates

	do_edit() {
		const [cell] = this.selection.cells();
		const row = this.data.rows.findIndex(({ plan }) => plan === cell.plan);
		const column = this.data.rows[row].cells.findIndex((one) => one && one.stage === cell.stage);
		this.edit([row + 1, column + 1]);
	}

	edit(at) {
		const row = this.data.rows[at[0] - 1];
		const cell = this.cell(at);
		if (!cell || !cell.may) return this.refuse_edit(cell);
		const stage = {
			name: cell.stage,
			stage_name: this.data.columns[at[1] - 1],
			key_date: cell.key_date,
		};
		const plan = { name: row.plan, later_stages: row.later_stages };
		const about = { plan: row.plan, stage: cell.stage };
		const then = (method) => (values) =>
			frappe
				.xcall(`milestone_automation.api.${method}`, { ...about, ...values })
				.then(() => this.load_rows([row.plan]));
		if (row.proposes) dialogs.propose_date(stage, this.data.today, then("propose_date"));
		else dialogs.reschedule(stage, plan, then("reschedule_stage"));
	}

	refuse_edit(cell) {
		const text =
			cell && cell.reached_on
				? __("This milestone is reached, so its date cannot be changed.")
				: __("Only the owner of a milestone or a Milestone Manager may move it.");
		if (cell) frappe.show_alert({ message: text, indicator: "orange" });
	}

	do_shift() {
		const cells = this.selection.cells();
		const plans = new Set(cells.map(({ plan }) => plan));
		const modes = new Set(
			this.data.rows.filter(({ plan }) => plans.has(plan)).map((row) => row.later_stages)
		);
		const preset = modes.size === 1 ? [...modes][0] : "Shift Too";
		shift(cells, preset, (values) =>
			frappe
				.xcall("milestone_automation.api.shift_stages", { cells, ...values })
				.then((answer) => this.after_shift(answer))
		);
	}

	after_shift({ moved: plans, refused }) {
		const count = plans.length;
		if (count) {
			const text = count === 1 ? __("1 document was shifted.") : __("{0} documents were shifted.", [count]);
			frappe.show_alert({ message: text, indicator: "green" });
			this.$announce.text(text);
		}
		if (refused.length) {
			frappe.msgprint({ title: __("Not Shifted"), indicator: "orange", message: refusals(refused) });
		}
		return count ? this.load_rows(plans) : null;
	}

	export(file_format) {
		const view = this.filters && this.filters.values();
		if (!view || !view.workflow) return;
		frappe
			.xcall("milestone_automation.api.export_grid", { ...view, file_format })
			.then(({ file_name, content }) => save(file_name, content));
	}
}

const position = (node) => node.dataset.at.split(":").map(Number);

// Rows of a later page below those that are there; milestones that only they have come last.
function joined(data, next) {
	const columns = [...data.columns, ...next.columns.filter((name) => !data.columns.includes(name))];
	const at = (row, known) => columns.map((name) => row.cells[known.indexOf(name)] || null);
	const rows = [
		...data.rows.map((row) => ({ ...row, cells: at(row, data.columns) })),
		...next.rows.map((row) => ({ ...row, cells: at(row, next.columns) })),
	];
	return { ...next, columns, rows };
}

function save(file_name, content) {
	const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
	const url = URL.createObjectURL(new Blob([bytes]));
	const link = Object.assign(document.createElement("a"), { href: url, download: file_name });
	document.body.append(link);
	link.click();
	link.remove();
	URL.revokeObjectURL(url);
}
