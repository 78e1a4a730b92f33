"""How often one link may be used, and how many invalid links one address may try, also where Frappe's limits are off."""

import hashlib
import time
from typing import NamedTuple

import frappe

from milestone_automation.engine.base import compat
from milestone_automation.engine.people import signed_links
from milestone_automation.engine.people.signed_links import LinkInvalid, Purpose
from milestone_automation.links import uploads


class Limit(NamedTuple):
	"""At most so many uses in so many seconds."""

	uses: int
	seconds: int


VIEW, ANSWER, COMMENT, HAND_OVER, BAD_LINK = "view", "answer", "comment", "hand over", "bad link"
HAND_OVER_ACTION = "hand_over"
LIMITS = {
	VIEW: Limit(60, 600),
	ANSWER: Limit(20, 3600),
	COMMENT: Limit(10, 3600),
	HAND_OVER: Limit(5, 3600),
	BAD_LINK: Limit(30, 600),
}


def seconds_to_wait(form: dict, purpose: Purpose, is_post: bool) -> int:
	"""Count one use of a link's page.

	Args:
		form: with `token` and, for a task, `comment`.
		purpose: of the page.
		is_post: whether something is to be done.

	Returns:
		int: 0 if it is allowed, else after how many seconds it will be.
	"""
	if purpose is Purpose.PERSON and not form.get("token"):
		# Without a link people log in, or are asked to; guests are told apart by their address.
		user = frappe.session.user
		who = str(frappe.local.request_ip) if user == "Guest" else user
		return _count(ANSWER if is_post else VIEW, f"{purpose}|{who}")
	try:
		link = signed_links.read_token(form.get("token"), purpose)
	except LinkInvalid:
		return _count(BAD_LINK, str(frappe.local.request_ip))
	# Each mail carries another token for the same thing.
	who = f"{link.purpose}|{link.name}|{link.recipient}"
	waits = [_count(kind, who) for kind in _kinds(form, is_post)]
	if is_post and form.get("action") == HAND_OVER_ACTION:
		# Each of them sends a mail to somebody else: counted by person, whatever they hand over.
		waits.append(_count(HAND_OVER, link.recipient))
	return max(waits)


def _kinds(form: dict, is_post: bool) -> list[str]:
	if not is_post:
		return [VIEW]
	return [ANSWER, COMMENT] if form.get("comment") or uploads.sent_file() else [ANSWER]


def _count(kind: str, who: str) -> int:
	limit = LIMITS[kind]
	window, passed = divmod(int(time.time()), limit.seconds)
	cache = compat.redis_cache()
	digest = hashlib.sha256(who.encode()).hexdigest()[:32]
	key = cache.make_key(f"milestone_link|{kind}|{digest}|{window}")
	uses = cache.incrby(key, 1)
	cache.expire(key, limit.seconds)
	return limit.seconds - passed if uses > limit.uses else 0
