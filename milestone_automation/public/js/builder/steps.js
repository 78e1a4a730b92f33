// Next steps in the builder: sentences. A milestone, and the workflow for its completed plans, keep them as a list in one field.
import { code, esc, icon, own } from "../panel/words";
import * as choices from "./choices";
import { button } from "./inputs";
import { problem_list } from "./problems";

const SEPARATOR = "~";
// The owner of the workflow's own steps, which no row is called like.
export const COMPLETED = "completed";
export const AT_COMPLETION = "Plan Completed";

// Where a list of steps is kept: on the row of a milestone, or on the workflow.
export const place_of_stage = (stage) => ({ owner: stage.name, doc: stage, field: "next_actions" });
export const place_of_plan = (frm) => ({ owner: COMPLETED, doc: frm.doc, field: "completed_actions" });

export const is_name = (name) => cstr(name).includes(SEPARATOR);
// How the names of all steps of an owner begin.
export const start_of = (owner) => `${owner}${SEPARATOR}`;
export const name_of = (place, index) => `${start_of(place.owner)}${index}`;

// What a button of the list is about: the list, and the number of the step in it.
export function find(frm, name) {
	const [owner, index] = name.split(SEPARATOR);
	const stage = (frm.doc.stages || []).find((row) => row.name === owner);
	return { place: stage ? place_of_stage(stage) : place_of_plan(frm), index: cint(index) };
}

// What is not a list is left to the check of the server, which says so.
export function read({ doc, field }) {
	try {
		const steps = JSON.parse(doc[field] || "[]");
		return Array.isArray(steps) ? steps.filter((step) => step && typeof step === "object") : [];
	} catch (error) {
		return [];
	}
}

export const write = ({ doc, field }, steps) =>
	frappe.model.set_value(doc.doctype, doc.name, field, steps.length ? JSON.stringify(steps) : "");

export function list(place, fields, problems = {}) {
	const steps = read(place);
	const rows = steps.map((step, index) => {
		const row = { name: name_of(place, index) };
		const last = index === steps.length - 1;
		const step_problems = problems[index + 1] || [];
		return `
			<li class="milestone-task-row ${step_problems.length ? "has-problems" : ""}" data-step="${esc(row.name)}">
				<div class="milestone-task-line">
					<span class="milestone-grow milestone-step-sentence">${sentence(step, place, fields)}</span>
					<span class="milestone-card-buttons">
						${button("edit_step", row, __("Edit Next Step"), "edit")}
						${button("step_up", row, __("Move Up"), "up", index ? "" : "disabled")}
						${button("step_down", row, __("Move Down"), "down", last ? "disabled" : "")}
						${button("remove_step", row, __("Remove Next Step"), "trash")}
					</span>
				</div>
				${problem_list(step_problems)}
			</li>`;
	});
	const adding = name_of(place, -1);
	return `
		<ul class="milestone-criteria-rows" aria-label="${__("Next Steps")}">${rows.join("")}</ul>
		<button type="button" class="btn btn-xs milestone-quiet milestone-add" data-do="add_step"
			data-row="${esc(adding)}" data-focus="${esc(adding)}-add_step">
			${icon("plus")} ${__("Add Next Step")}</button>`;
}

// "When Shipped is reached: set Status to Completed, if doc.qty > 5"
export function sentence(step, place, fields) {
	const what = step.condition
		? __("{0}, if {1}", [action_words(step, fields), code(step.condition)])
		: action_words(step, fields);
	const stage = bold(place.doc.stage_name);
	const events = {
		"Reached Late": () => __("When {0} is reached late: {1}", [stage, what]),
		Blocked: () => __("When {0} is blocked: {1}", [stage, what]),
		Overdue: () => __("When {0} is overdue: {1}", [stage, what]),
	};
	if (place.owner === COMPLETED) return __("When the plan is completed: {0}", [what]);
	return (events[step.when] || (() => __("When {0} is reached: {1}", [stage, what])))();
}

const bold = (text) => `<b>${own(text || "…")}</b>`;

function action_words(step, fields) {
	const words = WORDS[step.action];
	return words ? words(step, fields) : other_words(step);
}

const WORDS = {
	"Set Value": (step, fields) => __("set {0}", [assignment(step, fields)]),
	"Set Values": (step, fields) => __("set {0}", [assignments(step.fields, fields)]),
	"Apply Workflow Action": (step) => __("apply the workflow action {0}", [bold(__(step.workflow_action))]),
	Submit: () => __("submit the document"),
	"Create Document": (step, fields) =>
		[
			__("create a new {0} with {1}", [
				bold(__(step.document_type)),
				assignments(step.fields, fields.of(step.document_type), fields),
			]),
			...(step.tables || []).map((table) => table_words(table, step, fields)),
			...(cint(step.submit) ? [__("submit it")] : []),
			...(step.workflow ? [__("start its plan {0}", [bold(step.workflow)])] : []),
		].join("; "),
	"Start Plan": (step, fields) => {
		const field = bold(fields.label_of(step.link_field));
		return step.workflow
			? __("start the plan {0} of the document in {1}", [bold(step.workflow), field])
			: __("start the plan of the document in {0}", [field]);
	},
	"Start Next Plan": (step) => __("start the next plan {0}", [bold(step.workflow)]),
	Assign: (step) => __("assign it to {0}", [bold(frappe.user.full_name(step.user || ""))]),
	"Add Tag": (step) => __("add the tag {0}", [bold(step.tag)]),
	"Add Comment": (step) => __("add the comment {0}", [bold(step.text)]),
	Notify: (step) =>
		__("notify {0}", [(step.users || []).map((user) => bold(frappe.user.full_name(user))).join(", ")]),
	"Call Method": (step) => __("call {0}", [bold(step.method)]),
	Webhook: (step) => __("call the webhook {0}", [bold(step.webhook)]),
};

// Of another app: what it is called, and what the step says.
function other_words(step) {
	const said = Object.entries(step)
		.filter(([name]) => !["action", "when", "condition"].includes(name))
		.map(
			([name, value]) => `${esc(name)}: ${bold(typeof value === "string" ? value : JSON.stringify(value))}`
		);
	return [bold(__(cstr(step.action))), ...said].join(", ");
}

function table_words(table, step, fields) {
	const label = bold(fields.of(step.document_type).label_of(table.table));
	return table.each
		? __("a row in {0} for each row of {1}", [label, bold(fields.label_of(table.each))])
		: __("a row in {0}", [label]);
}

const assignments = (rows, target, source = target) =>
	(Array.isArray(rows) ? rows : []).map((row) => assignment(row, target, source)).join(", ");

function assignment(row, target, source = target) {
	const field = bold(target.label_of(row.field));
	if (row.from !== undefined) return __("{0} to the value of {1}", [field, bold(source.label_of(row.from))]);
	if (row.formula !== undefined) return __("{0} to {1}", [field, code(row.formula)]);
	const value = choices.label_of(target.values(row.field) || [], cstr(row.value)) || row.value;
	return __("{0} to {1}", [field, cstr(value) ? bold(value) : __("nothing")]);
}
