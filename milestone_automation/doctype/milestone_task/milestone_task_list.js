frappe.listview_settings["Milestone Task"] = {
	add_fields: ["status", "required", "due_date", "stage_name", "reference_type", "reference_name"],
	filters: [["status", "=", "Open"]],
	hide_name_column: true,

	get_indicator(task) {
		if (task.status !== "Open") {
			const colors = { Completed: "green", Waived: "yellow", Cancelled: "gray" };
			return [__(task.status), colors[task.status], `status,=,${task.status}`];
		}
		const today = frappe.datetime.get_today();
		if (task.due_date && task.due_date < today) {
			return [__("Overdue"), "red", `status,=,Open|due_date,<,${today}`];
		}
		if (task.due_date === today) return [__("Due Today"), "orange", `status,=,Open|due_date,=,${today}`];
		return [__("Open"), "blue", "status,=,Open"];
	},

	button: {
		show: (task) => task.status === "Open",
		get_label: () => `✓ ${__("Done")}`,
		// Frappe prints it into an attribute.
		get_description: (task) => __("Complete {0}", [frappe.utils.escape_html(task.title)]),
		action: (task) => complete([task.name]),
	},

	// A task is one of many with the same title: the line begins with its document. A formatter would take the line's link away.
	before_render() {
		const list = window.cur_list;
		if (!list || list.doctype !== "Milestone Task" || !["List", "Gantt"].includes(list.view_name)) return;
		list.data.forEach((task) => {
			task.own_title = task.own_title || task.title;
			task.title = [task.reference_name, task.own_title].filter(Boolean).join(" · ");
		});
		name_gantt_bars(list);
	},

	onload(list) {
		list.page.add_actions_menu_item(
			__("Complete Tasks"),
			() => complete(list.get_checked_items(true)),
			false
		);
		list.page.add_inner_button(__("Assigned to Me"), () => {
			list.filter_area.add("Milestone Task", "_assign", "like", `%${frappe.session.user}%`);
		});
	},
};

// Frappe writes the name behind each title, which nobody reads.
function name_gantt_bars(list) {
	(list.tasks || []).forEach((bar, index) => (bar.name = list.data[index].title));
}

function complete(tasks) {
	return frappe
		.xcall("milestone_automation.api.complete_tasks", { tasks_to_complete: tasks })
		.then(({ completed, failed }) => {
			const list = window.cur_list;
			if (list && list.doctype === "Milestone Task") {
				list.clear_checked_items();
				list.refresh();
			}
			if (completed.length) {
				const text =
					completed.length === 1 ? __("1 task completed.") : __("{0} tasks completed.", [completed.length]);
				frappe.show_alert({ message: text, indicator: "green" });
			}
			if (failed.length) {
				const shown = (list && list.data) || [];
				const rows = failed.map(({ task, reason }) => {
					const { title } = shown.find(({ name }) => name === task) || {};
					const text = frappe.utils.escape_html(title || task);
					const link = frappe.utils.get_form_link("Milestone Task", task, true, text);
					return `<li>${link}: ${frappe.utils.escape_html(strip_html(reason))}</li>`;
				});
				frappe.msgprint({
					title: __("Not Completed"),
					indicator: "orange",
					message: `<ul>${rows.join("")}</ul>`,
				});
			}
		});
}
