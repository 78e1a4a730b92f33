// Which documents the grid shows: Frappe's own controls, and views that a user saved.
import { esc } from "../panel/words";

// Where Frappe keeps the settings of this user.
const PLAN = "Milestone Plan";
const KEY = "Milestone Grid";
const HEALTH = ["On Track", "At Risk", "Blocked", "Late", "Skipped", "On Hold", "Done"];
const STATUS = ["Active", "Completed", "Cancelled"];
const STATUS_LABEL = { Active: "Running", Completed: "Completed", Cancelled: "Cancelled" };

export class Filters {
	constructor(page, workflows, on_change) {
		this.page = page;
		this.workflows = workflows;
		this.on_change = frappe.utils.debounce(() => this.changed(on_change), 200);
	}

	start() {
		return frappe.model.user_settings.get(PLAN).then((settings) => {
			frappe.model.user_settings[PLAN] = settings;
			this.settings = settings[KEY] || {};
			return frappe.model.with_doctype(PLAN, () => {
				this.make();
				this.show_views();
				const { workflow } = frappe.route_options || {};
				const last = this.settings.last || {};
				frappe.route_options = null;
				return this.set(workflow && workflow !== last.workflow ? { workflow } : last).then(() => {
					this.is_ready = true;
				});
			});
		});
	}

	make() {
		const names = this.workflows;
		const field = (values) => this.page.add_field({ change: () => this.on_change(), ...values });
		const choice = (value, label) => ({ value, label });
		this.fields = {
			workflow: field({
				fieldname: "workflow",
				fieldtype: "Select",
				label: __("Milestone Workflow"),
				options: names.map((name) => choice(name, name)),
			}),
			status: field({
				fieldname: "status",
				fieldtype: "Select",
				label: __("Status"),
				options: [choice("", __("All Plans")), ...STATUS.map((one) => choice(one, __(STATUS_LABEL[one])))],
			}),
			document: field({ fieldname: "document", fieldtype: "Data", label: __("Document") }),
			health: field({
				fieldname: "health",
				fieldtype: "Select",
				label: __("Health"),
				options: [choice("", __("Any Health")), ...HEALTH.map((one) => choice(one, __(one)))],
			}),
			stage_owner: field({
				fieldname: "stage_owner",
				fieldtype: "Link",
				options: "User",
				label: __("Milestone Owner"),
			}),
			period: field({ fieldname: "period", fieldtype: "DateRange", label: __("Open Milestones Between") }),
		};
		this.make_more();
	}

	// All other fields of plans and their milestones, as in a list.
	make_more() {
		const $selector = $(`
			<div class="filter-selector milestone-sheet-filters">
				<button type="button" class="btn btn-default btn-sm filter-button">
					<span class="filter-icon">${frappe.utils.icon("filter")}</span>
					<span class="button-label">${__("Filter")}</span>
				</button>
			</div>`).appendTo(this.page.page_form);
		this.more = new frappe.ui.FilterGroup({
			doctype: PLAN,
			parent: $selector,
			filter_button: $selector.find(".filter-button"),
			filter_x_button: $(),
			default_filters: [],
			on_change: () => this.on_change(),
		});
	}

	// The view as it is saved

	view() {
		const value = (name) => this.fields[name].get_value() || "";
		const more = this.more.get_filters().map((row) => row.slice(0, 4));
		return {
			workflow: value("workflow"),
			status: value("status"),
			document: value("document"),
			health: value("health"),
			stage_owner: value("stage_owner"),
			period: this.fields.period.get_value() || [],
			more,
		};
	}

	set(view) {
		const { workflows } = this;
		const known = workflows.includes(view.workflow) ? view.workflow : workflows[0] || "";
		const values = {
			status: "Active",
			document: "",
			health: "",
			stage_owner: "",
			period: "",
			...view,
			workflow: known,
		};
		if (Array.isArray(values.period) && !values.period.length) values.period = "";
		const fields = Object.entries(this.fields).map(([name, field]) => field.set_value(values[name]));
		this.more.clear_filters();
		return Promise.all(fields)
			.then(() => this.more.add_filters(view.more || []))
			.then(() => {
				this.more.update_filter_button();
				this.asked = JSON.stringify(this.view());
			});
	}

	changed(then) {
		const view = this.view();
		const asked = JSON.stringify(view);
		if (!this.is_ready || asked === this.asked) return;
		this.asked = asked;
		this.save({ last: view });
		then();
	}

	save(values) {
		Object.assign(this.settings, values);
		return frappe.model.user_settings.save(PLAN, KEY, values);
	}

	clear() {
		this.set({ workflow: this.view().workflow }).then(() => {
			this.asked = null;
			this.on_change();
		});
	}

	// Opened from a workflow's form. Returns whether that changes what is shown.
	take_route() {
		const { workflow } = frappe.route_options || {};
		frappe.route_options = null;
		if (!workflow || workflow === this.fields.workflow.get_value()) return false;
		this.set({ workflow }).then(() => {
			this.asked = null;
			this.on_change();
		});
		return true;
	}

	is_filtered() {
		const { workflow, status, period, more, ...rest } = this.view();
		const is_set = status !== "Active" || period.length || more.length || Object.values(rest).some(Boolean);
		return !!workflow && !!is_set;
	}

	// As get_grid takes it.
	values() {
		const { workflow, status, document, health, stage_owner, period, more } = this.view();
		const filters = [...more];
		if (status) filters.push([PLAN, "status", "=", status]);
		if (health) filters.push([PLAN, "health", "=", health]);
		if (document) filters.push([PLAN, "reference_name", "like", `%${document}%`]);
		const [from_date, to_date] = period;
		return { workflow, filters, stage_owner, from_date, to_date };
	}

	// Saved views

	show_views() {
		const group = __("Views");
		const names = Object.keys(this.settings.views || {}).sort((a, b) => a.localeCompare(b));
		this.page.clear_inner_toolbar();
		names.forEach((name) => this.page.add_inner_button(esc(name), () => this.open_view(name), group));
		this.page.add_inner_button(__("Save This View"), () => this.save_view(), group);
		if (names.length) this.page.add_inner_button(__("Delete a View"), () => this.delete_view(names), group);
	}

	open_view(name) {
		this.set(this.settings.views[name]).then(() => {
			this.asked = null;
			this.on_change();
		});
	}

	save_view() {
		const field = {
			fieldname: "name",
			fieldtype: "Data",
			label: __("Name of the View"),
			reqd: 1,
			length: 60,
		};
		frappe.prompt(
			field,
			({ name }) => {
				this.save({ views: { ...this.settings.views, [name.trim()]: this.view() } });
				this.show_views();
			},
			__("Save This View"),
			__("Save")
		);
	}

	delete_view(names) {
		const field = {
			fieldname: "name",
			fieldtype: "Select",
			label: __("View"),
			options: names.map((name) => ({ value: name, label: name })),
			default: names[0],
			reqd: 1,
		};
		frappe.prompt(
			field,
			({ name }) => {
				const views = { ...this.settings.views };
				delete views[name];
				this.save({ views });
				this.show_views();
			},
			__("Delete a View"),
			__("Delete")
		);
	}
}
