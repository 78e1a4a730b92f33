// The HTML of the panel: functions from the payload of api.get_plan to text. All names in it must be escaped.
import {
	HEALTH_COLOR,
	assignee_name,
	criterion_state,
	criterion_tick,
	date,
	distance,
	esc,
	float_words,
	gray_pill,
	icon,
	own,
	owner_text,
	pill,
	user_name,
} from "./words";

export function panel(data, chosen, collapsed, uid) {
	const { plan } = data;
	return `
		<div class="milestone-head ${collapsed ? "is-strip" : ""}">
			<h2 class="milestone-title">${__("Milestones")}</h2>
			${collapsed ? beads(data) : ""}
			${plan.status === "Cancelled" ? gray_pill(__("Cancelled")) : pill(plan.health)}
			<span class="milestone-summary">${collapsed ? strip_summary(data) : summary(data)}</span>
			<span class="milestone-head-buttons">
				${collapsed ? strip_action(data) : ""}
				${plan_menu(data)}
				<button type="button" class="btn btn-xs milestone-quiet milestone-toggle" data-action="toggle" data-focus="toggle"
					aria-expanded="${!collapsed}" aria-controls="${uid}" aria-label="${__("Show or Hide Milestones")}">
					<span class="milestone-turn">${icon("chevron")}</span>
				</button>
			</span>
		</div>
		<div class="milestone-body" id="${uid}" ${collapsed ? "hidden" : ""}>
			${gate_notice(plan)}
			${hold_notice(data)}
			${skipped_notice(data)}
			<ol class="milestone-steps" tabindex="-1">
				${data.stages.map((stage, index) => step(data, stage, index, chosen)).join("")}
			</ol>
			${chosen ? detail(data, chosen, uid) : ""}
			<p class="sr-only" role="status" data-announce></p>
		</div>`;
}

// One dot for each milestone; of many only the numbers are shown.
const MOST_BEADS = 12;

function beads({ stages }) {
	const reached = stages.filter((stage) => stage.status === "Reached").length;
	const text = __("{0} of {1} reached", [reached, stages.length]);
	if (stages.length > MOST_BEADS) return `<span class="milestone-muted">${text}</span>`;
	const dots = stages.map(
		(stage) =>
			`<span class="milestone-bead ${stage.status === "Reached" ? "is-reached" : ""}"
				data-color="${HEALTH_COLOR[stage.health]}"></span>`
	);
	return `<span class="milestone-beads" role="img" aria-label="${text}" title="${text}">${dots.join(
		""
	)}</span>`;
}

function strip_summary(data) {
	const next = next_stage(data);
	if (!next) return summary(data);
	const parts = [`<b>${own(next.stage_name)}</b>`];
	parts.push(next.key_date ? distance(next.key_date, data.today) : __("no date yet"));
	if (next.blocking_tasks && next.gate_mode === "Block") {
		parts.push(
			next.blocking_tasks === 1 ? __("1 task blocks") : __("{0} tasks block", [next.blocking_tasks])
		);
	}
	if (next.open_criteria) parts.push(open_criteria(next.open_criteria));
	return parts.join(" · ");
}

// What can be done from the strip: the only task that blocks the next milestone, or its confirmation.
function strip_action(data) {
	const next = next_stage(data);
	if (!next) return "";
	if (next.blocking_tasks === 1) {
		const { task: name } = next.blocked_by[0] || {};
		const task = data.stages.flatMap((stage) => stage.tasks).find((one) => one.name === name);
		if (!task || !(task.actions || []).includes("complete")) return "";
		const label = __("Complete {0}", [task.title]);
		return `<button type="button" class="btn btn-xs btn-default" data-action="done" data-task="${esc(
			task.name
		)}"
			data-focus="done" aria-label="${esc(label)}" title="${esc(label)}">${icon("check")} ${__("Done")}</button>`;
	}
	const waits = next.blocking_tasks || next.blocking_criteria || next.comes_after.length;
	const is_time = next.key_date && next.key_date <= data.today && !waits;
	if (!is_time || !(next.actions || []).includes("confirm")) return "";
	return `<button type="button" class="btn btn-xs btn-default" data-action="confirm" data-stage="${esc(
		next.name
	)}"
		data-focus="strip-confirm">${__("Confirm Milestone")}</button>`;
}

export const failed = () => `
	<div class="milestone-head" role="alert">
		<h2 class="milestone-title">${__("Milestones")}</h2>
		<span class="milestone-summary">${__("They could not be loaded.")}</span>
		<span class="milestone-head-buttons">
			<button type="button" class="btn btn-xs btn-default" data-action="retry" data-focus="retry">${__(
				"Try Again"
			)}</button>
		</span>
	</div>`;

// On the form of a plan that stands for its document no longer: nothing of the other one is worked here.
export function other_plan({ name, workflow }) {
	const link = `<a href="${frappe.utils.get_form_link("Milestone Plan", name)}">${esc(workflow)}</a>`;
	return `
		<div class="milestone-head" role="status">
			<h2 class="milestone-title">${__("Milestones")}</h2>
			<span class="milestone-summary">${__("The document has another plan by now: {0}.", [link])}</span>
		</div>`;
}

function gate_notice(plan) {
	if (!plan.gate_failed_on) return "";
	const text = __("The gate could not be checked on {0}, so the document was saved without it.", [
		date(plan.gate_failed_on),
	]);
	return `<p class="milestone-muted" role="status">${text}</p>`;
}

function hold_notice({ plan, may }) {
	if (!plan.on_hold_since || plan.status !== "Active") return "";
	const since = __("On hold since {0}: {1}", [date(plan.on_hold_since), own(plan.hold_reason)]);
	const gate = __("Nobody is asked or reminded. Required tasks still block their milestones.");
	const button = may.manage
		? ` <button type="button" class="btn btn-xs btn-default" data-action="resume"
			data-focus="resume">${__("Resume")}</button>`
		: "";
	return `<p class="milestone-notice" role="status"><span>${since}<br>${gate}</span>${button}</p>`;
}

export const skipped_stages = ({ stages }) =>
	stages.filter((stage) => stage.health === "Skipped" && (stage.actions || []).includes("confirm"));

function skipped_notice(data) {
	const names = data.stages
		.filter((stage) => stage.health === "Skipped")
		.map((stage) => own(stage.stage_name));
	if (!names.length || data.plan.status !== "Active") return "";
	const text =
		names.length === 1
			? __("{0} was skipped: a later milestone is reached.", [names[0]])
			: __("{0} were skipped: a later milestone is reached.", [names.join(", ")]);
	const button = skipped_stages(data).length
		? ` <button type="button" class="btn btn-xs btn-default" data-action="confirm_skipped"
			data-focus="confirm-skipped">${__("Confirm with a Date")}</button>`
		: "";
	return `<p class="milestone-notice" role="status"><span>${text}</span>${button}</p>`;
}

export function start_banner(data) {
	return `
		<div class="milestone-head">
			<h2 class="milestone-title">${__("Milestones")}</h2>
			<span class="milestone-summary">${
				data.plan ? __("The plan was cancelled.") : __("No plan is running for this document.")
			}</span>
			<span class="milestone-head-buttons">
				${
					data.may.undo_cancel
						? `<button type="button" class="btn btn-xs btn-default" data-action="undo_cancel"
							data-focus="undo-cancel">${__("Undo Cancellation")}</button>`
						: ""
				}
				<button type="button" class="btn btn-xs btn-default" data-action="start" data-focus="start">
					${__("Start a Plan")}
				</button>
			</span>
		</div>`;
}

function summary({ plan, stages, today }) {
	const reached = stages.filter((stage) => stage.status === "Reached").length;
	const count = __("{0} of {1} reached", [reached, stages.length]);
	const next = next_stage({ plan, stages });
	if (!next) return count;
	const when = next.key_date
		? `${date(next.key_date)} (${distance(next.key_date, today)})`
		: __("no date yet");
	return `${count} · ${__("Next: {0}, {1}", [`<b>${own(next.stage_name)}</b>`, when])}`;
}

function next_stage({ plan, stages }) {
	if (plan.status !== "Active") return null;
	return stages.find((stage) => stage.status !== "Reached" && stage.health !== "Skipped");
}

function plan_menu(data) {
	const { plan, may } = data;
	const items = [
		["open_plan", __("Open Plan")],
		["history", __("Show History in Timeline")],
		["print", __("Print Status Report")],
	];
	if (may.manage) items.push(["open_workflow", __("Open Workflow")]);
	if (may.manage && plan.status === "Active") {
		if (plan.newest_version > plan.workflow_version) items.push(["new_version", __("Move to New Version")]);
		items.push(plan.on_hold_since ? ["resume", __("Resume")] : ["hold", __("Put on Hold")]);
		items.push(["cancel_plan", __("Cancel Plan")]);
	}
	if (may.undo_cancel) items.push(["undo_cancel", __("Undo Cancellation")]);
	if (may.start && (data.workflows || []).length) items.push(["start", __("Start a Plan")]);
	return menu(items, __("Actions of the Plan"), "plan-menu");
}

function menu(items, label, focus, attributes = "") {
	if (!items.length) return "";
	return `
		<span class="dropdown">
			<button type="button" class="btn btn-xs milestone-quiet" data-toggle="dropdown" aria-haspopup="true"
				aria-expanded="false" aria-label="${esc(label)}" data-focus="${focus}">${icon("dots")}</button>
			<ul class="dropdown-menu dropdown-menu-right" role="menu">
				${items
					.map(
						([action, text]) => `<li role="none"><a class="dropdown-item" href="#" role="menuitem"
							data-action="${action}" ${attributes}>${text}</a></li>`
					)
					.join("")}
			</ul>
		</span>`;
}

function step(data, stage, index, chosen) {
	const reached = stage.status === "Reached";
	const is_current = data.plan.status === "Active" && stage === current_stage(data);
	const is_chosen = chosen && stage.name === chosen.name;
	return `
		<li class="milestone-step ${reached ? "is-reached" : ""}" data-color="${HEALTH_COLOR[stage.health]}">
			<button type="button" data-action="choose" data-stage="${esc(stage.name)}"
				data-focus="step-${esc(stage.name)}" aria-pressed="${!!is_chosen}"
				${is_current ? 'aria-current="step"' : ""}>
				<span class="milestone-dot">${reached ? icon("check") : index + 1}</span>
				<span class="milestone-step-text">
					<span class="milestone-step-name">${esc(stage.stage_name)}</span>
					<span class="milestone-step-date">${step_date(stage)}</span>
					<span class="milestone-step-health">${__(stage.health)}${
		stage.open_required && !reached ? ` · ${open_tasks(stage.open_required)}` : ""
	}${stage.open_criteria && !reached ? ` · ${open_criteria(stage.open_criteria)}` : ""}</span>
				</span>
			</button>
		</li>`;
}

function step_date(stage) {
	if (stage.status === "Reached") return __("Reached {0}", [date(stage.reached_on)]);
	if (!stage.key_date) return __("no date yet");
	const moved = stage.planned_date && stage.planned_date !== stage.key_date;
	return (
		(moved ? `<s title="${__("Planned Date")}">${date(stage.planned_date)}</s> ` : "") + date(stage.key_date)
	);
}

const open_tasks = (count) => (count === 1 ? __("1 open task") : __("{0} open tasks", [count]));

const open_criteria = (count) =>
	count === 1 ? __("1 open exit criterion") : __("{0} open exit criteria", [count]);

export function current_stage({ plan, stages }) {
	return (
		stages.find((stage) => stage.status !== "Reached" && stage.stage_name === plan.current_stage) ||
		stages.find((stage) => stage.status !== "Reached") ||
		stages[stages.length - 1]
	);
}

function detail(data, stage, uid) {
	const acceptance = stage.kind === "Acceptance";
	return `
		<section class="milestone-detail" aria-label="${esc(stage.stage_name)}">
			<div class="milestone-detail-head">
				<h3>${esc(stage.stage_name)}</h3>
				${pill(stage.health)}
				${acceptance ? gray_pill(__("Acceptance")) : ""}
			</div>
			<dl class="milestone-facts">${facts(stage, data)}</dl>
			${holders(stage)}
			${criteria(stage)}
			${
				acceptance
					? `<p class="milestone-muted">${__("An acceptance milestone cannot have tasks.")}</p>`
					: tasks(data, stage, uid)
			}
			${buttons(stage)}
		</section>`;
}

function facts(stage, { today, doctype }) {
	const rows = [];
	const reached = stage.status === "Reached";
	if (reached) {
		const who = stage.reached_by_user ? user_name(stage.reached_by_user) : stage.confirmed_by_outside;
		const by = who ? ` · ${own(who)}` : "";
		rows.push([__("Reached On"), date(stage.reached_on) + by]);
		if (stage.reached_without_tasks_on) {
			const text = __("Reached without its required tasks, found on {0}", [
				date(stage.reached_without_tasks_on),
			]);
			rows.push([__("Gate"), text]);
		}
	}
	if (stage.key_date) {
		const how_far = reached
			? ""
			: ` <span class="milestone-muted">(${distance(stage.key_date, today)})</span>`;
		rows.push([__("Key Date"), date(stage.key_date) + how_far]);
	} else if (!reached) {
		rows.push([__("Key Date"), __("no date yet")]);
	}
	if (stage.planned_date && stage.planned_date !== stage.key_date) {
		rows.push([__("Planned Date"), date(stage.planned_date)]);
	}
	if (stage.document_date) {
		const text = __("{0} is {1}", [own(field_label(doctype, stage.date_field)), date(stage.document_date)]);
		rows.push([__("Differs from the Document"), `<span class="milestone-overdue">${text}</span>`]);
	}
	if (stage.depends_on) {
		const names = stage.depends_on.map(own).join(", ");
		rows.push([__("Depends On"), names || __("Nothing")]);
	}
	if (Number.isInteger(stage.float)) rows.push([__("Float"), float_words(stage.float)]);
	if (stage.proposal) {
		const { proposed_date, proposed_by, reason } = stage.proposal;
		const text = [date(proposed_date), own(user_name(proposed_by)), `“${own(reason)}”`].join(" · ");
		rows.push([__("Proposed Date"), text]);
	}
	if (stage.with_actual) rows.push([__("Previous Milestone"), esc(reached_early_or_late(stage.with_actual))]);
	if (owner_text(stage)) rows.push([__("Milestone Owner"), own(owner_text(stage))]);
	if (stage.reach_rule === "Field Value") {
		const value = `<b>${own(stage.track_value)}</b>`;
		rows.push([__("Reached When"), __("{0} is {1}", [own(field_label(doctype, stage.track_field)), value])]);
	} else {
		rows.push([__("Reached When"), __("its owner confirms it")]);
	}
	if (stage.on_track_on && !reached) rows.push([__("Confirmed on Track On"), date(stage.on_track_on)]);
	if (stage.forecast_date && !reached) rows.push([__("Forecast"), forecast(stage)]);
	return rows.map(([label, value]) => `<div><dt>${label}</dt><dd>${value}</dd></div>`).join("");
}

function forecast(stage) {
	if (stage.chance === null || stage.chance === undefined) return date(stage.forecast_date);
	const why = __("Chance to meet the key date: {0} %", [stage.chance]);
	return `${date(stage.forecast_date)} <span class="milestone-muted" title="${why}">(${
		stage.chance
	} %)</span>`;
}

export function reached_early_or_late({ stage_name, days }) {
	if (days === -1) return __("{0} was reached 1 day early", [stage_name]);
	if (days === 1) return __("{0} was reached 1 day late", [stage_name]);
	return days < 0
		? __("{0} was reached {1} days early", [stage_name, -days])
		: __("{0} was reached {1} days late", [stage_name, days]);
}

function field_label(doctype, fieldname) {
	const field = frappe.meta.get_docfield(doctype, fieldname);
	return field && field.label ? __(field.label, null, doctype) : fieldname;
}

function holders(stage) {
	return comes_after(stage) + blocking_tasks(stage) + blocking_criteria(stage);
}

function comes_after(stage) {
	const names = (stage.comes_after || []).map(own);
	if (!names.length) return "";
	return `
		<div class="milestone-blocked" role="status">
			${icon("lock")}
			<p>${__("Milestones are reached in order. First comes: {0}.", [names.join(", ")])}</p>
		</div>`;
}

function blocking_tasks(stage) {
	const blocking = stage.blocked_by || [];
	if (stage.status === "Reached" || !blocking.length) return "";
	const lead =
		stage.gate_mode === "Block"
			? stage.blocking_tasks === 1
				? __("1 required task blocks this milestone:")
				: __("{0} required tasks block this milestone:", [stage.blocking_tasks])
			: __("Open required tasks:");
	const unnamed = stage.blocking_tasks - blocking.length;
	const rest = unnamed > 0 ? ` ${__("and {0} more", [unnamed])}` : "";
	return `
		<div class="milestone-blocked" role="status">
			${icon("lock")}
			<p>${lead} ${blocking.map(describe_blocking).join(", ")}${rest}</p>
		</div>`;
}

function blocking_criteria(stage) {
	const blocking = stage.blocked_by_criteria || [];
	if (stage.status === "Reached" || !blocking.length) return "";
	const lead =
		stage.gate_mode === "Block"
			? stage.blocking_criteria === 1
				? __("1 exit criterion blocks this milestone:")
				: __("{0} exit criteria block this milestone:", [stage.blocking_criteria])
			: __("Exit criteria that are not met:");
	const named = blocking.map((one) => {
		const of = one.stage_name === stage.stage_name ? "" : ` (${own(one.stage_name)})`;
		return esc(one.text) + of;
	});
	const unnamed = stage.blocking_criteria - blocking.length;
	const rest = unnamed > 0 ? ` ${__("and {0} more", [unnamed])}` : "";
	return `
		<div class="milestone-blocked" role="status">
			${icon("lock")}
			<p>${lead} ${named.join(", ")}${rest}</p>
		</div>`;
}

function criteria(stage) {
	const rows = stage.criteria || [];
	if (!rows.length) return "";
	return `
		<ul class="milestone-criteria" aria-label="${__("Exit Criteria")}">
			${rows.map((one) => criterion(stage, one)).join("")}
		</ul>`;
}

function criterion(stage, one) {
	const labels = { waive_criterion: __("Waive"), reopen_criterion: __("Undo the Waiver") };
	const actions = one.actions.map((action) => [action, labels[action]]);
	const at = `data-stage="${esc(stage.name)}" data-criterion="${esc(one.key)}"`;
	const waived = [
		criterion_state("Waived"),
		date(one.waived_on),
		own(user_name(one.waived_by)),
		`“${own(one.reason)}”`,
	];
	const said =
		one.state === "Waived" ? waived.join(" · ") : one.state === "Met" ? "" : criterion_state(one.state);
	return `
		<li>
			${criterion_tick(one.state)}
			<div class="milestone-task-text">
				<span>${esc(one.text)}</span>
				${one.required ? gray_pill(__("Required")) : ""}
				<div class="milestone-muted">${said}</div>
			</div>
			${menu(actions, __("Actions of {0}", [one.text]), `menu-${esc(one.key)}`, at)}
		</li>`;
}

function describe_blocking(task) {
	const who = []
		.concat(task.assignees || [])
		.map(assignee_name)
		.filter(Boolean)
		.map(own);
	const title = task.task
		? `<a href="${frappe.utils.get_form_link("Milestone Task", task.task)}">${own(task.title)}</a>`
		: own(task.title);
	return `${title} (${who.length ? who.join(", ") : __("nobody is assigned")})`;
}

function tasks(data, stage, uid) {
	const rows = stage.tasks.map((row) => task_row(row, data.today, uid)).join("");
	const more = stage.more_tasks ? `<p class="milestone-muted" data-loading>${__("Loading tasks…")}</p>` : "";
	const hidden = stage.hidden_tasks
		? `<p class="milestone-muted">${
				stage.hidden_tasks === 1 ? __("1 hidden task") : __("{0} hidden tasks", [stage.hidden_tasks])
		  }</p>`
		: "";
	const add = (stage.actions || []).includes("add_task")
		? `<button type="button" class="btn btn-xs milestone-quiet milestone-add" data-action="add_task"
				data-stage="${esc(stage.name)}" data-focus="add">${icon("plus")} ${__("Add Task")}</button>`
		: "";
	const none =
		!stage.tasks.length && !stage.hidden_tasks && !stage.more_tasks
			? `<p class="milestone-muted">${__("No tasks.")}</p>`
			: "";
	return `<ul class="milestone-tasks">${rows}</ul>${more}${none}${hidden}${add}`;
}

function task_row(task, today, uid) {
	const actions = task.actions || [];
	const open = task.status === "Open";
	// Frappe keeps hidden forms in the page, so the id belongs to this panel.
	const id = `${uid}-${esc(task.name)}`;
	const may_tick = actions.includes(open ? "complete" : "reopen");
	const others = [["open_task", __("Open Task")]];
	if (actions.includes("waive")) others.push(["waive", __("Waive")]);
	if (actions.includes("cancel")) others.push(["cancel", __("Cancel Task")]);
	if (!open && actions.includes("reopen")) others.push(["reopen", __("Reopen")]);
	return `
		<li class="milestone-task ${open ? "" : "is-closed"}">
			<input type="checkbox" id="${id}" data-action="tick" data-task="${esc(task.name)}"
				data-focus="tick-${esc(task.name)}" ${task.status === "Completed" ? "checked" : ""}
				${may_tick && ["Open", "Completed"].includes(task.status) ? "" : "disabled"}>
			<div class="milestone-task-text">
				<label for="${id}">${esc(task.title)}</label>
				${
					task.required
						? `<span class="milestone-pill" data-color="${open ? "purple" : "gray"}">${__("Required")}</span>`
						: ""
				}
				<div class="milestone-muted">${task_facts(task, today)}</div>
				${task.description ? `<div class="milestone-task-description" dir="auto">${esc(task.description)}</div>` : ""}
			</div>
			${menu(others, __("Actions of {0}", [task.title]), `menu-${esc(task.name)}`, `data-task="${esc(task.name)}"`)}
		</li>`;
}

function task_facts(task, today) {
	const parts = [assignees(task)];
	if (task.status !== "Open") {
		parts.push(closed(task));
	} else if ((task.waits_for || []).length) {
		parts.push(__("after {0}", [task.waits_for.map(own).join(", ")]));
	}
	if (task.status === "Open" && task.due_date) {
		const text = __("due {0} ({1})", [date(task.due_date), distance(task.due_date, today)]);
		parts.push(task.overdue ? `<span class="milestone-overdue">${text}</span>` : text);
	}
	return parts.filter(Boolean).join(" · ");
}

function assignees(task) {
	const all = task.assignees || [];
	const names = all.map(assignee_name).filter(Boolean);
	if (!names.length) return task.status === "Open" ? __("nobody is assigned") : "";
	const shown =
		names.length > 4
			? __("{0} and {1} more", [names.slice(0, 3).map(own).join(", "), names.length - 3])
			: names.map(own).join(", ");
	const done = all.filter((assignee) => assignee.done).length;
	const progress =
		task.completion_rule === "All Of" && all.length > 1
			? ` (${__("{0} of {1} done", [done, all.length])})`
			: "";
	return `<span title="${esc(names.join(", "))}">${shown}</span>${progress}`;
}

function closed(task) {
	const on = task.closed_on ? date(task.closed_on) : "";
	const by = user_name(task.closed_by);
	const words = { Completed: __("Completed"), Waived: __("Waived"), Cancelled: __("Cancelled") };
	const when = [words[task.status] || __(task.status), on].filter(Boolean).join(" ");
	return [when, own(by), task.reason ? `“${own(task.reason)}”` : ""].filter(Boolean).join(" · ");
}

const BUTTONS = [
	["confirm", () => __("Confirm Milestone"), "btn-primary"],
	["accept_date", () => __("Accept Date"), "btn-primary"],
	["decline_date", () => __("Decline Date"), "btn-default"],
	["propose_date", () => __("Propose Date"), "btn-default"],
	["on_track", () => __("Still on Track"), "btn-default"],
	["reschedule", () => __("Reschedule"), "btn-default"],
	["move_with_actual", () => __("Move with Actual Date"), "btn-default"],
	["undo", () => __("Undo"), "btn-default"],
];

function buttons(stage) {
	const actions = [...(stage.actions || []), ...(stage.with_actual ? ["move_with_actual"] : [])];
	const offered = BUTTONS.filter(([action]) => actions.includes(action));
	if (!offered.length) return "";
	const lists = [stage.blocked_by, stage.comes_after, stage.blocked_by_criteria];
	const waits = lists.some((list) => (list || []).length);
	const is_blocked = stage.gate_mode === "Block" && waits;
	return `<div class="milestone-buttons">${offered
		.map(([action, label, style]) => {
			const look = action === "confirm" && is_blocked ? "btn-default" : style;
			return `<button type="button" class="btn btn-xs ${look}" data-action="${action}"
				data-stage="${esc(stage.name)}" data-focus="${action}">${label()}</button>`;
		})
		.join("")}</div>`;
}
