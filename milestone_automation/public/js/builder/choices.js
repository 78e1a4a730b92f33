// Options of a workflow with their labels. Values are stored as they are; only labels are translated.

export const KINDS = () => [
	{ value: "Standard", label: __("Standard") },
	{ value: "Acceptance", label: __("Acceptance (no tasks)") },
];

export const OWNER_KINDS = () => [
	{ value: "Document Creator", label: __("Document creator") },
	{ value: "User", label: __("One user") },
	{ value: "Role", label: __("Everybody with a role") },
	{ value: "User Field", label: __("A user named in the document") },
	{ value: "Supplier Contact", label: __("A contact of the document's supplier") },
	{ value: "Third-Party Collaborator", label: __("A third-party collaborator") },
];

export const DEPENDENCIES = () => [
	{ value: "Previous Milestone", label: __("the previous milestone") },
	{ value: "Chosen Milestones", label: __("these milestones") },
	{ value: "Nothing", label: __("nothing: it starts a branch") },
];

export const DATE_RULES = (is_first, dependency = "Previous Milestone") => [
	{ value: "Document Date Field", label: __("a date of the document") },
	{ value: "After Creation", label: __("the document's creation") },
	...(is_first || dependency === "Nothing"
		? []
		: [
				{
					value: "After Previous Milestone",
					label:
						dependency === "Chosen Milestones"
							? __("the milestones it depends on")
							: __("the previous milestone"),
				},
		  ]),
	{ value: "Set Manually", label: __("nothing: set manually") },
];

export const REACH_RULES = () => [
	{ value: "Confirmation", label: __("its owner confirms it") },
	{ value: "Field Value", label: __("a document field changes to…") },
];

export const GATE_MODES = () => [
	{ value: "Block", label: __("it cannot be reached") },
	{ value: "Warn", label: __("it can be reached, and a warning is logged") },
	{ value: "Off", label: __("nothing happens") },
];

export const CRITERION_KINDS = () => [
	{ value: "Field Is Set", label: __("a field is set") },
	{ value: "Condition Is Met", label: __("the document meets a condition") },
	{ value: "File Is Attached", label: __("a file is attached") },
	{ value: "Comment Was Given", label: __("a comment was given") },
	{ value: "Other Document Exists", label: __("another document exists, submitted if it can be") },
];

export const STEP_EVENTS = () => [
	{ value: "Reached", label: __("reached") },
	{ value: "Reached Late", label: __("reached late") },
	{ value: "Blocked", label: __("blocked") },
	{ value: "Overdue", label: __("overdue") },
];

// As they are chosen; a single value is set like several.
export const STEP_ACTIONS = () => [
	{ value: "Set Values", label: __("Set fields") },
	{ value: "Apply Workflow Action", label: __("Apply a workflow action") },
	{ value: "Submit", label: __("Submit the document") },
	{ value: "Create Document", label: __("Create a document") },
	{ value: "Start Plan", label: __("Start the plan of a linked document") },
	{ value: "Start Next Plan", label: __("Start the next plan of this document") },
	{ value: "Assign", label: __("Assign it to a user") },
	{ value: "Add Tag", label: __("Add a tag") },
	{ value: "Add Comment", label: __("Add a comment") },
	{ value: "Notify", label: __("Notify users") },
	{ value: "Call Method", label: __("Call a function of an app") },
	{ value: "Webhook", label: __("Call a webhook") },
];

export const ARGUMENT_LABELS = () => ({
	fields: __("Fields"),
	tables: __("Rows of the New Document"),
	document_type: __("Document Type"),
	submit: __("Submit It"),
	workflow: __("Start This Plan for It"),
	link_field: __("Field with the Document"),
	workflow_action: __("Workflow Action"),
	user: __("User"),
	users: __("Users"),
	description: __("Description"),
	subject: __("Subject"),
	tag: __("Tag"),
	text: __("Comment"),
	method: __("Function"),
	webhook: __("Webhook"),
});

export const VALUE_SOURCES = (has_row) => [
	{ value: "value", label: __("a value") },
	{ value: "from", label: has_row ? __("a field of the row") : __("a field of the document") },
	{ value: "formula", label: __("a formula") },
];

export const ASSIGNEE_KINDS = () => [
	{ value: "", label: __("Nobody yet") },
	{ value: "Whole Team", label: __("The whole team") },
	{ value: "All Supplier Contacts", label: __("All supplier contacts") },
	{ value: "One Team Member", label: __("One team member") },
	{ value: "Third-Party Collaborator", label: __("A third-party collaborator") },
	{ value: "Role", label: __("Everybody with a role") },
	{ value: "User Field", label: __("A user named in the document") },
];

export const COMPLETION_RULES = () => [
	{ value: "Any Of", label: __("any one of them") },
	{ value: "All Of", label: __("all of them") },
];

export const label_of = (choices, value) => (choices.find((one) => one.value === value) || {}).label || "";
