"""Background jobs that start after the commit. One that is queued already is not queued again."""

from functools import partial

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


def queue_follow_up(method: str, job_id: str, **arguments) -> None:
	"""Queue a job after the commit, if the queue can be reached. The hourly run does its work too, only later.

	All that has to do with Redis is done after the commit, so that a save neither waits for it nor fails by it.

	Args:
		method, job_id, arguments: as in `queue_once`.
	"""
	frappe.db.after_commit.add(partial(_queue_or_log, frappe.session.user, method, job_id, arguments))


def _queue_or_log(user: str, method: str, job_id: str, arguments: dict) -> None:
	session_user, frappe.session.user = frappe.session.user, user
	try:
		frappe.enqueue(method, queue="short", job_id=job_id, deduplicate=True, **arguments)
	except Exception:
		# An error would tell the user that nothing was saved.
		frappe.logger("milestone_automation").error(f"{job_id} was not queued\n{frappe.get_traceback()}")
	finally:
		frappe.session.user = session_user
