"""The options of all Select fields, each defined once.

The values of a class, in this order, are the options of the fields of the DocTypes; a test compares the two. Members
are strings: they compare equal to what the database stores, go into queries and JSON as they are, and print as their
value.
"""

from enum import Enum


class Vocabulary(str, Enum):
	"""Base class of all vocabularies; replaces ``enum.StrEnum``, which Python 3.10 does not have."""

	def __str__(self) -> str:
		"""Return the stored value, not the name of the member."""
		return str(self.value)


class StageKind(Vocabulary):
	"""Kind of a stage. An acceptance has no tasks."""

	STANDARD = "Standard"
	ACCEPTANCE = "Acceptance"


class OwnerKind(Vocabulary):
	"""Who owns a stage and is asked whether it is reached."""

	DOCUMENT_CREATOR = "Document Creator"
	USER = "User"
	ROLE = "Role"
	USER_FIELD = "User Field"
	SUPPLIER_CONTACT = "Supplier Contact"
	THIRD_PARTY_COLLABORATOR = "Third-Party Collaborator"


# They answer without any right to the document.
OUTSIDE_OWNERS = (OwnerKind.SUPPLIER_CONTACT, OwnerKind.THIRD_PARTY_COLLABORATOR)


class KeyDateRule(Vocabulary):
	"""What a stage's key date is counted from."""

	DOCUMENT_DATE_FIELD = "Document Date Field"
	AFTER_PREVIOUS_MILESTONE = "After Previous Milestone"
	AFTER_CREATION = "After Creation"
	SET_MANUALLY = "Set Manually"


class Dependency(Vocabulary):
	"""Which milestones a stage comes after."""

	PREVIOUS = "Previous Milestone"
	CHOSEN = "Chosen Milestones"
	NOTHING = "Nothing"


class ReachRule(Vocabulary):
	"""How a stage is reached: a tracked field gets a value, or somebody confirms it."""

	FIELD_VALUE = "Field Value"
	CONFIRMATION = "Confirmation"


class GateMode(Vocabulary):
	"""What open required tasks do when a stage is about to be reached."""

	BLOCK = "Block"
	WARN = "Warn"
	OFF = "Off"


class EntryRule(Vocabulary):
	"""What happens to a document that has the value of a blocked milestone before it has a plan."""

	REFUSE = "Refuse"
	ACCEPT = "Accept as Reached"


class ShiftMode(Vocabulary):
	"""What later stages do when a key date moves."""

	SHIFT_TOO = "Shift Too"
	KEEP_ORDER = "Keep Order"
	ASK = "Ask"


class AssigneeKind(Vocabulary):
	"""Who a task is assigned to."""

	WHOLE_TEAM = "Whole Team"
	ALL_SUPPLIER_CONTACTS = "All Supplier Contacts"
	ONE_TEAM_MEMBER = "One Team Member"
	THIRD_PARTY_COLLABORATOR = "Third-Party Collaborator"
	ROLE = "Role"
	USER_FIELD = "User Field"


class CompletionRule(Vocabulary):
	"""How many assignees have to complete a task."""

	ANY_OF = "Any Of"
	ALL_OF = "All Of"


class PlanStatus(Vocabulary):
	"""Status of a plan."""

	ACTIVE = "Active"
	COMPLETED = "Completed"
	CANCELLED = "Cancelled"


class StageStatus(Vocabulary):
	"""Status of a stage of a plan."""

	OPEN = "Open"
	REACHED = "Reached"


class TaskStatus(Vocabulary):
	"""Status of a task. Only an open task can block its stage."""

	OPEN = "Open"
	COMPLETED = "Completed"
	CANCELLED = "Cancelled"
	WAIVED = "Waived"


class Health(Vocabulary):
	"""Health of a stage or a plan; the rules are in ``engine/rules/health.py``."""

	ON_TRACK = "On Track"
	AT_RISK = "At Risk"
	BLOCKED = "Blocked"
	LATE = "Late"
	SKIPPED = "Skipped"
	ON_HOLD = "On Hold"
	DONE = "Done"


class DateChangeSource(Vocabulary):
	"""What moved a stage's key date."""

	PROMPT = "Prompt"
	FORM = "Form"
	DOCUMENT_FIELD = "Document Field"
	IMPORT = "Import"
	PREVIOUS_MILESTONE = "Previous Milestone"
	WORKFLOW_VERSION = "Workflow Version"
	ON_HOLD = "On Hold"
	PROPOSAL = "Proposal"


class DateChangeStatus(Vocabulary):
	"""Whether a date change is in effect. Reports count accepted ones."""

	ACCEPTED = "Accepted"
	PROPOSED = "Proposed"
	DECLINED = "Declined"


class MilestoneSource(Vocabulary):
	"""What recorded a milestone."""

	SAVE = "Save"
	IMPORT = "Import"
	BACKFILL = "Backfill"
	RECONCILE = "Reconcile"
	CONFIRMATION = "Confirmation"


class MessageKind(Vocabulary):
	"""Why a message was sent."""

	PROMPT = "Prompt"
	REMINDER = "Reminder"
	BLOCKED = "Blocked"
	BLOCKED_OWNER = "Blocked (Owner)"
	TASK_DUE = "Task Due"
	TASK_OVERDUE = "Task Overdue"
	ESCALATION = "Escalation"
	NO_NEXT_DATE = "No Next Date"
	WARNING = "Warning"
	CHECK_IN = "Check-In"
	NOTICE = "Notice"
	DIGEST = "Digest"


class MessageChannel(Vocabulary):
	"""How a message is sent."""

	MAIL = "Mail"
	NOTIFICATION = "Notification"
	MAIL_AND_NOTIFICATION = "Mail and Notification"
	DIGEST = "Digest"


class MessageStatus(Vocabulary):
	"""Status of a message."""

	QUEUED = "Queued"
	WAITING_FOR_DIGEST = "Waiting for Digest"
	SENT = "Sent"
	SKIPPED = "Skipped"
	FAILED = "Failed"


class PlanEvent(Vocabulary):
	"""Events in the log of a plan, besides date changes and milestones."""

	PLAN_STARTED = "Plan Started"
	PLAN_CANCELLED = "Plan Cancelled"
	CANCELLATION_UNDONE = "Cancellation Undone"
	PLAN_COMPLETED = "Plan Completed"
	PLAN_PUT_ON_HOLD = "Plan Put on Hold"
	PLAN_RESUMED = "Plan Resumed"
	PLAN_MOVED_TO_NEW_VERSION = "Plan Moved to New Version"
	DATE_NOT_FOLLOWED = "Date Not Followed"
	DATE_PROPOSED = "Date Proposed"
	DATE_ACCEPTED = "Date Accepted"
	DATE_DECLINED = "Date Declined"
	CONFIRMED_ON_TRACK = "Confirmed on Track"
	MILESTONE_REACHED = "Milestone Reached"
	MILESTONE_UNDONE = "Milestone Undone"
	REACHED_WITH_WARNING = "Reached with Warning"
	REACHED_WITHOUT_TASKS = "Reached Without Required Tasks"
	REACHED_WITHOUT_CRITERIA = "Reached Without Exit Criteria"
	REACHED_OUT_OF_ORDER = "Reached Out of Order"
	ACCEPTED_AS_REACHED = "Accepted as Reached"
	GATE_FAILED = "Gate Check Failed"
	TASK_COMPLETED = "Task Completed"
	TASK_REOPENED = "Task Reopened"
	TASK_WAIVED = "Task Waived"
	TASK_CANCELLED = "Task Cancelled"
	TASK_ADDED = "Task Added"
	TASK_MADE_REQUIRED = "Task Made Required"
	TASK_MADE_OPTIONAL = "Task Made Optional"
	TASK_DELETED = "Task Deleted"
	TASK_HANDED_OVER = "Task Handed Over"
	MILESTONE_HANDED_OVER = "Milestone Handed Over"
	CRITERION_WAIVED = "Exit Criterion Waived"
	CRITERION_REOPENED = "Exit Criterion Waiver Undone"
	NEXT_STEP = "Next Step"
	NEXT_STEP_STOPPED = "Next Step Stopped"


class StepStatus(Vocabulary):
	"""Status of a next step of a reached milestone."""

	PENDING = "Pending"
	RUNNING = "Running"
	DONE = "Done"
	FAILED = "Failed"
	SKIPPED = "Skipped"


class StepEvent(Vocabulary):
	"""What a next step waits for. A workflow has none for a stage that is undone; other apps are told of it."""

	REACHED = "Reached"
	REACHED_LATE = "Reached Late"
	BLOCKED = "Blocked"
	OVERDUE = "Overdue"
	PLAN_COMPLETED = "Plan Completed"
	UNDONE = "Undone"


# What the next steps of a stage may wait for; those of a workflow wait for the end of the plan.
STAGE_EVENTS = (StepEvent.REACHED, StepEvent.REACHED_LATE, StepEvent.BLOCKED, StepEvent.OVERDUE)
