// The HTML of the builder: one card for each milestone, with its tasks at the bottom.
import { esc, gray_pill, icon, own } from "../panel/words";
import * as choices from "./choices";
import { criteria } from "./criteria";
import * as steps from "./steps";
import { area, button, check, link, number, select, text } from "./inputs";
import { problem_list } from "./problems";
import { hint, offers } from "./quick";

// As the engine takes it when the workflow says nothing else.
const DEFAULT_SUPPLIER = "supplier";

const labelled = (label, content, style = "") =>
	`<div class="milestone-set ${style}"><span class="milestone-set-label">${label}</span><div class="milestone-set-body">${content}</div></div>`;

export function builder({ stages, open, problems, fields, completion, shown }, html_of_card) {
	const cards = stages.map(html_of_card).join("");
	return `
		${problem_list(problems.general)}
		${stages.length ? "" : empty() + offers(fields)}
		<ol class="milestone-cards">${cards}</ol>
		${shown}
		${stages.length ? completion_part(completion) : ""}
		<div class="milestone-buttons">
			<button type="button" class="btn btn-sm ${
				stages.length ? "btn-default" : "btn-primary"
			}" data-do="add_stage" data-focus="add_stage">
				${icon("plus")} ${__("Add Milestone")}
			</button>
			${
				stages.length
					? `<button type="button" class="btn btn-sm btn-default" data-do="preview">${__(
							"Preview on a Document"
					  )}</button>
					<button type="button" class="btn btn-sm btn-default" data-do="try_steps">${__(
						"Try Next Steps on a Document"
					)}</button>
					<button type="button" class="btn btn-sm milestone-quiet" data-do="toggle_all">${
						open.size ? __("Collapse All") : __("Expand All")
					}</button>
					${hint()}`
					: ""
			}
		</div>`;
}

// The fields of the document that people from outside are shown: chosen ones in their order, and one more to choose.
export function shown_part(doc, fields) {
	const chosen = lines(doc, "shown_fields");
	const label_of = (name) => choices.label_of(fields, name) || name;
	const pills = chosen
		.map(
			(name) => `<li><span class="milestone-pill" data-color="gray">${esc(label_of(name))}
				<button type="button" class="btn btn-xs milestone-quiet" data-do="hide_field" data-row="${esc(doc.name)}"
				data-name="${esc(name)}" aria-label="${esc(__("Do not show {0}", [label_of(name)]))}">${icon(
				"cross"
			)}</button></span></li>`
		)
		.join("");
	const others = fields.filter((one) => !chosen.includes(one.value));
	const another = __("Show another field");
	const add = select({ name: doc.name }, "add_shown_field", another, others, another);
	return `<div class="milestone-sets milestone-shown-fields">${labelled(
		__("People from outside are shown, besides the name of the document"),
		`<ul class="milestone-pills">${pills}</ul>${add}`,
		"is-wide"
	)}</div>`;
}

const completion_part = (completion) => `
	<section class="milestone-completion" aria-label="${__("Next Steps of the Completed Plan")}">
		<span class="milestone-set-label">${__("When all milestones are reached")}</span>
		${completion}
	</section>`;

function empty() {
	return `<p class="milestone-empty">${__(
		"A workflow lists the milestones of a document, for example: order accepted, goods inspected, released. Add the first one; its tasks go below it."
	)}</p>`;
}

export const choose_doctype = () => `<p class="milestone-empty">${__("Choose a document type first.")}</p>`;

export function card(stage, index, context) {
	const { fields, tasks, open, problems, step_problems, stages } = context;
	const last = index === stages.length - 1;
	const is_open = open.has(stage.name);
	const body = `milestone-card-${stage.name}`;
	return `
		<li class="milestone-card ${problems.length ? "has-problems" : ""}" data-stage="${stage.name}">
			<div class="milestone-card-head">
				<span class="milestone-grip" title="${__("Drag to reorder")}">${icon("grip")}</span>
				<span class="milestone-number">${index + 1}</span>
				${text(stage, "stage_name", __("Name of the milestone"), __("Name of the milestone"))}
				${stage.kind === "Acceptance" ? gray_pill(__("Acceptance")) : ""}
				<span class="milestone-card-buttons">
					${button("stage_up", stage, __("Move Up"), "up", index ? "" : "disabled")}
					${button("stage_down", stage, __("Move Down"), "down", last ? "disabled" : "")}
					${button("remove_stage", stage, __("Remove Milestone"), "trash")}
					<button type="button" class="btn btn-xs milestone-quiet" data-do="toggle" data-row="${stage.name}"
						data-focus="${stage.name}-toggle" aria-expanded="${is_open}" aria-controls="${body}"
						aria-label="${__("Show or Hide Details")}"><span class="milestone-turn">${icon("chevron")}</span></button>
				</span>
			</div>
			${is_open ? "" : `<p class="milestone-card-summary">${summary(stage, fields)}</p>`}
			${problem_list(problems)}
			<div id="${body}" ${is_open ? "" : "hidden"}>${
		is_open ? details(stage, index, context, stages.slice(0, index)) : ""
	}</div>
			${is_open || steps.read(steps.place_of_stage(stage)).length ? step_part(stage, fields, step_problems) : ""}
			${stage.kind === "Acceptance" ? acceptance() : task_part(stage, tasks, context)}
		</li>`;
}

const acceptance = () =>
	`<p class="milestone-muted milestone-none">${__("An acceptance milestone cannot have tasks")}</p>`;

function summary(stage, fields) {
	return [owner_words(stage, fields), date_words(stage, fields), reach_words(stage, fields)]
		.filter(Boolean)
		.map((words) => `<bdi>${words}</bdi>`)
		.join(" · ");
}

function owner_words(stage, fields) {
	const owner_text = {
		User: () => frappe.user.full_name(stage.owner_user || ""),
		Role: () => __(stage.owner_role || ""),
		"User Field": () => fields.label(stage.owner_field),
		"Third-Party Collaborator": () => stage.owner_name || stage.owner_email || "",
	}[stage.owner_kind];
	const words = (owner_text && owner_text()) || choices.label_of(choices.OWNER_KINDS(), stage.owner_kind);
	return __("Owner: {0}", [own(words)]);
}

function date_words(stage, fields) {
	if (stage.key_date_rule === "Set Manually") return __("date set manually");
	const from =
		stage.key_date_rule === "Document Date Field"
			? fields.label(stage.date_field) || __("a date of the document")
			: choices.label_of(choices.DATE_RULES(false, stage.dependency), stage.key_date_rule);
	return `${days_words(stage)} ${own(from)}`;
}

// Days are written where they are read. Before a date they are negative, which needs the words in the details.
const days_input = (stage) => number(stage, "offset_days", __("Days"));

function days_words(stage) {
	const days = cint(stage.offset_days);
	if (days < 0) {
		return cint(stage.working_days) ? __("{0} working days before", [-days]) : __("{0} days before", [-days]);
	}
	const input = days_input(stage);
	return cint(stage.working_days) ? __("{0} working days after", [input]) : __("{0} days after", [input]);
}

function reach_words(stage, fields) {
	if (stage.reach_rule !== "Field Value") return __("reached when confirmed");
	return __("reached when {0} is {1}", [own(fields.label(stage.track_field)), own(stage.track_value || "…")]);
}

function details(stage, index, context, earlier) {
	const { fields } = context;
	return `
		<div class="milestone-sets">
			${labelled(__("Kind"), select(stage, "kind", __("Kind"), choices.KINDS()))}
			${labelled(__("Milestone Owner"), owner(stage, context))}
			${index ? labelled(__("Depends On"), dependency(stage, earlier), "is-wide") : ""}
			${labelled(__("Key Date"), key_date(stage, index, fields), "is-wide")}
			${labelled(__("Reached When"), reach(stage, fields), "is-wide")}
			${labelled(
				__("While required tasks are open or exit criteria not met"),
				select(
					stage,
					"gate_mode",
					__("While required tasks are open or exit criteria not met"),
					choices.GATE_MODES()
				)
			)}
			${
				stage.kind === "Acceptance"
					? ""
					: labelled(__("Exit Criteria, besides tasks"), criteria(stage, fields), "is-wide")
			}
			${labelled(
				__("Also Notify"),
				area(stage, "notify_users", __("Also Notify"), __("Users or e-mail addresses, one per line"))
			)}
			${labelled(__("Also Notify Role"), link(stage, "notify_role", "Role", __("Also Notify Role")))}
			${labelled(
				__("Custom Message"),
				area(
					stage,
					"custom_message",
					__("Custom Message"),
					__("Sent to the owner on the key date. Fields such as {{ doc.name }} are filled in.")
				),
				"is-wide"
			)}
			${labelled(__("Follow-up Reminder"), reminders(stage), "is-wide")}
		</div>`;
}

// The workflow says once which field names the supplier and who the team is; it is asked where it matters.
function supplier({ workflow, fields }) {
	const options = fields.suppliers();
	const is_there = options.some(({ value }) => value === DEFAULT_SUPPLIER);
	const supplier_field = workflow.supplier_field || (is_there ? DEFAULT_SUPPLIER : "");
	const row = { name: workflow.name, supplier_field };
	return select(row, "supplier_field", __("Supplier Field"), options, __("Choose a field"));
}

const team = ({ workflow }) =>
	workflow.team_group && !workflow.team_role
		? link(workflow, "team_group", "User Group", __("Team: User Group"))
		: link(workflow, "team_role", "Role", __("Team: Users with Role"));

function owner(stage, context) {
	const { fields } = context;
	const rest = {
		"Supplier Contact": () => supplier(context),
		User: () => link(stage, "owner_user", "User", __("Owner")),
		Role: () => link(stage, "owner_role", "Role", __("Owner Role")),
		"User Field": () => select(stage, "owner_field", __("Owner Field"), fields.users(), __("Choose a field")),
		"Third-Party Collaborator": () =>
			text(stage, "owner_name", __("Owner Name"), __("Name")) +
			text(stage, "owner_email", __("Owner E-Mail"), __("E-Mail")),
	}[stage.owner_kind];
	return select(stage, "owner_kind", __("Milestone Owner"), choices.OWNER_KINDS()) + (rest ? rest() : "");
}

function dependency(stage, earlier) {
	const rule = select(stage, "dependency", __("Depends On"), choices.DEPENDENCIES());
	if (stage.dependency !== "Chosen Milestones") return rule;
	const names = chosen_names(
		stage,
		"predecessors",
		earlier.map((other) => other.stage_name)
	);
	return `${rule}<span role="group" aria-label="${__("Depends On")}">${names}</span>`;
}

function chosen_names(row, field, names) {
	const chosen = lines(row, field);
	const one = (name, index) =>
		`<label class="milestone-check"><input type="checkbox" data-field="${field}" data-row="${row.name}"
			data-name="${esc(name)}" data-focus="${row.name}-${field}-${index}"
			${chosen.includes(name) ? "checked" : ""}> ${esc(name)}</label>`;
	return [...new Set(names)].map(one).join(" ");
}

const after_tasks = (task, others) =>
	`<span role="group" aria-label="${__("Comes After")}">${chosen_names(
		task,
		"after_tasks",
		others.map((other) => other.title)
	)}</span>`;

// The lines of a field that holds one name per line.
export const lines = (row, field) =>
	cstr(row[field])
		.split("\n")
		.map((name) => name.trim())
		.filter(Boolean);

function key_date(stage, index, fields) {
	const rules = choices.DATE_RULES(index === 0, stage.dependency);
	const rule = select(stage, "key_date_rule", __("Counted from"), rules);
	if (stage.key_date_rule === "Set Manually") return rule;
	const least = stage.key_date_rule === "Document Date Field" ? null : 0;
	const field =
		stage.key_date_rule === "Document Date Field"
			? select(stage, "date_field", __("Date Field"), fields.dates(), __("Choose a field"))
			: "";
	return `${number(stage, "offset_days", __("Days"), least)}
		<span>${least === null ? __("days after (negative: before)") : __("days after")}</span>
		${rule}${field}${check(stage, "working_days", __("Working days only"))}`;
}

function reach(stage, fields) {
	const rule = select(stage, "reach_rule", __("Reached When"), choices.REACH_RULES());
	if (stage.reach_rule !== "Field Value") return rule;
	const options = fields.values(stage.track_field);
	const value = options
		? select(stage, "track_value", __("Value"), options, __("Choose a value"))
		: text(stage, "track_value", __("Value"), __("Value"));
	return `${rule}${select(
		stage,
		"track_field",
		__("Field"),
		fields.tracked(),
		__("Choose a field")
	)}<span>=</span>${value}`;
}

function reminders(stage) {
	return `
		<span>${__("Warn")}</span>${number(stage, "warning_lead_days", __("Warn Days Before"))}<span>${__(
		"days before (0: as in the settings)."
	)}</span>
		<span>${__("Ask whether it is on track")}</span>${number(
		stage,
		"check_in_days",
		__("Check In Days Before")
	)}<span>${__("days before (0: never).")}</span>
		<span>${__("Remind after")}</span>${number(
		stage,
		"remind_after_days",
		__("Follow-up Reminder After Days")
	)}<span>${__("days (0: never),")}</span>
		<span>${__("then every")}</span>${number(stage, "remind_every_days", __("Then Every Days"))}<span>${__(
		"days,"
	)}</span>
		<span>${__("at most")}</span>${number(stage, "remind_at_most", __("At Most Times"))}<span>${__(
		"times."
	)}</span>`;
}

const step_part = (stage, fields, problems) => `
	<div class="milestone-next-steps"><span class="milestone-set-label">${__("Next Steps")}</span>
		${steps.list(steps.place_of_stage(stage), fields, problems)}</div>`;

function task_part(stage, tasks, context) {
	return `
		<ul class="milestone-task-rows" data-stage="${stage.name}" aria-label="${__("Tasks")}">
			${tasks.map((task) => task_row(task, context)).join("")}
		</ul>
		<button type="button" class="btn btn-xs milestone-quiet milestone-add" data-do="add_task" data-row="${
			stage.name
		}"
			data-focus="${stage.name}-add_task">${icon("plus")} ${__("Add Task")}</button>`;
}

function task_row(task, context) {
	const { open, problems_of } = context;
	const is_open = open.has(task.name);
	const problems = problems_of(task);
	const is_outside = task.assignee_kind === "Third-Party Collaborator";
	return `
		<li class="milestone-task-row ${problems.length ? "has-problems" : ""} ${is_outside ? "is-outside" : ""}"
			data-task="${task.name}">
			<div class="milestone-task-line">
				<span class="milestone-grip" title="${__("Drag to reorder")}">${icon("grip")}</span>
				<div class="milestone-grow">${text(task, "title", __("Task Title"), __("What has to be done?"))}</div>
				<div class="milestone-task-who">
					${select(task, "assignee_kind", __("Assignee"), choices.ASSIGNEE_KINDS().slice(1), __("Nobody yet"))}
					${assignee(task, context)}
				</div>
				<div class="milestone-due">${number(task, "due_days_before", __("Due Days Before Milestone"))}
					<span>${__("days before")}</span></div>
				${check(task, "required", __("Required"))}
				<span class="milestone-card-buttons">
					${button("remove_task", task, __("Remove Task"), "trash")}
					<button type="button" class="btn btn-xs milestone-quiet" data-do="toggle" data-row="${task.name}"
						data-focus="${task.name}-toggle" aria-expanded="${is_open}"
						aria-label="${__("Show or Hide Details")}"><span class="milestone-turn">${icon("chevron")}</span></button>
				</span>
			</div>
			${problem_list(problems)}
			${is_open ? task_details(task, context) : ""}
		</li>`;
}

function assignee(task, context) {
	const { fields } = context;
	const rest = {
		"Whole Team": () => team(context),
		"All Supplier Contacts": () => supplier(context),
		"One Team Member": () => link(task, "assignee_user", "User", __("Team Member")),
		Role: () => link(task, "assignee_role", "Role", __("Assignee Role")),
		"User Field": () =>
			select(task, "assignee_field", __("User Field"), fields.users(), __("Choose a field")),
		"Third-Party Collaborator": () =>
			text(task, "collaborator_name", __("Collaborator Name"), __("Name")) +
			text(task, "collaborator_email", __("Collaborator E-Mail"), __("E-Mail")),
	}[task.assignee_kind];
	return rest ? rest() : "";
}

function task_details(task, { earlier_tasks }) {
	const others = earlier_tasks.filter((other) => other.name !== task.name && other.title);
	return `
		<div class="milestone-sets">
			${labelled(__("Description"), area(task, "description", __("Description")), "is-wide")}
			${labelled(
				__("Done when completed by"),
				select(task, "completion_rule", __("Completion Rule"), choices.COMPLETION_RULES())
			)}
			${labelled(__("Due"), check(task, "working_days", __("Working days only")))}
			${others.length ? labelled(__("Comes After"), after_tasks(task, others), "is-wide") : ""}
		</div>`;
}
