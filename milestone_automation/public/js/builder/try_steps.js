// A dry run: what the next steps of the workflow would do to a real document, also before it is saved.
import { esc } from "../panel/words";
import * as steps from "./steps";
import { ask_for_document } from "./preview";

export function try_steps(frm, fields) {
	ask_for_document(frm, __("Try Next Steps"), (name, $result) =>
		frappe
			.xcall("milestone_automation.api.try_next_steps", { workflow: frm.doc, name })
			.then((answer) => $result.html(html(answer, frm, fields)))
	);
}

function html({ stages, completed }, frm, fields) {
	const parts = (frm.doc.stages || []).map((stage, index) =>
		outcomes(stages[index] || [], steps.place_of_stage(stage), fields)
	);
	parts.push(outcomes(completed, steps.place_of_plan(frm), fields));
	const lists = parts.join("");
	return `
		<div class="milestone-preview">
			<p class="milestone-muted">${__(
				"Nothing is changed and nothing is sent. Each step is tried with the rights of its author."
			)}</p>
			${lists ? `<ul class="milestone-tried">${lists}</ul>` : `<p>${__("This workflow has no next steps.")}</p>`}
		</div>`;
}

function outcomes(tried_steps, place, fields) {
	const list = steps.read(place);
	return tried_steps
		.map(
			({ is_done, sentences }, index) => `
			<li class="${is_done ? "is-done" : "is-not-done"}">
				<div>${steps.sentence(list[index] || {}, place, fields)}</div>
				<div class="milestone-tried-outcome"><b>${is_done ? __("Yes") : __("No")}</b>
					${sentences.map((one) => `<span>${esc(one)}</span>`).join(" ")}</div>
			</li>`
		)
		.join("");
}
