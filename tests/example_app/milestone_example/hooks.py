app_name = "milestone_example"
app_title = "Milestone Example"
app_publisher = "Milestone Automation contributors"
app_description = "What another app can add to milestones and hear of them"
app_email = "milestone-automation@example.com"
app_license = "MIT"

# Actions for next steps, beside those that come with Milestone Automation.
milestone_actions = {
	"Write to the Diary": {
		"function": "milestone_example.milestones.write_to_diary",
		"problems": "milestone_example.milestones.why_not_to_diary",
	}
}
# Functions that the action Call Method may call.
milestone_methods = ["milestone_example.milestones.count_pieces"]
# What happens in plans.
milestone_events = {
	"reached": "milestone_example.milestones.hear",
	"reached_late": "milestone_example.milestones.hear",
	"blocked": "milestone_example.milestones.hear",
	"overdue": "milestone_example.milestones.hear",
	"undone": "milestone_example.milestones.hear",
	"plan_completed": "milestone_example.milestones.hear",
}
# The same for documents of one kind, as any event of a document.
doc_events = {"Production Order": {"on_milestone_reached": "milestone_example.milestones.on_reached"}}
