frappe.listview_settings["Milestone Plan"] = {
	add_fields: ["status", "health", "current_stage", "next_date", "reference_type", "reference_name"],
	filters: [["status", "=", "Active"]],
	hide_name_column: true,

	get_indicator(plan) {
		if (plan.status === "Cancelled") return [__("Cancelled"), "gray", "status,=,Cancelled"];
		if (plan.status === "Completed") return [__("Completed"), "green", "status,=,Completed"];
		const colors = {
			"On Track": "blue",
			"At Risk": "orange",
			Blocked: "purple",
			Late: "red",
			Skipped: "gray",
			"On Hold": "gray",
			Done: "green",
		};
		return [__(plan.health), colors[plan.health], `health,=,${plan.health}|status,=,Active`];
	},

	button: {
		show: (plan) => plan.reference_name,
		get_label: () => __("Open Document"),
		get_description: (plan) => __("Open {0}", [`${__(plan.reference_type)} ${plan.reference_name}`]),
		action: (plan) => frappe.set_route("Form", plan.reference_type, plan.reference_name),
	},

	onload(list) {
		// Read-only: moving a date needs a reason, which the plan asks for.
		if (list.view_name === "Gantt") list.can_write = false;
		// In one menu: beside the sidebar of Frappe 16, a screen 1024 wide has no room for two more buttons.
		const open = (label, page) => list.page.add_inner_button(label, () => frappe.set_route(page), __("View"));
		open(__("Board by Milestone"), "milestone-board");
		open(__("Milestone Grid"), "milestone-grid");
		const add = (label, act) =>
			list.page.add_actions_menu_item(label, () => act(list, list.get_checked_items()), false);
		add(__("Confirm Current Milestones"), confirm_current);
		add(__("Shift Current Milestones"), shift_current);
		if (frappe.user.has_role(["System Manager", "Milestone Manager"])) add(__("Cancel Plans"), cancel);
	},
};

function confirm_current(list, plans) {
	const field = milestone_automation.REACHED_ON(frappe.datetime.get_today());
	ask(__("Confirm Current Milestones"), __("Confirm"), field, (values) =>
		act_on(list, plans, "confirm_current_milestones", values)
	);
}

function cancel(list, plans) {
	const field = { fieldname: "reason", fieldtype: "Small Text", label: __("Reason"), reqd: 1 };
	const title = plans.length === 1 ? __("Cancel 1 Plan") : __("Cancel {0} Plans", [plans.length]);
	ask(title, __("Cancel Plans"), field, (values) => act_on(list, plans, "cancel_selected_plans", values));
}

// The dialog of the grid, which shows everything that would move.
function shift_current(list, plans) {
	const cells = plans
		.filter((plan) => plan.current_stage)
		.map((plan) => ({ plan: plan.name, stage: plan.current_stage, key_date: null }));
	if (!cells.length) return frappe.msgprint(__("None of these plans has an open milestone."));
	return milestone_automation
		.load_grid()
		.then(() =>
			milestone_automation.shift(cells, null, (values) =>
				frappe
					.xcall("milestone_automation.api.shift_stages", { cells, ...values })
					.then(({ moved, refused }) => tell(list, moved, refused))
			)
		);
}

function ask(title, label, field, then) {
	frappe.prompt([field], then, title, label);
}

function act_on(list, plans, method, values) {
	return frappe
		.xcall(`milestone_automation.api.${method}`, { plans: plans.map((plan) => plan.name), ...values })
		.then(({ done, refused }) => tell(list, done, refused));
}

function tell(list, done, refused) {
	list.clear_checked_items();
	list.refresh();
	if (done.length) {
		const text = done.length === 1 ? __("1 plan changed.") : __("{0} plans changed.", [done.length]);
		frappe.show_alert({ message: text, indicator: "green" });
	}
	if (!refused.length) return;
	const rows = refused.map(({ plan, reference_name, reason }) => {
		const link = frappe.utils.get_form_link("Milestone Plan", plan);
		const name = frappe.utils.escape_html(reference_name || plan);
		// The reason is HTML: its text is taken as the browser reads it, and told as text again.
		const text = new DOMParser().parseFromString(reason, "text/html").body.textContent;
		return `<li><a href="${link}">${name}</a>: ${frappe.utils.escape_html(text)}</li>`;
	});
	frappe.msgprint({
		title:
			refused.length === 1 ? __("1 plan stays as it is") : __("{0} plans stay as they are", [refused.length]),
		indicator: "orange",
		message: `<ul>${rows.join("")}</ul>`,
	});
}
