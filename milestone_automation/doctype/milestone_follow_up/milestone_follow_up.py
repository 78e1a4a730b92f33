from milestone_automation.engine.base.plain_text import PlainTextDocument


class MilestoneFollowUp(PlainTextDocument):
	"""Work that a save has left for later; the row goes when the work is done. Written by the engine only."""
