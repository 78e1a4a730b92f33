"""What happens to a running plan: the gate, stages, dates, tasks, next steps."""
