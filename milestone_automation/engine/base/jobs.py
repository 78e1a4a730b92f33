"""Background jobs that start after the commit. One that is queued already is not queued again."""

import frappe


def queue_once(method: str, job_id: str, queue: str = "short", **arguments) -> None:
	"""Queue a job after the commit, unless the same one waits in the queue or runs.

	Args:
		method: dotted path of the function.
		job_id: the same for the same work. Frappe adds the site, and on 16 writes a colon in it as RQ takes it.
		queue: "short", "default" or "long".
		arguments: of the function.
	"""
	frappe.enqueue(
		method,
		queue=queue,
		enqueue_after_commit=True,
		job_id=job_id,
		deduplicate=True,
		**arguments,
	)
