// A refusal of the gate becomes a dialog in which it can be resolved. Frappe's own message is shown for what has nothing
// to resolve, such as a new document that has no plan yet.
const forms = new Map();

export const remember_form = (frm) => forms.set(frm.doctype, frm);

export function listen() {
	let request = null;
	// jQuery tells of the failed request after Frappe has told of its answer.
	$(document).on("ajaxError", (event, xhr, settings) => {
		request = settings;
	});
	frappe.request.on_error("GateError", (answer) => {
		request = null;
		setTimeout(() => show(answer, request));
	});
}

// A bundle that an old tab or a lost connection cannot load leaves nobody without words.
const LONGEST_WAIT = 8000;

function show(answer, request) {
	const tell = () => {
		frappe.hide_msgprint();
		frappe.msgprint(JSON.parse(answer._server_messages));
	};
	if (!answer.milestone_gate) return tell();
	const too_long = new Promise((_resolve, reject) => setTimeout(reject, LONGEST_WAIT));
	return Promise.race([milestone_automation.load_panel(), too_long]).then(
		() => milestone_automation.show_refusal(answer.milestone_gate, again(request)),
		tell
	);
}

// How to repeat what was refused; null where only its page knows, such as a board where a card was dragged.
function again(request) {
	if (!request || typeof request.data !== "string") return null;
	const method = cstr(request.url).split("/api/method/")[1];
	const args = Object.fromEntries(new URLSearchParams(request.data));
	if (method === "milestone_automation.api.confirm_stage") return milestone_automation.confirm_again(args);
	const frm = args.doc && form_of(JSON.parse(args.doc));
	if (!frm) return null;
	if (method === "frappe.desk.form.save.savedocs") return save_again(frm, args.action);
	if (method === "frappe.model.workflow.apply_workflow") return act_again(frm, args.action);
	return null;
}

function form_of({ doctype, name }) {
	const frm = forms.get(doctype);
	return frm && frm.docname === name ? frm : null;
}

function save_again(frm, action) {
	if (action === "Submit") return { label: __("Submit Again"), run: () => frm.savesubmit() };
	return { label: __("Save Again"), run: () => frm.save(action) };
}

// As Frappe's own button does it.
function act_again(frm, action) {
	const run = () =>
		frappe.xcall("frappe.model.workflow.apply_workflow", { doc: frm.doc, action }).then((doc) => {
			frappe.model.sync(doc);
			frm.refresh();
			frm.selected_workflow_action = null;
			frm.script_manager.trigger("after_workflow_action");
		});
	return { label: __("Try Again"), run };
}
