// The dialogs of the panel. Each calls a function with the answer and closes when that succeeded.
import { REACHED_ON } from "../fields";
import { arrow, criterion_ticks, date, esc, own } from "./words";

export function ask(title, label, fields, then, intro = "") {
	const dialog = new frappe.ui.Dialog({
		title,
		animate: false,
		fields: [...(intro ? [{ fieldtype: "HTML", options: intro }] : []), ...fields],
		primary_action_label: label,
		primary_action(values) {
			dialog.disable_primary_action();
			Promise.resolve(then(values))
				.then(() => dialog.hide())
				.catch(() => {})
				.finally(() => dialog.enable_primary_action());
		},
	});
	dialog.show();
	return dialog;
}

export const REASON = () => ({ fieldname: "reason", fieldtype: "Small Text", label: __("Reason"), reqd: 1 });

// What a move of dates does to later milestones.
export const LATER_STAGES = (preset, onchange) => [
	{
		fieldname: "later_stages",
		fieldtype: "Select",
		label: __("Later Milestones"),
		reqd: 1,
		options: [
			{ value: "Shift Too", label: __("Shift Too") },
			{ value: "Keep Order", label: __("Keep Order") },
		],
		default: preset === "Keep Order" ? "Keep Order" : "Shift Too",
		description: __("Keep Order uses up the time between milestones; Shift Too keeps it."),
		onchange,
	},
	{
		fieldname: "keep_anchored",
		fieldtype: "Check",
		label: __("Milestones dated by the document stay on that date"),
		onchange,
	},
];

export const USUAL_REASONS = (dialog) => ({
	fieldname: "usual",
	fieldtype: "Select",
	label: __("Usual Reasons"),
	hidden: 1,
	onchange() {
		if (this.value) dialog().set_value("reason", this.value);
	},
});

export function reason(title, label, then) {
	return ask(title, label, [REASON()], then);
}

export function confirm_stage(stage, today, then) {
	const field = REACHED_ON(today);
	const ticks = criterion_ticks(stage.criteria);
	const intro = ticks ? `<p>${__("Exit criteria:")}</p>${ticks}` : "";
	return ask(__("Confirm {0}", [esc(stage.stage_name)]), __("Confirm Milestone"), [field], then, intro);
}

// The date on which each skipped milestone was reached; those without a date stay skipped.
export function confirm_skipped(stages, data, then) {
	const { today } = data;
	const fields = stages.map((stage, index) => ({
		fieldname: `stage_${index}`,
		fieldtype: "Date",
		label: esc(stage.stage_name),
		default: earliest([stage.key_date, next_reached(stage, data), today]),
		max_date: new Date(`${today}T00:00`),
	}));
	const intro = `<p>${__("Say when each was reached. What you leave empty stays skipped.")}</p>`;
	return ask(
		__("Confirm Skipped Milestones"),
		__("Confirm Milestones"),
		fields,
		(values) => {
			const answers = stages.map((stage, index) => ({
				stage: stage.name,
				reached_on: values[`stage_${index}`],
			}));
			return then(answers.filter(({ reached_on }) => reached_on));
		},
		intro
	);
}

const earliest = (days) => days.filter(Boolean).sort()[0];

function next_reached(stage, { stages }) {
	const later = stages.slice(stages.indexOf(stage)).find((other) => other.status === "Reached");
	return later && later.reached_on;
}

export function reschedule(stage, plan, then, given = {}) {
	const refresh = frappe.utils.debounce(() => show_consequences(dialog, stage, plan, given), 300);
	const fields = [
		{
			fieldname: "new_date",
			fieldtype: "Date",
			label: __("New Date"),
			default: given.new_date || stage.key_date,
			reqd: 1,
			onchange: refresh,
		},
		...LATER_STAGES(plan.later_stages, refresh),
		{
			fieldname: "update_document",
			fieldtype: "Check",
			label: __("Also change {0} of the document", [""]),
			onchange: refresh,
		},
		{ fieldname: "consequences", fieldtype: "HTML" },
		USUAL_REASONS(() => dialog),
		{ ...REASON(), default: given.reason, read_only: given.is_proposal ? 1 : 0 },
	];
	const label = given.label || __("Reschedule");
	const dialog = ask(__("Reschedule {0}", [esc(stage.stage_name)]), label, fields, (values) => {
		const { new_date, reason, later_stages, keep_anchored, update_document } = values;
		return then({ new_date, reason, later_stages, keep_anchored, update_document });
	});
	dialog.get_field("update_document").$wrapper.hide();
	if (given.new_date) refresh();
	if (!given.is_proposal) offer_reasons(dialog);
	return dialog;
}

export function propose_date(stage, today, then) {
	const fields = [
		{
			fieldname: "new_date",
			fieldtype: "Date",
			label: __("Proposed Date"),
			reqd: 1,
			min_date: new Date(`${frappe.datetime.add_days(today, 1)}T00:00`),
		},
		USUAL_REASONS(() => dialog),
		REASON(),
	];
	const title = __("Propose a Date for {0}", [esc(stage.stage_name)]);
	const dialog = ask(title, __("Propose Date"), fields, ({ new_date, reason }) => then({ new_date, reason }));
	offer_reasons(dialog);
	return dialog;
}

export function offer_reasons(dialog) {
	frappe.xcall("milestone_automation.api.date_reasons").then((reasons) => {
		if (!reasons.length) return;
		dialog.set_df_property("usual", "options", [
			{ value: "", label: "" },
			...reasons.map((one) => ({ value: one, label: __(one) })),
		]);
		dialog.set_df_property("usual", "hidden", 0);
	});
}

function show_consequences(dialog, stage, plan, { is_proposal }) {
	const { new_date, later_stages, keep_anchored, update_document } = dialog.get_values(true) || {};
	const place = dialog.get_field("consequences").$wrapper;
	dialog.get_field("keep_anchored").$wrapper.toggle(later_stages === "Shift Too");
	const args = { plan: plan.name, stage: stage.name, new_date, later_stages, keep_anchored, update_document };
	const is_last = ask_once(dialog, args);
	if (!new_date || new_date === stage.key_date) return place.empty();
	frappe.call({
		method: "milestone_automation.api.preview_reschedule",
		type: "GET",
		args,
		silent: true,
		callback: ({ message }) => {
			if (!is_last()) return;
			place.html(consequences(message));
			// Whoever accepts a proposed date leaves the document as it is.
			show_update_document(dialog, is_proposal ? "" : message.date_field);
		},
		error: (answer) => is_last() && place.html(`<p class="milestone-overdue">${refusal(answer)}</p>`),
	});
}

// Note what a dialog asks for; the answer tells whether that is still what it asks for when the server has replied.
export function ask_once(dialog, args) {
	const asked = JSON.stringify(args);
	dialog.asked = asked;
	return () => dialog.asked === asked;
}

// Neither by set_df_property nor depends_on: they draw fields anew, and a reason that is being typed would be lost.
function show_update_document(dialog, date_field) {
	const field = dialog.get_field("update_document");
	field.$wrapper.toggle(!!date_field);
	field.$wrapper.find(".label-area").text(__("Also change {0} of the document", [date_field]));
	if (!date_field) field.set_input(0);
}

export function refusal(answer) {
	try {
		return JSON.parse(JSON.parse(answer._server_messages)[0]).message;
	} catch (error) {
		return __("This date is not possible.");
	}
}

export function consequences({ stages, stays, tasks }) {
	const moved = stages.map(
		(one) =>
			`<li>${own(one.stage_name)}: ${date(one.old) || __("no date")} ${arrow()} <b>${
				date(one.new) || __("no date")
			}</b>${differs(one)}</li>`
	);
	const kept = stays.map((one) => `<li>${own(one.stage_name)}: ${__("stays on {0}", [date(one.old)])}</li>`);
	// A list of tasks, or how many.
	const moving = Array.isArray(tasks) ? tasks.length : tasks;
	const count =
		moving === 1
			? __("The due date of 1 task moves.")
			: moving
			? __("The due dates of {0} tasks move.", [moving])
			: "";
	return `<div class="milestone-consequences"><ul>${[...moved, ...kept].join("")}</ul><p>${count}</p></div>`;
}

function differs(one) {
	return one.document_date ? ` (${__("{0} stays {1}", [own(one.field), date(one.document_date)])})` : "";
}

// Says what would move before the plan is resumed.
export function resume(plan, then) {
	const refresh = () => {
		const { shift_dates, keep_anchored } = dialog.get_values(true) || {};
		dialog.get_field("keep_anchored").$wrapper.toggle(!!shift_dates);
		const place = dialog.get_field("consequences").$wrapper;
		const is_last = ask_once(dialog, { shift_dates, keep_anchored });
		if (!shift_dates) return place.empty();
		frappe.call({
			method: "milestone_automation.api.preview_resume",
			type: "GET",
			args: { plan: plan.name, keep_anchored: keep_anchored ? 1 : 0 },
			silent: true,
			callback: ({ message }) =>
				is_last() &&
				place.html(
					message.stages.length
						? consequences(message)
						: `<p class="milestone-muted">${__("No date moves.")}</p>`
				),
			error: (answer) => is_last() && place.html(`<p class="milestone-overdue">${refusal(answer)}</p>`),
		});
	};
	const since = __("On hold since {0}: {1}", [date(plan.on_hold_since), own(plan.hold_reason)]);
	const fields = [
		{
			fieldname: "shift_dates",
			fieldtype: "Check",
			label: __("Move open milestones by the days on hold"),
			onchange: refresh,
		},
		{
			fieldname: "keep_anchored",
			fieldtype: "Check",
			label: __("Milestones dated by the document stay on that date"),
			onchange: refresh,
		},
		{ fieldname: "consequences", fieldtype: "HTML" },
	];
	const dialog = ask(
		__("Resume This Plan"),
		__("Resume"),
		fields,
		({ shift_dates, keep_anchored }) => then({ shift_dates, keep_anchored }),
		`<p>${since}</p>`
	);
	refresh();
	return dialog;
}

export function start(workflows, then) {
	const names = workflows.map((workflow) => workflow.name);
	const field = {
		fieldname: "workflow",
		fieldtype: "Select",
		label: __("Milestone Workflow"),
		options: names.map((name) => ({ value: name, label: name })),
		default: names[0],
		reqd: 1,
	};
	return ask(__("Start a Plan"), __("Start"), [field], then);
}

export const ASSIGNEE_KINDS = () => [
	{ value: "", label: __("Nobody yet") },
	{ value: "Whole Team", label: __("Whole Team") },
	{ value: "All Supplier Contacts", label: __("All Supplier Contacts") },
	{ value: "One Team Member", label: __("One Team Member") },
	{ value: "Third-Party Collaborator", label: __("Third-Party Collaborator") },
	{ value: "Role", label: __("Everybody with a Role") },
	{ value: "User Field", label: __("User Field of the Document") },
];

export function assignee_fields(user_fields) {
	const when = (kind) => ({
		depends_on: `eval:doc.assignee_kind=="${kind}"`,
		mandatory_depends_on: `eval:doc.assignee_kind=="${kind}"`,
	});
	return [
		{ fieldname: "assignee_kind", fieldtype: "Select", label: __("Assignee"), options: ASSIGNEE_KINDS() },
		{
			fieldname: "assignee_user",
			fieldtype: "Link",
			options: "User",
			label: __("Team Member"),
			...when("One Team Member"),
		},
		{
			fieldname: "assignee_role",
			fieldtype: "Link",
			options: "Role",
			label: __("Assignee Role"),
			...when("Role"),
		},
		{
			fieldname: "assignee_field",
			fieldtype: "Select",
			label: __("User Field"),
			options: user_fields,
			...when("User Field"),
		},
		{
			fieldname: "collaborator_name",
			fieldtype: "Data",
			label: __("Collaborator Name"),
			depends_on: when("Third-Party Collaborator").depends_on,
		},
		{
			fieldname: "collaborator_email",
			fieldtype: "Data",
			options: "Email",
			label: __("Collaborator E-Mail"),
			...when("Third-Party Collaborator"),
		},
	];
}

export function add_task(stage, doctype, then) {
	const user_fields = frappe.meta
		.get_docfields(doctype)
		.filter((field) => field.fieldtype === "Link" && field.options === "User")
		.map((field) => ({ value: field.fieldname, label: __(field.label, null, doctype) }));
	return ask(
		__("Add Task to {0}", [esc(stage.stage_name)]),
		__("Add Task"),
		[
			{ fieldname: "title", fieldtype: "Data", label: __("Task Title"), reqd: 1 },
			{
				fieldname: "required",
				fieldtype: "Check",
				label: __("Required"),
				description: __("While it is open, its milestone cannot be reached."),
			},
			{
				fieldname: "due_date",
				fieldtype: "Date",
				label: __("Due Date"),
				default: stage.key_date,
				description: __("Never after the milestone."),
			},
			...assignee_fields(user_fields),
			{ fieldname: "description", fieldtype: "Small Text", label: __("Description") },
		],
		then
	);
}

export function new_version(changes, then) {
	const rows = (changes || []).map((change) => `<li>${frappe.utils.escape_html(change_text(change))}</li>`);
	const intro = rows.length
		? `<p>${__("This is what changes:")}</p><ul>${rows.join("")}</ul>`
		: `<p>${__("No changes")}</p>`;
	return ask(__("Move to New Version"), __("Move Plan"), [], then, intro);
}

function change_text(change) {
	if (typeof change === "string") return change;
	return (
		change.text || change.description || change.message || Object.values(change).filter(Boolean).join(" · ")
	);
}
