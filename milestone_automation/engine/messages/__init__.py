"""The plan comes to people: prompts, reminders, escalation, digest."""
