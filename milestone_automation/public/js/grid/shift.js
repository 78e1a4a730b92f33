// The dialog that shifts selected milestones by some days: it shows everything that would move before anything does.
import {
	LATER_STAGES,
	REASON,
	USUAL_REASONS,
	ask,
	ask_once,
	consequences,
	offer_reasons,
	refusal,
} from "../panel/dialogs";
import { esc, own } from "../panel/words";

const SHOWN = 20;

export function shift(cells, later_stages, then) {
	let dialog = null;
	const show_soon = frappe.utils.debounce(() => show(dialog, cells), 300);
	// Until the new answer is there nothing is shifted by the old one.
	const refresh = () => {
		if (dialog) dialog.disable_primary_action();
		show_soon();
	};
	const fields = [
		{
			fieldname: "days",
			fieldtype: "Int",
			label: __("Days"),
			reqd: 1,
			description: __("Negative numbers shift to earlier dates."),
			onchange: refresh,
		},
		{ fieldname: "working_days", fieldtype: "Check", label: __("Count working days"), onchange: refresh },
		...LATER_STAGES(later_stages, refresh),
		{ fieldname: "consequences", fieldtype: "HTML" },
		USUAL_REASONS(() => dialog),
		REASON(),
	];
	const title = cells.length === 1 ? __("Shift 1 Milestone") : __("Shift {0} Milestones", [cells.length]);
	dialog = ask(title, __("Shift"), fields, (values) =>
		then({ ...arguments_of(values), reason: values.reason })
	);
	dialog.disable_primary_action();
	offer_reasons(dialog);
	return dialog;
}

const arguments_of = ({ days, working_days, later_stages, keep_anchored }) => ({
	days,
	working_days: working_days ? 1 : 0,
	later_stages,
	keep_anchored: keep_anchored ? 1 : 0,
});

function show(dialog, cells) {
	const values = dialog.get_values(true) || {};
	const place = dialog.get_field("consequences").$wrapper;
	dialog.get_field("keep_anchored").$wrapper.toggle(values.later_stages === "Shift Too");
	dialog.disable_primary_action();
	const is_last = ask_once(dialog, arguments_of(values));
	if (!values.days) return place.empty();
	place.html(`<p class="milestone-muted" role="status">${__("Working out what would move …")}</p>`);
	frappe.call({
		method: "milestone_automation.api.preview_shift",
		args: { cells, ...arguments_of(values) },
		silent: true,
		callback: ({ message }) => {
			if (!is_last()) return;
			place.html(preview(message));
			if (message.documents.length) dialog.enable_primary_action();
		},
		error: (answer) => is_last() && place.html(`<p class="milestone-overdue">${refusal(answer)}</p>`),
	});
}

function preview({ documents, refused }) {
	const moves = documents.slice(0, SHOWN).map(
		(one, index) => `
			<details ${index < 3 ? "open" : ""}>
				<summary><b>${own(one.reference_name)}</b> ${moving(one.stages.length)}</summary>
				${consequences(one)}
			</details>`
	);
	const more = documents.length - SHOWN;
	if (more > 0) moves.push(`<p class="milestone-muted">${__("and {0} more documents", [more])}</p>`);
	return `<div class="milestone-shift-preview" role="status">${refusals(refused)}${moves.join("")}</div>`;
}

const moving = (count) => (count === 1 ? __("1 milestone moves") : __("{0} milestones move", [count]));

export function refusals(refused) {
	if (!refused.length) return "";
	const lines = refused
		.slice(0, SHOWN)
		.map(
			(one) => `<li>${one.reference_name ? `<b>${own(one.reference_name)}</b>: ` : ""}${esc(one.reason)}</li>`
		);
	const more = refused.length - SHOWN;
	if (more > 0) lines.push(`<li>${__("and {0} more documents", [more])}</li>`);
	const title =
		refused.length === 1
			? __("1 document stays as it is:")
			: __("{0} documents stay as they are:", [refused.length]);
	return `<div class="milestone-refused"><p class="milestone-overdue">${title}</p><ul>${lines.join(
		""
	)}</ul></div>`;
}
