// The dialog in which a next step is written: what it waits for, what it does, and on which condition.
import { esc } from "../panel/words";
import * as choices from "./choices";
import { Mapping, Tables } from "./mapping";
import { AT_COMPLETION } from "./steps";

const ACTIONS = {};

// What steps can do is asked once for a document type.
function load(doctype) {
	ACTIONS[doctype] =
		ACTIONS[doctype] ||
		frappe.xcall("milestone_automation.api.get_step_actions", { doctype }).catch((error) => {
			delete ACTIONS[doctype];
			throw error;
		});
	return ACTIONS[doctype];
}

export function edit({ step, place, fields, on_done }) {
	const other = step && step.document_type;
	return Promise.all([load(fields.doctype), other && frappe.model.with_doctype(other)]).then(
		([known]) => new StepDialog({ step, place, fields, known, on_done })
	);
}

class StepDialog {
	constructor({ step, place, fields, known, on_done }) {
		Object.assign(this, { fields, known, on_done });
		this.step = as_mapping({ action: "Set Values", ...step });
		this.is_of_plan = place.field === "completed_actions";
		this.dialog = new frappe.ui.Dialog({
			title: step ? __("Edit Next Step") : __("Add Next Step"),
			size: "large",
			// Frappe takes the focus when a dialog has faded in, and cannot close it before.
			animate: false,
			fields: this.dialog_fields(),
			primary_action_label: __("Apply"),
			primary_action: () => this.done(),
		});
		this.dialog.$wrapper.addClass("milestone-step-dialog").attr("role", "dialog");
		this.dialog.$wrapper.attr("aria-label", this.dialog.title);
		this.dialog.fields_list.forEach(name_input);
		this.dialog.fields_dict.condition.$input.attr("dir", "ltr");
		this.dialog.show();
		this.show_arguments();
	}

	dialog_fields() {
		const options = (list) => list.map(({ value, label }) => ({ value, label }));
		return [
			{
				fieldname: "when",
				fieldtype: "Select",
				label: __("When the Milestone Is"),
				options: options(choices.STEP_EVENTS()),
				default: this.step.when || "Reached",
				hidden: this.is_of_plan,
			},
			{
				fieldname: "action",
				fieldtype: "Select",
				label: __("Do This"),
				options: options(this.actions()),
				default: this.step.action,
				onchange: () => this.on_action(),
			},
			{ fieldname: "arguments", fieldtype: "HTML" },
			{
				fieldname: "condition",
				fieldtype: "Small Text",
				label: __("Only If (Optional)"),
				default: this.step.condition || "",
				max_height: "64px",
				// Not as `code`, which Frappe 16 colours here, too faintly to be read.
				description: __("For example {0}", [`<samp dir="ltr">doc.status == 'Open'</samp>`]),
			},
			{
				fieldname: "insert_field",
				fieldtype: "Select",
				label: __("Insert a Field into the Condition"),
				options: [{ value: "", label: "" }, ...this.fields.readable()],
				onchange: () => this.insert_field(),
			},
		];
	}

	actions() {
		const labels = choices.STEP_ACTIONS();
		const others = this.known.actions.filter((one) => !one.is_own);
		return [...labels, ...others.map(({ name }) => ({ value: name, label: __(name) }))];
	}

	insert_field() {
		const field = this.dialog.get_value("insert_field");
		if (!field) return;
		const before = this.dialog.get_value("condition") || "";
		this.dialog.set_value("condition", `${before} doc.${field}`.trim());
		this.dialog.set_value("insert_field", "");
	}

	on_action() {
		const action = this.dialog.get_value("action");
		if (!action || action === this.step.action) return;
		this.step = { action };
		this.show_arguments();
	}

	// A control for each argument of the action.
	show_arguments() {
		const $place = this.dialog.fields_dict.arguments.$wrapper.empty();
		const action = this.known.actions.find((one) => one.name === this.step.action);
		this.readers = {};
		((action && action.arguments) || []).forEach((argument) => {
			const $part = $('<div class="milestone-step-argument"></div>').appendTo($place);
			this.readers[argument.name] = this.make(argument, $part);
		});
	}

	make(argument, $part) {
		const label = choices.ARGUMENT_LABELS()[argument.name] || frappe.unscrub(argument.name);
		const value = this.step[argument.name];
		if (argument.kind === "Mapping") return this.make_mapping($part, label, value);
		if (argument.kind === "Tables") return this.make_tables($part, label, value);
		const control = frappe.ui.form.make_control({
			parent: $part,
			df: {
				label,
				fieldname: argument.name,
				reqd: cint(argument.is_required),
				...this.field_of(argument),
				change: () => argument.kind === "Document Type" && this.on_document_type(control.get_value()),
			},
			render_input: true,
		});
		control.set_value(argument.kind === "Users" ? value || [] : value === undefined ? "" : value);
		name_input(control);
		return () => read_control(control, argument);
	}

	field_of({ kind }) {
		const select = (options) => ({ fieldtype: "Select", options: [{ value: "", label: "" }, ...options] });
		const names = (list) => list.map((name) => ({ value: name, label: __(name) }));
		const made = {
			User: () => ({ fieldtype: "Link", options: "User" }),
			Users: () => ({
				fieldtype: "MultiSelectPills",
				get_data: (text) => frappe.db.get_link_options("User", text),
			}),
			"Document Type": () => ({
				fieldtype: "Link",
				options: "DocType",
				get_query: () => ({ filters: { istable: 0, issingle: 0, is_virtual: 0 } }),
			}),
			Workflow: () => ({
				fieldtype: "Link",
				options: "Milestone Workflow",
				get_query: () => ({ filters: { enabled: 1, document_type: this.other_doctype() } }),
			}),
			"Link Field": () => select(this.fields.links()),
			"Workflow Action": () => select(names(this.known.workflow_actions)),
			Method: () => select(names(this.known.methods)),
			Webhook: () => select(names(this.known.webhooks)),
			Check: () => ({ fieldtype: "Check" }),
			Number: () => ({ fieldtype: "Float" }),
			List: () => ({ fieldtype: "Small Text", description: __("One per line") }),
		}[kind];
		return made ? made() : { fieldtype: "Data" };
	}

	// Of which documents the plan is that a step starts.
	other_doctype() {
		if (this.step.action === "Create Document") return this.readers.document_type() || "";
		if (this.step.action === "Start Next Plan") return this.fields.doctype;
		return this.fields.target_of(this.readers.link_field()) || "";
	}

	on_document_type(doctype) {
		if (!doctype || doctype === this.step.document_type) return;
		this.step = {
			...this.values(),
			action: this.step.action,
			document_type: doctype,
			fields: [],
			tables: [],
		};
		frappe.model.with_doctype(doctype, () => this.show_arguments());
	}

	target() {
		return this.step.action === "Create Document" ? this.fields.of(this.step.document_type) : this.fields;
	}

	make_mapping($part, label, rows) {
		const mapping = new Mapping($part, { label, rows, target: this.target(), source: this.fields });
		return () => mapping.value();
	}

	make_tables($part, label, rows) {
		const tables = new Tables($part, { label, rows, target: this.target(), source: this.fields });
		return () => tables.value();
	}

	values() {
		const pairs = Object.entries(this.readers || {}).map(([name, read]) => [name, read()]);
		return Object.fromEntries(pairs.filter(([_name, value]) => !is_empty(value)));
	}

	done() {
		const { when, condition } = this.dialog.get_values(true) || {};
		const values = this.values();
		const action = this.known.actions.find((one) => one.name === this.step.action);
		const missing = action.arguments.filter((one) => cint(one.is_required) && values[one.name] === undefined);
		if (missing.length) {
			const names = missing.map(({ name }) => choices.ARGUMENT_LABELS()[name] || frappe.unscrub(name));
			frappe.show_alert({
				message: __("Fill in: {0}", [names.map(esc).join(", ")]),
				indicator: "orange",
			});
			return;
		}
		this.dialog.hide();
		this.on_done({
			action: this.step.action,
			...(this.is_of_plan ? { when: AT_COMPLETION } : when === "Reached" ? {} : { when }),
			...(cstr(condition).trim() ? { condition: condition.trim() } : {}),
			...values,
		});
	}
}

// Frappe's label does not name the input for screen readers.
const name_input = ({ $input, df }) => $input && $input.attr("aria-label", df.label);

const is_empty = (value) =>
	value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length);

// One field set to a value is shown as several are.
function as_mapping(step) {
	if (step.action !== "Set Value") return step;
	const { field, value, ...rest } = step;
	return { ...rest, action: "Set Values", fields: [{ field, value }] };
}

function read_control(control, { kind }) {
	const value = control.get_value();
	if (kind === "Check") return cint(value) || undefined;
	if (kind === "List") return cstr(value).split("\n").filter(Boolean);
	return value;
}
