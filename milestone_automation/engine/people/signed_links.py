"""Signed links in mails: the recipient can do one thing without a password until the link expires.

A token names the purpose, the stage or task and the recipient, and is signed with the site's secret. Opening a link
never changes anything, because mail scanners open links; its page asks first and acts on a POST.
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
# Flag of a document that a link's page writes for its recipient.
PROVEN = "milestone_link_proven"


class Purpose(Vocabulary):
	"""What a link is for."""

	ANSWER = "answer"  # answer whether a stage is reached
	TASK = "task"  # see one task, complete it, comment on it
	PERSON = "person"  # see what is open for its recipient


class LinkInvalid(frappe.ValidationError):
	"""The token was not made by this site, or not for this purpose."""


class Link(NamedTuple):
	"""The content of a token.

	Attributes:
		purpose: what the link is for, a `Purpose`.
		name: row name of the stage, or name of the task; empty for a person's page.
		recipient: user id or e-mail address to which it was sent.
		valid_until: last day on which it is valid.
		about: the stage's key date when it was made, as ISO date.
	"""

	purpose: str
	name: str
	recipient: str
	valid_until: date
	about: str = ""

	@property
	def is_expired(self) -> bool:
		"""Whether the link is no longer valid today."""
		return getdate(nowdate()) > self.valid_until


def make_token(
	purpose: Purpose, name: str, recipient: str, about: str = "", valid_until: date | None = None
) -> str:
	"""Return a token that is valid for the days in Milestone Settings.

	Args:
		purpose, name, recipient, about: as in `Link`.
		valid_until: another last day.
	"""
	valid_until = valid_until or getdate(nowdate()) + timedelta(days=_valid_days())
	payload = _encode(json.dumps([purpose.value, name, recipient, valid_until.isoformat(), about]).encode())
	return f"{payload}.{_sign(payload)}"


def read_token(token: str | None, purpose: Purpose) -> Link:
	"""Return the content of a token, also of an expired one (see `Link.is_expired`).

	Args:
		token: text from the address of the page.
		purpose: purpose that it must have.

	Raises:
		LinkInvalid: it was not made by this site, or for another purpose.
	"""
	payload, _dot, signature = str(token or "").partition(".")
	if not hmac.compare_digest(_sign(payload).encode(), signature.encode()):
		raise LinkInvalid
	token_purpose, name, recipient, valid_until, about = json.loads(_decode(payload))
	if token_purpose != purpose.value:
		raise LinkInvalid
	return Link(token_purpose, name, recipient, date.fromisoformat(valid_until), about)


def url(path: str, token: str, **values) -> str:
	"""Return the address of a page with a token.

	Args:
		path: path of the page.
		token: result of `make_token`.
		values: further arguments, words that need no quoting.
	"""
	more = "".join(f"&{key}={value}" for key, value in values.items())
	return get_url(f"/{path}?token={token}{more}")


def opaque(text: str) -> str:
	"""Return what stands for a text on a page that does not show it, the same each time.

	Args:
		text: what is not to be seen; nobody can tell it from the result without the site's secret.

	Returns:
		str: 22 letters, digits, "-" and "_".
	"""
	return _sign(f"opaque {text}")[:22]


def _valid_days() -> int:
	days = frappe.get_cached_doc("Milestone Settings").get("link_valid_days")
	return cint(days) or DEFAULT_VALID_DAYS


def _sign(payload: str) -> str:
	return _encode(hmac.new(_key(), payload.encode(), hashlib.sha256).digest())


def _key() -> bytes:
	"""Return a key derived from the site's secret, so that no other signature of the site is valid here."""
	secret = frappe.local.conf.get("secret") or get_encryption_key()
	return hmac.new(str(secret).encode(), b"milestone_automation.signed_links", hashlib.sha256).digest()


def _encode(data: bytes) -> str:
	return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
	return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
