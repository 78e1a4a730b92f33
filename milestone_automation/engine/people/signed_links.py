"""Links in mails that let their reader do one thing, without a password, until a day.

A token says what for, about what and for whom, and carries a signature made with the site's secret. Opening a link
never changes anything: mail scanners open links. The page it leads to asks, and acts on a POST.
"""

import base64
import hashlib
import hmac
import json
from datetime import date, timedelta
from typing import NamedTuple

import frappe
from frappe.utils import cint, get_url, getdate, nowdate
from frappe.utils.password import get_encryption_key

from milestone_automation.engine.rules.vocabulary import Vocabulary

DEFAULT_VALID_DAYS = 14


class Purpose(Vocabulary):
	"""What a link lets its reader do."""

	ANSWER = "answer"  # say whether a stage is reached
	TASK = "task"  # see one task, complete it, comment on it


class LinkInvalid(frappe.ValidationError):
	"""A token this site did not make, for this purpose."""


class Link(NamedTuple):
	"""What a token says.

	Attributes:
		name: row name of the stage, or name of the task.
		recipient: user id or e-mail address it was sent to.
		valid_until: last day.
		about: what was asked when it was made (a stage's key date).
	"""

	purpose: str
	name: str
	recipient: str
	valid_until: date
	about: str = ""

	@property
	def is_expired(self) -> bool:
		"""Whether the last day of the link is over."""
		return getdate(nowdate()) > self.valid_until


def make_token(purpose: Purpose, name: str, recipient: str, about: str = "") -> str:
	"""Return a token for a link.

	Args:
		purpose, name, recipient, about: see `Link`.
	"""
	valid_until = getdate(nowdate()) + timedelta(days=_valid_days())
	payload = _encode(json.dumps([purpose.value, name, recipient, valid_until.isoformat(), about]).encode())
	return f"{payload}.{_sign(payload)}"


def read_token(token: str | None, purpose: Purpose) -> Link:
	"""Return what a token says; an expired one too, see `Link.is_expired`.

	Raises:
		LinkInvalid: it was not made by this site, or for another purpose.
	"""
	payload, _dot, signature = str(token or "").partition(".")
	if not hmac.compare_digest(_sign(payload).encode(), signature.encode()):
		raise LinkInvalid
	found, name, recipient, valid_until, about = json.loads(_decode(payload))
	if found != purpose.value:
		raise LinkInvalid
	return Link(found, name, recipient, date.fromisoformat(valid_until), about)


def url(path: str, token: str, **values) -> str:
	"""Return the address of a page with a token. Values are short words that need no quoting."""
	more = "".join(f"&{key}={value}" for key, value in values.items())
	return get_url(f"/{path}?token={token}{more}")


def _valid_days() -> int:
	days = frappe.get_cached_doc("Milestone Settings").get("link_valid_days")
	return cint(days) or DEFAULT_VALID_DAYS


def _sign(payload: str) -> str:
	return _encode(hmac.new(_key(), payload.encode(), hashlib.sha256).digest())


def _key() -> bytes:
	"""Return a key of our own made from the site's secret: no other signature of the site can pass for ours."""
	secret = frappe.local.conf.get("secret") or get_encryption_key()
	return hmac.new(str(secret).encode(), b"milestone_automation.signed_links", hashlib.sha256).digest()


def _encode(data: bytes) -> str:
	return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
	return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
