"""Milestones from elsewhere: event logs, versions, changes made without hooks."""
