"""Date changes of before were all in effect; now each says so, and reports ask for it."""

from milestone_automation.engine.rules.vocabulary import DateChangeStatus
from milestone_automation.patches import batches


def execute() -> None:
	"""Fill in the missing status. Running it again changes nothing."""
	batches.update(
		"Milestone Date Change",
		{"status": DateChangeStatus.ACCEPTED.value},
		lambda change: change.status.isnull() | (change.status == ""),
	)
