// What changed between two versions of a workflow.
import { esc, own } from "../panel/words";

export function compare(frm) {
	ask(frm).then((comparison) => {
		if (!comparison.earlier) {
			return frappe.msgprint({
				title: __("Compare Versions"),
				indicator: "blue",
				message: __("There is only one version of this workflow in its history."),
			});
		}
		return open(frm, comparison);
	});
}

const ask = (frm, earlier, later) =>
	frappe.xcall("milestone_automation.api.compare_versions", { workflow: frm.docname, earlier, later });

function open(frm, comparison) {
	const options = comparison.versions.map(({ version, on, by }) => ({
		value: cstr(version),
		label: [__("Version {0}", [version]), on && frappe.datetime.str_to_user(on), by]
			.filter(Boolean)
			.join(" · "),
	}));
	const select = (fieldname, label) => ({
		fieldname,
		label,
		fieldtype: "Select",
		options,
		default: cstr(comparison[fieldname]),
		change: () => dialog && show_chosen(frm, dialog),
	});
	const dialog = new frappe.ui.Dialog({
		title: __("Compare Versions"),
		animate: false,
		size: "large",
		fields: [
			select("earlier", __("Earlier Version")),
			{ fieldtype: "Column Break" },
			select("later", __("Later Version")),
			{ fieldtype: "Section Break" },
			{ fieldname: "changes", fieldtype: "HTML" },
		],
	});
	dialog.$wrapper.addClass("milestone-versions");
	dialog.shown = `${comparison.earlier}-${comparison.later}`;
	show(dialog, comparison);
	dialog.show();
}

function show_chosen(frm, dialog) {
	const chosen = ["earlier", "later"].map((field) => cint(dialog.get_value(field)));
	const [earlier, later] = chosen.sort((one, other) => one - other);
	const wanted = `${earlier}-${later}`;
	if (dialog.shown === wanted) return;
	dialog.shown = wanted;
	ask(frm, earlier, later).then((comparison) => dialog.shown === wanted && show(dialog, comparison));
}

const show = (dialog, comparison) => dialog.fields_dict.changes.$wrapper.html(html(comparison));

function html({ changes }) {
	if (!changes.length) {
		return `<p class="milestone-muted">${__(
			"Nothing else than the order of milestones or tasks is different, which the history does not keep."
		)}</p>`;
	}
	return `<ul class="milestone-changes">${changes.map(change).join("")}</ul>`;
}

function change({ text, before, after }) {
	const lines = [lines_of(__("Before"), before), lines_of(__("Now"), after)].join("");
	return `<li>${esc(text)}${lines}</li>`;
}

function lines_of(label, lines) {
	if (!lines.length) return "";
	return `<div class="milestone-change"><span class="milestone-muted">${label}</span>
		<div>${lines.map(own).join("<br>")}</div></div>`;
}
