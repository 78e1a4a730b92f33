"""Milestone Automation: recorded milestones and plans for the documents of a Frappe site."""

__version__ = "1.0.0"
