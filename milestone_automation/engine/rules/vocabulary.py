"""The words of the project, each written down once.

Every class is the vocabulary of one kind of Select field; its values, in this order, are the options of the
DocTypes (``tests/test_vocabulary.py`` holds the two together). Members are strings: they compare equal to what
the database holds, go into queries and JSON as they are, and print as their value.
"""

from enum import Enum


class Vocabulary(str, Enum):
	"""Base of all vocabularies: what ``enum.StrEnum`` is from Python 3.11 on (this app starts at 3.10)."""

	def __str__(self) -> str:
		"""Return the stored value, so that messages and query values never show the member's name."""
		return str(self.value)


class StageKind(Vocabulary):
	"""What a stage is: ordinary, or an acceptance, which carries no tasks."""

	STANDARD = "Standard"
	ACCEPTANCE = "Acceptance"


class OwnerKind(Vocabulary):
	"""Who owns a stage, that is: who is asked whether it is reached."""

	DOCUMENT_CREATOR = "Document Creator"
	USER = "User"
	ROLE = "Role"
	USER_FIELD = "User Field"


class KeyDateRule(Vocabulary):
	"""What a stage's key date is counted from."""

	DOCUMENT_DATE_FIELD = "Document Date Field"
	AFTER_PREVIOUS_MILESTONE = "After Previous Milestone"
	AFTER_CREATION = "After Creation"
	SET_MANUALLY = "Set Manually"


class ReachRule(Vocabulary):
	"""How a stage is reached: a tracked field gets a value, or someone confirms it."""

	FIELD_VALUE = "Field Value"
	CONFIRMATION = "Confirmation"


class GateMode(Vocabulary):
	"""What open required tasks do to somebody who wants to reach the stage."""

	BLOCK = "Block"
	WARN = "Warn"
	OFF = "Off"


class ShiftMode(Vocabulary):
	"""What happens to later stages when a key date moves."""

	SHIFT_TOO = "Shift Too"
	KEEP_ORDER = "Keep Order"
	ASK = "Ask"


class AssigneeKind(Vocabulary):
	"""Who gets a task."""

	WHOLE_TEAM = "Whole Team"
	ALL_SUPPLIER_CONTACTS = "All Supplier Contacts"
	ONE_TEAM_MEMBER = "One Team Member"
	THIRD_PARTY_COLLABORATOR = "Third-Party Collaborator"
	ROLE = "Role"
	USER_FIELD = "User Field"


class CompletionRule(Vocabulary):
	"""How many of a task's assignees have to be done before the task is."""

	ANY_OF = "Any Of"
	ALL_OF = "All Of"


class PlanStatus(Vocabulary):
	"""Where a plan stands."""

	ACTIVE = "Active"
	COMPLETED = "Completed"
	CANCELLED = "Cancelled"


class StageStatus(Vocabulary):
	"""Where a stage of a plan stands."""

	OPEN = "Open"
	REACHED = "Reached"


class TaskStatus(Vocabulary):
	"""Where a task stands. Only an open task can hold its stage."""

	OPEN = "Open"
	COMPLETED = "Completed"
	CANCELLED = "Cancelled"
	WAIVED = "Waived"


class Health(Vocabulary):
	"""How a stage or a plan is doing; the rules are in ``engine/health.py``."""

	ON_TRACK = "On Track"
	AT_RISK = "At Risk"
	BLOCKED = "Blocked"
	LATE = "Late"
	DONE = "Done"


class DateChangeSource(Vocabulary):
	"""What moved a stage's key date."""

	PROMPT = "Prompt"
	FORM = "Form"
	DOCUMENT_FIELD = "Document Field"
	IMPORT = "Import"
	PREVIOUS_MILESTONE = "Previous Milestone"
	WORKFLOW_VERSION = "Workflow Version"


class MilestoneSource(Vocabulary):
	"""What recorded a milestone."""

	SAVE = "Save"
	IMPORT = "Import"
	BACKFILL = "Backfill"
	RECONCILE = "Reconcile"
	CONFIRMATION = "Confirmation"


class MessageKind(Vocabulary):
	"""Why a message of a plan went out."""

	PROMPT = "Prompt"
	REMINDER = "Reminder"
	BLOCKED = "Blocked"
	BLOCKED_OWNER = "Blocked (Owner)"
	TASK_DUE = "Task Due"
	TASK_OVERDUE = "Task Overdue"
	ESCALATION = "Escalation"
	NO_NEXT_DATE = "No Next Date"
	WARNING = "Warning"
	DIGEST = "Digest"


class MessageChannel(Vocabulary):
	"""How a message reaches its recipient."""

	MAIL = "Mail"
	NOTIFICATION = "Notification"
	MAIL_AND_NOTIFICATION = "Mail and Notification"
	DIGEST = "Digest"


class MessageStatus(Vocabulary):
	"""How far a message has got."""

	QUEUED = "Queued"
	WAITING_FOR_DIGEST = "Waiting for Digest"
	SENT = "Sent"
	SKIPPED = "Skipped"
	FAILED = "Failed"


class PlanEvent(Vocabulary):
	"""What a plan's log keeps besides dates and milestones."""

	PLAN_STARTED = "Plan Started"
	PLAN_CANCELLED = "Plan Cancelled"
	PLAN_COMPLETED = "Plan Completed"
	PLAN_MOVED_TO_NEW_VERSION = "Plan Moved to New Version"
	MILESTONE_REACHED = "Milestone Reached"
	MILESTONE_UNDONE = "Milestone Undone"
	REACHED_WITH_WARNING = "Reached with Warning"
	TASK_COMPLETED = "Task Completed"
	TASK_REOPENED = "Task Reopened"
	TASK_WAIVED = "Task Waived"
	TASK_CANCELLED = "Task Cancelled"
	TASK_ADDED = "Task Added"
	TASK_MADE_REQUIRED = "Task Made Required"
	TASK_MADE_OPTIONAL = "Task Made Optional"
	TASK_DELETED = "Task Deleted"
	NEXT_STEP = "Next Step"


def options(vocabulary: type[Vocabulary]) -> str:
	"""Return the values of a vocabulary as the options of a Select field: one a line, in order."""
	return "\n".join(word.value for word in vocabulary)
