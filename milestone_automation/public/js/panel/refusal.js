// The refusal of the gate as a dialog: what blocks is done or waived there, then what was refused is tried again.
import { learn_plan, open_panels } from "./panel";
import { esc, icon, own } from "./words";

let count = 0;

// gate: `milestone_gate` of the answer. again: { label, run, replaces } of what was refused, none where it cannot be repeated.
export function show_refusal(gate, again) {
	const refusal = new Refusal(gate, again);
	const before = again && again.replaces;
	if (!before || !before.is_visible) return refusal.show();
	// Two dialogs that fade into each other leave the page without its scroll bar.
	before.$wrapper.one("hidden.bs.modal", () => refusal.show());
	before.hide();
}

const task_row = (task) => ({
	key: task.name || task.task,
	is_task: true,
	title: task.title,
	stage_name: task.stage_name,
	assignees: task.assignees,
	actions: task.actions,
});

const criterion_row = (criterion) => ({ ...criterion, title: criterion.text });

class Refusal {
	constructor(gate, again) {
		Object.assign(this, { gate, again, earlier: gate.earlier, waives: null });
		this.uid = `milestone-refusal-${++count}`;
		this.rows = [...gate.tasks.map(task_row), ...gate.criteria.map(criterion_row)];
		this.more_tasks = gate.count - gate.tasks.length;
		this.more_criteria = gate.criteria_count - gate.criteria.length;
	}

	show() {
		const { again } = this;
		this.dialog = new frappe.ui.Dialog({
			title: __("Milestone Blocked"),
			animate: false,
			...(again && { primary_action_label: again.label, primary_action: () => this.repeat() }),
			secondary_action_label: __("Close"),
			secondary_action: () => this.dialog.hide(),
		});
		this.$body = $('<div class="milestone-refusal"></div>').appendTo(this.dialog.$body);
		// What a screen reader says stays where it is: it says only what changes in it.
		this.$said = $('<p class="sr-only" role="status"></p>').appendTo(this.dialog.$body);
		this.$body.on("click", "[data-do]", ({ currentTarget }) => this.act(currentTarget.dataset));
		this.dialog.$wrapper.one("shown.bs.modal", () => this.focus());
		this.dialog.$wrapper.one("hidden.bs.modal", () => this.dialog.$wrapper.remove());
		this.render();
		this.dialog.show();
	}

	// Open rows that are shown, and what is not shown or cannot be resolved here.
	blocking() {
		const open = this.rows.filter((row) => !row.closed);
		return open.length + this.more_tasks + this.more_criteria + this.earlier.length;
	}

	render() {
		const free = !this.blocking();
		this.$body.html(this.html());
		this.dialog.get_primary_btn().prop("disabled", !free).toggleClass("disabled", !free);
	}

	html() {
		const { gate, earlier, rows } = this;
		const unnamed = this.more_tasks + this.more_criteria;
		const link = frappe.utils.get_form_link(gate.doctype, gate.name);
		const about = `<a href="${link}">${own(`${__(gate.doctype)} ${gate.name}`)}</a>`;
		const stage = `<b>${own(gate.stage)}</b>`;
		const lead = this.blocking()
			? __("{0} of {1} cannot be reached yet.", [stage, about])
			: __("Nothing blocks {0} of {1} any more.", [stage, about]);
		const names = earlier.map(own).join(", ");
		const order = names ? `<p>${__("Milestones are reached in order. First comes: {0}.", [names])}</p>` : "";
		const more = unnamed > 0 ? `<p class="milestone-muted">${__("and {0} more", [unnamed])}</p>` : "";
		const list = rows.map((row, index) => this.row_html(row, index)).join("");
		const advice = this.blocking() ? `<p class="milestone-muted">${esc(gate.advice)}</p>` : "";
		return `<p>${lead}</p>${order}<ul class="milestone-tasks">${list}</ul>${more}${advice}`;
	}

	row_html(row, index) {
		const waives = this.waives === row;
		return `
			<li class="milestone-task milestone-refusal-row ${row.closed ? "is-closed" : ""}">
				<div class="milestone-task-text">
					${title(row)}
					<div class="milestone-muted">${this.note(row)}</div>
				</div>
				${row.closed || waives ? "" : this.buttons(row, index)}
				${waives ? this.reason_html(row, index) : ""}
			</li>`;
	}

	note(row) {
		if (row.closed) return `${icon("check")} ${row.closed}`;
		const names = (row.assignees || []).map(own).join(", ");
		const who = row.is_task ? names || __("nobody is assigned") : __("Exit Criterion");
		const other = row.stage_name && row.stage_name !== this.gate.stage;
		return [who, other ? own(row.stage_name) : ""].filter(Boolean).join(" · ");
	}

	buttons(row, index) {
		const button = (action, text, label) => `
			<button type="button" class="btn btn-xs btn-default" data-do="${action}" data-index="${index}"
				aria-label="${esc(label)}" ${this.busy ? "disabled" : ""}>${text}</button>`;
		const buttons = [];
		if (row.actions.includes("complete")) {
			buttons.push(button("complete", `${icon("check")} ${__("Done")}`, __("Complete {0}", [row.title])));
		}
		if (row.actions.some((action) => action.startsWith("waive"))) {
			buttons.push(button("waive", __("Waive…"), __("Waive {0}", [row.title])));
		}
		return buttons.length ? `<div class="milestone-refusal-actions">${buttons.join("")}</div>` : "";
	}

	reason_html(row, index) {
		const id = `${this.uid}-reason`;
		return `
			<div class="milestone-refusal-reason">
				<label for="${id}">${__("Reason for waiving {0}", [esc(row.title)])}</label>
				<textarea id="${id}" class="form-control" rows="2" required></textarea>
				<button type="button" class="btn btn-xs btn-default" data-do="send_waiver"
					data-index="${index}">${__("Waive")}</button>
				<button type="button" class="btn btn-xs milestone-quiet" data-do="keep"
					data-index="${index}">${__("Cancel")}</button>
			</div>`;
	}

	act({ do: action, index }) {
		if (!this.busy) this[action](this.rows[index]);
	}

	complete(row) {
		return this.send(row, "complete_task", { task: row.key }, __("Completed"));
	}

	waive(row) {
		this.waives = row;
		this.render();
		this.$body.find("textarea").trigger("focus");
	}

	keep(row) {
		this.waives = null;
		this.render();
		this.focus(row);
	}

	send_waiver(row) {
		const $reason = this.$body.find("textarea");
		const reason = cstr($reason.val()).trim();
		if (!reason) return $reason.attr("aria-invalid", "true").trigger("focus");
		const { plan } = this.gate;
		return row.is_task
			? this.send(row, "waive_task", { task: row.key, reason }, __("Waived"))
			: this.send(
					row,
					"waive_criterion",
					{ plan, stage: row.stage_name, criterion: row.key, reason },
					__("Waived")
			  );
	}

	// What stands afterwards says the server: of several assignees who must all complete a task, others may be left.
	send(row, method, args, closed) {
		this.busy = true;
		this.$body.find("button").prop("disabled", true);
		return frappe
			.xcall(`milestone_automation.api.${method}`, args)
			.then((payload) => {
				this.waives = null;
				this.take(payload, row, closed);
				learn_plan(payload, this.gate);
				this.say(row);
			})
			.catch(() => {})
			.finally(() => {
				this.busy = false;
				this.render_keeping_reason();
				this.focus(row);
			});
	}

	// A refused waiver keeps the reason that was written for it.
	render_keeping_reason() {
		const reason = this.$body.find("textarea").val();
		this.render();
		if (reason) this.$body.find("textarea").val(reason);
	}

	take(payload, row, closed) {
		const stage = (payload.stages || []).find((one) => one.stage_name === this.gate.stage);
		if (!stage) {
			row.closed = closed;
			return;
		}
		const open = new Map(stage.blocked_by.map(task_row).map((one) => [one.key, one]));
		const listed = stage.blocking_tasks <= open.size;
		for (const one of this.rows.filter((other) => other.is_task)) {
			const now = open.get(one.key);
			open.delete(one.key);
			if (now) Object.assign(one, now);
			else if (one === row) one.closed = closed;
			else if (listed) one.closed = one.closed || __("Completed");
		}
		// Of more tasks than one list has, the next ones come up.
		this.rows.push(...open.values());
		this.more_tasks = Math.max(
			0,
			stage.blocking_tasks - this.rows.filter((one) => one.is_task && !one.closed).length
		);
		this.earlier = this.earlier.filter((name) => stage.comes_after.includes(name));
		this.take_criteria(payload);
	}

	take_criteria({ stages }) {
		for (const row of this.rows.filter((one) => !one.is_task && !one.closed)) {
			const stage = stages.find((one) => one.stage_name === row.stage_name);
			const now = stage && stage.criteria.find((one) => one.key === row.key);
			if (now && now.state === "Waived") row.closed = __("Waived");
			if (now && now.state === "Met") row.closed = __("Met");
		}
		const about = stages.find((one) => one.stage_name === this.gate.stage);
		const is_known = (other) =>
			this.rows.some((one) => !one.is_task && one.key === other.key && one.stage_name === other.stage_name);
		// Of more criteria than one list has, the next ones come up.
		this.rows.push(...(about.blocked_by_criteria || []).filter((one) => !is_known(one)).map(criterion_row));
		const open = this.rows.filter((one) => !one.is_task && !one.closed);
		this.more_criteria = Math.max(0, about.blocking_criteria - open.length);
	}

	say(row) {
		const what = row.closed ? `${row.title}: ${row.closed}.` : this.waits_for(row);
		const free = this.blocking() ? "" : __("Nothing blocks this milestone any more.");
		this.$said.text(`${what} ${free}`);
		if (!row.closed) frappe.show_alert({ message: esc(what), indicator: "blue" });
	}

	waits_for({ title, assignees }) {
		return __("{0} still waits for {1}.", [title, (assignees || []).join(", ")]);
	}

	// The next thing to do: of the same row, else of the first open one, else what was refused.
	focus(row) {
		const row_button = row && this.$body.find(`[data-index="${this.rows.indexOf(row)}"]`).get(0);
		const $primary = this.dialog.get_primary_btn().filter(":visible:not([disabled])");
		const next = row_button || $primary.get(0) || this.$body.find("[data-do]").get(0);
		(next || this.dialog.get_secondary_btn().get(0)).focus();
	}

	repeat() {
		if (this.blocking()) return;
		this.dialog.$wrapper.one("hidden.bs.modal", () => this.again.run());
		this.dialog.hide();
	}
}

function title(row) {
	if (!row.is_task) return `<b>${esc(row.title)}</b>`;
	return `<a href="${frappe.utils.get_form_link("Milestone Task", row.key)}">${esc(row.title)}</a>`;
}

// Confirm Milestone, refused: its dialog gives way, and the day that was given there is kept.
export function confirm_again(args) {
	const panel = open_panels().find(({ data, dialog }) => {
		const is_asking = dialog && dialog.is_visible;
		return is_asking && data && data.plan && data.plan.name === args.plan;
	});
	if (!panel) return null;
	const confirm = panel.again || (() => panel.ask_and_reload("confirm_stage", args));
	const run = () => confirm().catch(() => {});
	return { label: __("Confirm Again"), replaces: panel.dialog, run };
}
