// "My Milestones and Tasks": open tasks and milestones of the user, by date.
import { date, distance, esc, own, pill } from "./words";

export class MyWork {
	constructor(page) {
		this.$body = $('<div class="milestone-panel milestone-work"></div>').appendTo(page.main);
		this.$body.on("change", "input[data-task]", (event) => this.complete(event.currentTarget));
		this.page = page;
	}

	// How often mails come: chosen here, where every mail leads to. Not before it is known what holds now, and not set by
	// a later answer, which may be older than a choice.
	add_mail_choice(preference) {
		this.preference = preference;
		this.mails = this.page.add_field({
			fieldname: "mail_preference",
			fieldtype: "Select",
			label: __("Mails"),
			options: [
				{ value: "Daily", label: __("At most one mail a day") },
				{ value: "Each", label: __("Each message by mail") },
				{ value: "Bell Only", label: __("No mails, the bell only") },
			],
			change: () => this.choose_mails(this.mails.get_value()),
		});
		this.mails.$input.attr("aria-label", __("Mails"));
		this.mails.set_input(preference);
	}

	choose_mails(preference) {
		if (!preference || preference === this.preference) return;
		frappe
			.xcall("milestone_automation.api.set_mail_preference", { preference })
			.then((stored) => {
				this.preference = stored;
				frappe.show_alert({ message: __("Saved"), indicator: "green" });
			})
			.catch(() => this.mails.set_input(this.preference));
	}

	load() {
		return frappe.xcall("milestone_automation.api.get_my_work").then((work) => {
			if (!this.mails) this.add_mail_choice(work.mail_preference);
			this.$body.html(html(work));
		});
	}

	complete(box) {
		box.disabled = true;
		frappe
			.xcall("milestone_automation.api.complete_task", { task: box.dataset.task })
			.then(() => frappe.show_alert({ message: __("1 task completed."), indicator: "green" }))
			.finally(() => this.load());
	}
}

function html({ today, tasks, stages }) {
	if (!tasks.length && !stages.length) {
		return `<p class="milestone-empty">${__("Nothing waits for you.")}</p>`;
	}
	return (
		group(
			__("Tasks"),
			tasks.length,
			by_time(tasks, "due_date", today, (row) => task(row, today))
		) +
		group(
			__("Milestones"),
			stages.length,
			by_time(stages, "key_date", today, (row) => stage(row, today))
		)
	);
}

const group = (title, count, body) =>
	count
		? `<section aria-label="${title}"><h2 class="milestone-work-title">${title} (${count})</h2>${body}</section>`
		: "";

function by_time(rows, field, today, row_html) {
	const week = frappe.datetime.add_days(today, 7);
	const parts = [
		[__("Late"), (day) => day && day < today],
		[__("Within a Week"), (day) => day && day >= today && day <= week],
		[__("Later"), (day) => day && day > week],
		[__("Without a Date"), (day) => !day],
	];
	return parts
		.map(([title, fits]) => {
			const part_rows = rows.filter((row) => fits(row[field]));
			return part_rows.length
				? `<h3 class="milestone-work-when">${title}</h3><ul class="milestone-tasks">${part_rows
						.map(row_html)
						.join("")}</ul>`
				: "";
		})
		.join("");
}

const about = (row) => own(`${__(row.reference_type)} ${row.reference_name}`);

function reference(row) {
	const link = frappe.utils.get_form_link(row.reference_type, row.reference_name);
	return `<a href="${link}">${about(row)}</a>`;
}

function when(day, today) {
	if (!day) return "";
	const text = `${date(day)} (${distance(day, today)})`;
	return `<span class="milestone-day ${day < today ? "milestone-overdue" : ""}">${text}</span>`;
}

function task(row, today) {
	const id = `milestone-mine-${esc(row.name)}`;
	return `
		<li class="milestone-task">
			<input type="checkbox" id="${id}" data-task="${esc(row.name)}">
			<div class="milestone-task-text">
				<label for="${id}">${esc(row.title)}</label>
				${row.required ? `<span class="milestone-pill" data-color="purple">${__("Required")}</span>` : ""}
				<div class="milestone-muted">${[reference(row), own(row.stage_name), when(row.due_date, today)]
					.filter(Boolean)
					.join(" · ")}</div>
			</div>
		</li>`;
}

// Of a document that the user may not read: what people from outside see, and where they answer.
function stage_from_outside(row, today) {
	const answer = `<a href="${esc(row.answer_url)}">${__("Answer")}</a>`;
	return `
		<li class="milestone-task">
			<div class="milestone-task-text">
				<b>${esc(row.stage_name)}</b>
				<div class="milestone-muted">${[about(row), when(row.key_date, today), answer]
					.filter(Boolean)
					.join(" · ")}</div>
			</div>
		</li>`;
}

function stage(row, today) {
	if (row.answer_url) return stage_from_outside(row, today);
	const open = row.open_required
		? row.open_required === 1
			? __("1 open task")
			: __("{0} open tasks", [row.open_required])
		: "";
	const unmet = row.open_criteria
		? row.open_criteria === 1
			? __("1 open exit criterion")
			: __("{0} open exit criteria", [row.open_criteria])
		: "";
	return `
		<li class="milestone-task">
			<div class="milestone-task-text">
				<b>${esc(row.stage_name)}</b> ${pill(row.health)}
				<div class="milestone-muted">${[reference(row), when(row.key_date, today), open, unmet]
					.filter(Boolean)
					.join(" · ")}</div>
			</div>
		</li>`;
}
