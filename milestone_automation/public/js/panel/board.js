// Running plans of a workflow in columns by their next milestone. Read-only: plans move when milestones are reached.
import { HEALTH_COLOR, date, distance, esc, own, pill } from "./words";

// The board opens on the workflow that the user looked at last.
const LAST_WORKFLOW = () => `milestone-board:${frappe.session.user}`;

export class Board {
	constructor(page) {
		this.page = page;
		this.$body = $('<div class="milestone-panel milestone-board"></div>').appendTo(page.main);
	}

	start() {
		return frappe.xcall("milestone_automation.api.workflows_with_plans").then((workflows) => {
			if (!workflows.length) {
				this.$body.html(`<p class="milestone-empty">${__("No plan is running.")}</p>`);
				return;
			}
			const last = localStorage.getItem(LAST_WORKFLOW());
			const first = workflows.includes(last) ? last : workflows[0];
			this.field = this.page.add_field({
				fieldname: "workflow",
				fieldtype: "Select",
				label: __("Milestone Workflow"),
				options: workflows.map((name) => ({ value: name, label: name })),
				default: first,
				change: () => this.load(),
			});
			this.field.set_value(first);
			return this.load();
		});
	}

	load() {
		const workflow = this.field && this.field.get_value();
		if (!workflow) return Promise.resolve();
		localStorage.setItem(LAST_WORKFLOW(), workflow);
		return frappe.xcall("milestone_automation.api.get_board", { workflow }).then((board) => {
			// Of two answers the one counts that was asked for last.
			if (workflow === this.field.get_value()) this.$body.html(html(board));
		});
	}
}

function html({ stages, plans, today }) {
	const columns = stages.map((stage) => {
		const column_plans = plans.filter((plan) => plan.current_stage === stage);
		return `
			<section class="milestone-column" aria-label="${esc(stage)}">
				<h2>${own(stage)} <span class="milestone-muted">${column_plans.length}</span></h2>
				${column_plans.map((plan) => card(plan, today)).join("")}
			</section>`;
	});
	return `<div class="milestone-columns" tabindex="0" role="group" aria-label="${__(
		"Plans by Milestone"
	)}">${columns.join("")}</div>`;
}

function card(plan, today) {
	const link = frappe.utils.get_form_link(plan.reference_type, plan.reference_name);
	const when = plan.next_date
		? `${date(plan.next_date)} (${distance(plan.next_date, today)})`
		: __("no date yet");
	const forecast = plan.forecast_date
		? `<span class="milestone-muted">${__("Forecast: {0}", [date(plan.forecast_date)])}</span>`
		: "";
	return `
		<a class="milestone-board-card" href="${link}" data-color="${HEALTH_COLOR[plan.health]}">
			<b>${esc(plan.reference_name)}</b>
			<span class="milestone-muted">${when}</span>
			${plan.owner_name ? `<span class="milestone-muted">${esc(plan.owner_name)}</span>` : ""}
			${forecast}
			${pill(plan.health)}
		</a>`;
}
