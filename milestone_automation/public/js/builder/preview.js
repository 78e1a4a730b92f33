// What the workflow would make of a real document, also before it is saved.
import { problem_list } from "./problems";
import {
	assignee_name,
	criterion_ticks,
	date,
	float_words,
	gray_pill,
	learn_names,
	owner_text,
	own,
} from "../panel/words";

export function preview(frm) {
	ask_for_document(frm, __("Preview"), (name, $result) =>
		frappe.xcall("milestone_automation.api.preview_draft", { workflow: frm.doc, name }).then((result) => {
			learn_names(result.user_names);
			$result.html(html(result));
		})
	);
}

// A dialog that shows something of a document of the workflow, first of the newest one.
export function ask_for_document(frm, title, show) {
	const doctype = frm.doc.document_type;
	const on_change = () => {
		const name = dialog.get_value("document");
		if (!name || dialog.shown === name) return;
		dialog.shown = name;
		show(name, dialog.fields_dict.result.$wrapper);
	};
	const dialog = new frappe.ui.Dialog({
		title,
		animate: false,
		size: "large",
		fields: [
			{
				fieldname: "document",
				fieldtype: "Link",
				options: doctype,
				label: __("On this {0}", [__(doctype)]),
				reqd: 1,
				onchange: on_change,
			},
			{ fieldname: "result", fieldtype: "HTML" },
		],
	});
	dialog.show();
	frappe.db.get_list(doctype, { limit: 1, order_by: "creation desc" }).then((rows) => {
		if (rows.length) dialog.set_value("document", rows[0].name);
		else dialog.fields_dict.result.$wrapper.html(`<p>${__("There is no {0} yet.", [__(doctype)])}</p>`);
	});
}

function html({ matches, problems, stages }) {
	const fits = matches
		? __("This document gets this workflow.")
		: __("The workflow's filters or condition leave this document out.");
	return `
		<div class="milestone-preview">
			<p class="milestone-muted">${fits}</p>
			${problem_list(problems)}
			<ol class="milestone-preview-stages">${stages.map(stage_html).join("")}</ol>
		</div>`;
}

function stage_html(stage) {
	const parts = [stage.key_date ? date(stage.key_date) : __("no date yet"), own(owner_text(stage))];
	if (Number.isInteger(stage.float)) parts.push(__("Float: {0}", [float_words(stage.float)]));
	return `
		<li>
			<b>${own(stage.stage_name)}</b> ${stage.status === "Reached" ? gray_pill(__("Reached")) : ""}
			<span class="milestone-muted">${parts.filter(Boolean).join(" · ")}</span>
			${criterion_ticks(stage.criteria)}
			<ul>${(stage.tasks || []).map(task_html).join("")}</ul>
		</li>`;
}

function task_html(task) {
	const names = (task.assignees || []).map(assignee_name).filter(Boolean).map(own);
	const who = names.join(", ") || __("nobody is assigned");
	const due = task.due_date ? __("due {0}", [date(task.due_date)]) : "";
	const after = cstr(task.after_tasks).split("\n").filter(Boolean).map(own).join(", ");
	return `<li>${own(task.title)} ${task.required ? gray_pill(__("Required")) : ""}
		<span class="milestone-muted">${[who, due, after && __("after {0}", [after])]
			.filter(Boolean)
			.join(" · ")}</span></li>`;
}
