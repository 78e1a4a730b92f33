"""The old place of `run_now`, for jobs that were queued before an upgrade."""

from milestone_automation.engine.progress.next_steps import run_now

__all__ = ["run_now"]
