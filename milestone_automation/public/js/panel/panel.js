// The panel on a document: loads and shows the plan, and calls the API for the user's actions.
import * as dialogs from "./dialogs";
import { is_open, remember, reserved_height } from "./place";
import { esc, learn_names } from "./words";
import {
	current_stage,
	panel as panel_html,
	reached_early_or_late,
	failed,
	other_plan,
	skipped_stages,
	start_banner,
} from "./view";

const FRESH_FOR = 3000;
const UNDO_SECONDS = 10;
// So long after a failed load it is tried once more by itself.
const RETRY_AFTER = 2000;
const panels = new Map();
let count = 0;

export function call(method, args) {
	return frappe.xcall(`milestone_automation.api.${method}`, args);
}

export class Panel {
	constructor(wrapper) {
		this.uid = `milestone-panel-${++count}`;
		this.$wrapper = $(wrapper);
		this.$wrapper.on("click", "[data-action]", (event) => this.on_click(event));
		this.$wrapper.on("change", "input[data-action=tick]", (event) => this.on_tick(event));
	}

	// A form is refreshed several times in a row; only one refresh calls the server.
	show(doctype, name, version, frm = null) {
		const same = this.doctype === doctype && this.name === name;
		const key = `${name}:${version}`;
		this.frm = frm;
		if (same && this.key === key && (this.loading || Date.now() - this.loaded_at < FRESH_FOR)) return;
		Object.assign(this, { doctype, name, key });
		if (!same) this.forget();
		panels.set(this.uid, this);
		return this.load();
	}

	forget() {
		this.data = null;
		this.chosen = null;
		this.failures = 0;
		this.$wrapper.empty();
		if (this.is_inside() || !this.doctype) return this.$wrapper.hide();
		this.$wrapper.css("min-height", reserved_height(this.doctype)).show();
	}

	// On the form of a plan the panel is the content, on other forms a strip above it.
	is_inside() {
		return this.$wrapper.hasClass("is-inside");
	}

	hide() {
		this.name = null;
		this.forget();
		this.$wrapper.hide();
		panels.delete(this.uid);
	}

	load() {
		const { doctype, name } = this;
		this.loading = true;
		return new Promise((resolve) => {
			frappe.call({
				method: "milestone_automation.api.get_plan",
				type: "GET",
				args: { doctype, name },
				silent: true,
				callback: ({ message }) => {
					if (name === this.name && message) this.take(message);
				},
				error: (request) => name === this.name && this.fail(request),
				always: () => {
					this.loading = false;
					resolve();
				},
			});
		});
	}

	// Said, and tried again; who may not see the plan is shown nothing.
	fail(request) {
		if (request && [403, 404].includes(request.status)) return this.$wrapper.empty().hide();
		this.failures += 1;
		if (this.failures === 1) {
			const { name } = this;
			setTimeout(() => name === this.name && this.load(), RETRY_AFTER);
		} else if (!this.data) {
			this.$wrapper.html(failed()).show();
		}
	}

	take(data) {
		this.failures = 0;
		learn_names(data.user_names);
		this.data = { ...data, doctype: this.doctype };
		this.loaded_at = Date.now();
		this.render();
	}

	render() {
		const { data, $wrapper } = this;
		const focused = $(document.activeElement).closest($wrapper).length
			? document.activeElement.getAttribute("data-focus")
			: null;
		const may_start = data.may.start && (data.workflows || []).length;
		if (this.is_of_other_plan()) {
			$wrapper.html(other_plan(data.plan));
		} else if (data.plan && data.stages.length) {
			const chosen = data.stages.find((stage) => stage.name === this.chosen) || current_stage(data);
			$wrapper.html(panel_html(data, chosen, this.collapsed(), this.uid));
		} else if (may_start) {
			$wrapper.html(start_banner(data));
		} else {
			$wrapper.empty();
		}
		$wrapper.css("min-height", "").toggle(!!$wrapper.children().length);
		if (!this.collapsed() && !this.is_inside()) remember(this.doctype, true, $wrapper.outerHeight());
		if (focused) this.focus(focused);
		this.scroll_to_chosen();
		if ($wrapper.find("[data-loading]").length) this.load_tasks();
	}

	// Of a document the server tells the plan that stands for it now, and this form may be of an earlier one.
	is_of_other_plan() {
		const { plan } = this.data;
		return this.is_inside() && !!plan && plan.name !== this.frm.docname;
	}

	// A big plan comes without the tasks of its other milestones.
	load_tasks() {
		const { data, doctype, name } = this;
		const stage = data.stages.find((one) => one.name === this.chosen) || current_stage(data);
		call("get_stage", { doctype, name, stage: stage.name }).then((answer) => {
			if (this.data !== data) return;
			learn_names(answer.user_names);
			Object.assign(stage, answer.stage);
			this.render();
		});
	}

	announce(text) {
		this.$wrapper.find("[data-announce]").text(text);
	}

	focus(key) {
		this.$wrapper.find(`[data-focus="${CSS.escape(key)}"]`).trigger("focus");
	}

	scroll_to_chosen() {
		const steps = this.$wrapper.find(".milestone-steps").get(0);
		const step = this.$wrapper.find("[aria-pressed=true]").get(0);
		if (steps) steps.classList.toggle("is-cut", steps.scrollWidth > steps.clientWidth);
		if (steps && step && steps.scrollWidth > steps.clientWidth) {
			steps.scrollLeft = step.offsetLeft - (steps.clientWidth - step.offsetWidth) / 2;
		}
	}

	collapsed() {
		return !this.is_inside() && !is_open(this.doctype);
	}

	on_click(event) {
		const action = event.currentTarget.dataset.action;
		if (action === "tick") return;
		event.preventDefault();
		if (action === "retry") return this.load();
		const { stage, task, criterion } = event.currentTarget.dataset;
		this[`do_${action}`](stage ? this.stage(stage) : this.task(task), criterion);
	}

	on_tick(event) {
		const box = event.currentTarget;
		const task = this.task(box.dataset.task);
		if (task.status === "Open") {
			this.ask("complete_task", { task: task.name })
				.then(() => this.offer_undo(task))
				.catch(() => this.render());
		} else {
			// The task stays ticked until the reason is entered.
			box.checked = true;
			this.do_reopen(task);
		}
	}

	// A tick by mistake is taken back for some seconds, without a reason.
	offer_undo(task) {
		const now = this.task(task.name);
		const text =
			now && now.status === "Open"
				? __("You have completed your part of {0}.", [task.title])
				: __("{0} is completed.", [task.title]);
		this.announce(text);
		const undo = () => this.ask("undo_complete_task", { task: task.name });
		const message = `${esc(text)} <a href="#" data-action="undo_tick">${__("Undo")}</a>`;
		frappe.show_alert({ message, indicator: "green" }, UNDO_SECONDS, { undo_tick: undo });
	}

	stage(name) {
		return this.data.stages.find((stage) => stage.name === name);
	}

	may(stage, action) {
		const row = this.data && this.stage(stage);
		return !!row && (row.actions || []).includes(action);
	}

	task(name) {
		return this.data.stages.flatMap((stage) => stage.tasks).find((task) => task.name === name);
	}

	// A call that changes the plan returns the new payload.
	ask(method, args) {
		if (this.busy) return Promise.resolve(this.render());
		this.busy = true;
		return call(method, args)
			.then((payload) => {
				if (payload && payload.stages) this.take(payload);
				else return this.load();
			})
			.finally(() => {
				this.busy = false;
			});
	}

	// Reload the form only if reaching the milestone changed the document.
	ask_and_reload(method, args) {
		const { doctype, name, frm } = this;
		return this.ask(method, args).then(() => {
			if (frm && frm.doctype === "Milestone Plan") return frm.reload_doc();
			if (!frm || frm.doctype !== doctype) return;
			frappe.db.get_value(doctype, name, "modified").then(({ message }) => {
				const changed = message && message.modified !== frm.doc.modified;
				if (changed && frm.docname === name && !frm.is_dirty()) frm.reload_doc();
			});
		});
	}

	do_toggle() {
		remember(this.doctype, this.collapsed());
		this.render();
	}

	// The one task that blocks the current milestone, from the strip.
	do_done(task) {
		this.ask("complete_task", { task: task.name })
			.then(() => this.offer_undo(task))
			.catch(() => this.render());
	}

	do_choose(stage) {
		this.chosen = stage.name;
		this.render();
	}

	do_confirm(stage) {
		const confirm = (values) => {
			// What was refused goes on from here once nothing blocks it.
			this.again = () => confirm(values);
			return this.ask_and_reload("confirm_stage", {
				plan: this.data.plan.name,
				stage: stage.name,
				...values,
			}).then(() => this.offer_actual(stage));
		};
		this.dialog = dialogs.confirm_stage(stage, this.data.today, confirm);
	}

	// Reached early or late: later milestones may move along.
	offer_actual({ stage_name }) {
		const next = this.data.stages.find(
			({ with_actual }) => with_actual && with_actual.stage_name === stage_name
		);
		if (!next) return;
		const text = esc(reached_early_or_late(next.with_actual));
		const message = `${text}. <a href="#" data-action="move_along">${__("Move later milestones")}</a>`;
		const move_along = () => this.do_move_with_actual(this.stage(next.name));
		frappe.show_alert({ message, indicator: "blue" }, UNDO_SECONDS, { move_along });
	}

	// One after the other: where milestones are reached in order, the first one lets the next one be confirmed.
	do_confirm_skipped() {
		const confirm_from = (answers) => {
			if (!answers.length) return Promise.resolve();
			const [{ stage, reached_on }, ...rest] = answers;
			this.again = () => confirm_from(answers);
			return this.ask_and_reload("confirm_stage", {
				plan: this.data.plan.name,
				stage,
				reached_on,
			}).then(() => confirm_from(rest));
		};
		this.dialog = dialogs.confirm_skipped(skipped_stages(this.data), this.data, confirm_from);
	}

	do_reschedule(stage, given = {}) {
		const { plan } = this.data;
		const move = (values) =>
			this.ask_and_reload("reschedule_stage", { plan: plan.name, stage: stage.name, ...values });
		dialogs.reschedule(stage, plan, move, given);
	}

	do_propose_date(stage) {
		dialogs.propose_date(stage, this.data.today, (values) =>
			this.ask("propose_date", { plan: this.data.plan.name, stage: stage.name, ...values })
		);
	}

	// The dialog of Reschedule, with the proposed day and reason; another day may be chosen.
	do_accept_date(stage) {
		const { plan } = this.data;
		const { proposed_date, reason } = stage.proposal;
		const accept = ({ new_date, later_stages, keep_anchored }) =>
			this.ask_and_reload("accept_date", {
				plan: plan.name,
				stage: stage.name,
				new_date,
				later_stages,
				keep_anchored,
			});
		const label = __("Accept Date");
		dialogs.reschedule(stage, plan, accept, { new_date: proposed_date, reason, label, is_proposal: true });
	}

	do_decline_date(stage) {
		dialogs.reason(__("Decline the Proposed Date"), __("Decline Date"), (values) =>
			this.ask("decline_date", { plan: this.data.plan.name, stage: stage.name, ...values })
		);
	}

	do_on_track(stage) {
		this.ask("answer_on_track", { plan: this.data.plan.name, stage: stage.name });
	}

	do_move_with_actual(stage) {
		if (!stage.with_actual) return;
		const { new_date } = stage.with_actual;
		this.do_reschedule(stage, { new_date, reason: `${reached_early_or_late(stage.with_actual)}.` });
	}

	do_undo(stage) {
		dialogs.reason(__("Undo {0}", [esc(stage.stage_name)]), __("Undo"), (values) =>
			this.ask_and_reload("undo_stage", { plan: this.data.plan.name, stage: stage.name, ...values })
		);
	}

	do_add_task(stage) {
		dialogs.add_task(stage, this.doctype, (values) =>
			this.ask("add_task", { plan: this.data.plan.name, stage: stage.name, ...values })
		);
	}

	do_open_task(task) {
		frappe.set_route("Form", "Milestone Task", task.name);
	}

	do_waive(task) {
		dialogs.reason(__("Waive {0}", [esc(task.title)]), __("Waive"), (values) =>
			this.ask("waive_task", { task: task.name, ...values })
		);
	}

	do_waive_criterion(stage, criterion) {
		const { text } = stage.criteria.find((one) => one.key === criterion);
		dialogs.reason(__("Waive {0}", [esc(text)]), __("Waive"), (values) =>
			this.ask("waive_criterion", { plan: this.data.plan.name, stage: stage.name, criterion, ...values })
		);
	}

	do_reopen_criterion(stage, criterion) {
		dialogs.reason(__("Undo the Waiver"), __("Undo the Waiver"), (values) =>
			this.ask("reopen_criterion", { plan: this.data.plan.name, stage: stage.name, criterion, ...values })
		);
	}

	do_cancel(task) {
		dialogs.reason(__("Cancel {0}", [esc(task.title)]), __("Cancel Task"), (values) =>
			this.ask("cancel_task", { task: task.name, ...values })
		);
	}

	do_reopen(task) {
		dialogs.reason(__("Reopen {0}", [esc(task.title)]), __("Reopen"), (values) =>
			this.ask("reopen_task", { task: task.name, ...values })
		);
	}

	do_start() {
		dialogs.start(this.data.workflows, (values) =>
			this.ask("start_plan", { doctype: this.doctype, name: this.name, ...values })
		);
	}

	do_open_plan() {
		frappe.set_route("Form", "Milestone Plan", this.data.plan.name);
	}

	// For customers: dates of milestones, no tasks and no notes.
	do_print() {
		const parts = { doctype: "Milestone Plan", name: this.data.plan.name, format: "Milestone Status Report" };
		window.open(`/printview?${new URLSearchParams(parts)}`);
	}

	do_open_workflow() {
		frappe.set_route("Form", "Milestone Workflow", this.data.plan.workflow);
	}

	do_hold() {
		dialogs.reason(__("Put This Plan on Hold"), __("Put on Hold"), (values) =>
			this.ask("hold_plan", { plan: this.data.plan.name, ...values })
		);
	}

	do_resume() {
		const { plan } = this.data;
		dialogs.resume(plan, (values) => this.ask_and_reload("resume_plan", { plan: plan.name, ...values }));
	}

	do_cancel_plan() {
		dialogs.reason(__("Cancel This Plan"), __("Cancel Plan"), (values) =>
			this.ask("cancel_plan", { plan: this.data.plan.name, ...values })
		);
	}

	do_undo_cancel() {
		dialogs.reason(__("Undo the Cancellation"), __("Undo Cancellation"), (values) =>
			this.ask("undo_cancel_plan", { plan: this.data.plan.name, ...values })
		);
	}

	do_new_version() {
		const { name } = this.data.plan;
		call("preview_new_version", { plan: name }).then((changes) =>
			dialogs.new_version(changes, () => this.ask("move_to_new_version", { plan: name }))
		);
	}

	// Loaded on demand, because few users need it on most forms.
	do_history() {
		const { frm } = this;
		if (!frm || !frm.timeline) return this.do_open_plan();
		frappe
			.xcall("milestone_automation.api.get_timeline", { doctype: this.doctype, name: this.name })
			.then((entries) => {
				frm.get_docinfo().additional_timeline_content = entries;
				frm.timeline.refresh();
				const place = (frm.timeline.timeline_wrapper || frm.footer.wrapper).get(0);
				place.scrollIntoView({ behavior: "smooth", block: "center" });
			});
	}
}

export function show_panel_on(frm, $place) {
	if (!frm.milestone_panel) frm.milestone_panel = new Panel($place);
	if (frm.is_new()) frm.milestone_panel.hide();
	else frm.milestone_panel.show(frm.doctype, frm.docname, frm.doc.modified, frm);
}

export const open_panels = () => [...panels.values()];

// What a dialog outside the panels changed; `doctype` and `name` are the document's.
export function learn_plan(payload, { doctype, name }) {
	if (!payload || !payload.stages) return;
	open_panels()
		.filter((panel) => panel.doctype === doctype && panel.name === name)
		.forEach((panel) => panel.take(payload));
}

// Another user changed a plan that this user is looking at.
export function listen() {
	frappe.realtime.on("milestone_plan_changed", ({ doctype, name }) => {
		for (const panel of panels.values()) {
			const is_own = panel.busy || Date.now() - panel.loaded_at < 500;
			if (panel.doctype === doctype && panel.name === name && !is_own) {
				panel.reload_soon = panel.reload_soon || frappe.utils.debounce(() => panel.name && panel.load(), 300);
				panel.reload_soon();
			}
		}
	});
}
