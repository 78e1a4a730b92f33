from milestone_automation.engine.base.compat import desk_route as _desk_route

app_name = "milestone_automation"
app_title = "Milestone Automation"
app_publisher = "Milestone Automation contributors"
app_description = "Recorded milestones, workflows with blocking tasks, and plans for any document"
app_email = "milestone-automation@example.com"
app_license = "MIT"

# Types
# -----
# Frappe writes the fields of each DocType into its controller.
export_python_type_annotations = True
# Frappe 16 and later refuse a whitelisted call with an argument that has no type.
require_type_annotated_api_methods = True

# Install
# -------
after_install = "milestone_automation.install.after_install"
before_migrate = "milestone_automation.install.before_migrate"
after_migrate = "milestone_automation.install.after_migrate"
before_uninstall = "milestone_automation.uninstall.before_uninstall"
after_uninstall = "milestone_automation.uninstall.after_uninstall"

# Assets
# ------
# Only the loader; panel and builder come when a page needs them.
app_include_js = "milestone_automation.bundle.js"
extend_bootinfo = "milestone_automation.desk.boot.extend_bootinfo"
add_to_apps_screen = [
	{
		"name": app_name,
		"logo": "/assets/milestone_automation/images/milestone_automation.svg",
		"title": app_title,
		"route": _desk_route("milestone-automation"),
		"has_permission": "milestone_automation.permissions.has_app_permission",
	}
]

# Website
# -------
on_session_creation = ["milestone_automation.engine.messages.user_changes.on_login"]
update_website_context = ["milestone_automation.links.portal_menu.add"]

# Requests
# --------
before_request = ["milestone_automation.door.hide_tracebacks_from_guests"]
# After every kind of login, and before anything is answered.
auth_hooks = [
	"milestone_automation.desk.named_rows.check",
	"milestone_automation.desk.prepared_reports.check_request",
]
after_request = [
	"milestone_automation.links.link_page.secure",
	"milestone_automation.desk.timeline.hide_recorded_values",
]

# Events
# ------
doc_events = {
	"*": {
		"before_change": "milestone_automation.events.before_change",
		"before_validate": "milestone_automation.events.begin_save",
		"before_save": "milestone_automation.events.before_write",
		"before_submit": "milestone_automation.events.before_write",
		"before_cancel": [
			"milestone_automation.events.begin_save",
			"milestone_automation.events.before_write",
		],
		"before_update_after_submit": [
			"milestone_automation.events.begin_save",
			"milestone_automation.events.before_write",
		],
		"on_update": "milestone_automation.events.after_write",
		"on_cancel": "milestone_automation.events.after_write",
		"on_update_after_submit": "milestone_automation.events.after_write",
		"on_change": "milestone_automation.events.on_change",
		"on_trash": "milestone_automation.events.on_trash",
		"after_rename": "milestone_automation.events.after_rename",
		"after_delete": "milestone_automation.events.after_delete",
	},
	(
		"Milestone Task",
		"Milestone Message",
		"Milestone Next Step",
		"Milestone Date Change",
		"Milestone Plan Log",
		"Milestone Plan",
		"Milestone Baseline",
	): {"onload": "milestone_automation.desk.link_titles.send"},
	# What is tracked is cached with the type of each field.
	"DocType": {
		"on_update": "milestone_automation.events.on_fields_change",
		"after_rename": "milestone_automation.events.after_doctype_rename",
		"after_delete": "milestone_automation.events.after_doctype_delete",
	},
	"Custom Field": {
		"on_change": "milestone_automation.events.on_fields_change",
		"on_trash": "milestone_automation.events.on_fields_change",
	},
	"Property Setter": {
		"on_update": "milestone_automation.events.clear_rules",
		"on_trash": "milestone_automation.events.clear_rules",
	},
	"Comment": {
		"validate": "milestone_automation.events.clean_comment",
		"on_change": "milestone_automation.events.on_comment",
		"after_delete": "milestone_automation.events.on_comment",
	},
	"File": {
		"validate": "milestone_automation.desk.core_calls.check_attachment",
		"on_change": "milestone_automation.events.on_file",
		"after_delete": "milestone_automation.events.on_file",
	},
	"Document Follow": {"validate": "milestone_automation.desk.core_calls.check_follow"},
	# What a worker prepares is the reader's own.
	"Prepared Report": {"before_insert": "milestone_automation.desk.prepared_reports.check_insert"},
	# A mailed summary shows what its user may read, not Administrator.
	"Auto Email Report": {"validate": "milestone_automation.desk.weekly_mail.on_validate"},
	# Who hears of a new milestone is cached.
	("Notification", "Webhook", "Server Script", "Assignment Rule", "Energy Point Rule", "Workflow"): {
		"on_change": "milestone_automation.engine.tracking.listeners.clear",
		"after_delete": "milestone_automation.engine.tracking.listeners.clear",
	},
	"User": {
		"on_update": "milestone_automation.engine.messages.user_changes.on_user_change",
		"after_delete": "milestone_automation.engine.messages.user_changes.on_user_deleted",
	},
	"ToDo": {
		"on_update": "milestone_automation.engine.progress.todo_changes.on_todo_change",
		"on_trash": "milestone_automation.engine.progress.todo_changes.on_todo_change",
	},
}

# Scheduler
# ---------
scheduler_events = {
	"hourly_long": [
		"milestone_automation.engine.plans.catching_up.run_hourly",
		"milestone_automation.forecasting.run",
		"milestone_automation.engine.messages.hourly.run",
	],
	# Next steps whose job was lost or killed, and those that are tried again.
	"cron": {"*/10 * * * *": ["milestone_automation.engine.progress.next_steps.run_left"]},
	"daily_long": [
		"milestone_automation.engine.plans.catching_up.run_nightly",
		"milestone_automation.desk.prepared_reports.prepare_heavy",
		"milestone_automation.roll_ups.run",
	],
}

# Old rows and personal data
# --------------------------
default_log_clearing_doctypes = {"Milestone Message": 365, "Milestone Next Step": 180}
# Names and addresses are replaced in every text of the rows that are about a person.
user_data_fields = [
	{"doctype": "Milestone Message", "filter_by": "recipient", "partial": True},
	{"doctype": "Milestone Task Assignee", "filter_by": "email", "partial": True},
	{"doctype": "Milestone Task", "filter_by": "collaborator_email", "partial": True},
	{"doctype": "Milestone Plan Stage", "filter_by": "outside_owner", "partial": True},
	{"doctype": "Milestone Plan Stage", "filter_by": "owner_email", "partial": True},
	{"doctype": "Milestone Workflow Stage", "filter_by": "owner_email", "partial": True},
	{"doctype": "Milestone Workflow Task", "filter_by": "collaborator_email", "partial": True},
	# What happened stays on record, without the name.
	{"doctype": "Milestone", "filter_by": "reached_by", "partial": True},
	{"doctype": "Milestone Plan Log", "filter_by": "done_by", "partial": True},
	{"doctype": "Milestone Date Change", "filter_by": "changed_by", "partial": True},
	{"doctype": "Milestone Date Change", "filter_by": "proposed_by", "partial": True},
	{"doctype": "Milestone Date Change", "filter_by": "answered_by", "partial": True},
]

# Permissions
# -----------
has_permission = {
	"Milestone": "milestone_automation.permissions.has_milestone_permission",
	"Milestone Plan": "milestone_automation.permissions.has_plan_permission",
	"Milestone Date Change": "milestone_automation.permissions.has_plan_permission",
	"Milestone Plan Log": "milestone_automation.permissions.has_plan_permission",
	"Milestone Next Step": "milestone_automation.permissions.has_step_permission",
	"Milestone Task": "milestone_automation.permissions.has_task_permission",
	"Milestone Message": "milestone_automation.permissions.has_message_permission",
	"Milestone Baseline": "milestone_automation.permissions.has_baseline_permission",
	# It holds the title of what is tagged, and everybody may list it.
	"Tag Link": "milestone_automation.permissions.has_tag_link_permission",
	"Prepared Report": "milestone_automation.desk.prepared_reports.has_permission",
}
permission_query_conditions = {
	"Milestone": "milestone_automation.permissions.milestone_query",
	"Milestone Plan": "milestone_automation.permissions.plan_query",
	"Milestone Date Change": "milestone_automation.permissions.date_change_query",
	"Milestone Plan Log": "milestone_automation.permissions.plan_log_query",
	"Milestone Next Step": "milestone_automation.permissions.next_step_query",
	"Milestone Task": "milestone_automation.permissions.task_query",
	"Milestone Message": "milestone_automation.permissions.message_query",
	"Milestone Baseline": "milestone_automation.permissions.baseline_query",
	"Tag Link": "milestone_automation.permissions.tag_link_query",
	"Prepared Report": "milestone_automation.desk.prepared_reports.query_condition",
	# Frappe 16 asks the parent's condition for its rows, Frappe 15 asks none.
	"Milestone Plan Stage": "milestone_automation.permissions.plan_stage_query",
	"Milestone Task Assignee": "milestone_automation.permissions.task_assignee_query",
	"Milestone Workflow Stage": "milestone_automation.permissions.workflow_stage_query",
	"Milestone Workflow Task": "milestone_automation.permissions.workflow_task_query",
	"Milestone Tracker Field": "milestone_automation.permissions.tracker_field_query",
	"Milestone Date Reason": "milestone_automation.permissions.date_reason_query",
}
# Frappe 15 searches for links without any permission when it is asked to ignore user permissions.
standard_queries = {
	"Milestone": "milestone_automation.api.search_links",
	"Milestone Baseline": "milestone_automation.api.search_links",
	"Milestone Date Change": "milestone_automation.api.search_links",
	"Milestone Date Reason": "milestone_automation.api.search_links",
	"Milestone Follow Up": "milestone_automation.api.search_links",
	"Milestone Message": "milestone_automation.api.search_links",
	"Milestone Next Step": "milestone_automation.api.search_links",
	"Milestone Plan": "milestone_automation.api.search_links",
	"Milestone Plan Log": "milestone_automation.api.search_links",
	"Milestone Plan Stage": "milestone_automation.api.search_links",
	"Milestone Roll Up": "milestone_automation.api.search_links",
	"Milestone Settings": "milestone_automation.api.search_links",
	"Milestone Task": "milestone_automation.api.search_links",
	"Milestone Task Assignee": "milestone_automation.api.search_links",
	"Milestone Tracker": "milestone_automation.api.search_links",
	"Milestone Tracker Field": "milestone_automation.api.search_links",
	"Milestone Workflow": "milestone_automation.api.search_links",
	"Milestone Workflow Stage": "milestone_automation.api.search_links",
	"Milestone Workflow Task": "milestone_automation.api.search_links",
}
# They look at rows without asking whether the user may see them; only what concerns our DocTypes is answered here.
override_whitelisted_methods = {
	"frappe.client.get_count": "milestone_automation.api.get_count",
	"frappe.desk.doctype.dashboard_chart.dashboard_chart.get": "milestone_automation.api.get_chart",
	"frappe.desk.doctype.tag.tag.get_tagged_docs": "milestone_automation.api.get_tagged_docs",
	"frappe.desk.form.linked_with.get": "milestone_automation.api.get_linked_with",
	"frappe.desk.listview.get_group_by_count": "milestone_automation.api.get_group_by_count",
	"frappe.desk.query_report.get_data_for_custom_field": "milestone_automation.api.get_data_for_custom_field",
	"frappe.utils.global_search.search": "milestone_automation.api.global_search",
	"frappe.workflow.doctype.workflow.workflow.get_workflow_state_count": (
		"milestone_automation.api.get_workflow_state_count"
	),
}
