"""Messages to people: prompts, reminders, escalation, digest."""
