"""A mail server on this machine, and a page with what it got: the demo's mails go here, and nowhere else.

Run as `python -m devtool.mailbox FOLDER SMTP_PORT PAGE_PORT`; the folder keeps the mails.
"""

import email
import email.policy
import sys
from email.message import EmailMessage
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller

MOST = 200  # mails on the page
LIST = """<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Mails of the demo</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1f272e; }}
li {{ border-bottom: 1px solid #d1d8dd; list-style: none; padding: .6rem 0; overflow-wrap: anywhere; }}
ul {{ padding: 0; }} span {{ color: #505a62; display: block; font-size: 13px; }} a {{ color: #0b5cad; }}
</style></head><body><h1>Mails of the demo</h1>
<p>Nothing leaves this machine. The newest is on top; mails go out within five minutes, so load this page again.</p>
<ul>{mails}</ul></body></html>"""
NONE = "<li>No mail yet.</li>"


class Mailbox:
	"""Keeps each mail as a file, in order of arrival."""

	def __init__(self, folder: Path):
		folder.mkdir(parents=True, exist_ok=True)
		self.folder = folder

	async def handle_DATA(self, server, session, envelope):
		"""Keep a mail; called by aiosmtpd.

		Args:
			server, session: not asked.
			envelope: with its content.

		Returns:
			str: the answer of the mail server.
		"""
		number = max((int(path.stem) for path in self.folder.glob("*.eml")), default=0) + 1
		(self.folder / f"{number:06}.eml").write_bytes(envelope.content)
		return "250 kept"

	def newest(self) -> list[tuple[str, EmailMessage]]:
		"""Return the latest mails with their numbers, newest first."""
		paths = sorted(self.folder.glob("*.eml"), reverse=True)[:MOST]
		return [(path.stem, self.read(path.stem)) for path in paths]

	def read(self, number: str) -> EmailMessage | None:
		"""Return a mail.

		Args:
			number: digits, as on the page.

		Returns:
			EmailMessage | None: None where there is none.
		"""
		path = self.folder / f"{number}.eml"
		if not number.isdigit() or not path.exists():
			return None
		return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def list_page(mailbox: Mailbox) -> str:
	"""Return the page with all mails as HTML.

	Args:
		mailbox: with the mails.
	"""
	entries = [
		f'<li><a href="/{number}">{escape(mail["Subject"] or "")}</a>'
		f"<span>{escape(mail['To'] or '')} · {escape(mail['Date'] or '')}</span></li>"
		for number, mail in mailbox.newest()
	]
	return LIST.format(mails="".join(entries) or NONE)


def mail_page(mail: EmailMessage) -> str:
	"""Return a mail as its reader sees it, as HTML.

	Args:
		mail: with an HTML or a plain text.
	"""
	body = mail.get_body(("html", "plain"))
	if body is None:
		return "<p>This mail has no text.</p>"
	text = body.get_content()
	return text if body.get_content_subtype() == "html" else f"<pre>{escape(text)}</pre>"


def handler_of(mailbox: Mailbox) -> type[BaseHTTPRequestHandler]:
	"""Return what answers the requests of browsers.

	Args:
		mailbox: with the mails.
	"""

	class Page(BaseHTTPRequestHandler):
		def do_GET(self):
			number = self.path.partition("?")[0].strip("/")
			mail = mailbox.read(number) if number else None
			if number and not mail:
				self.send_error(404)
				return
			page = (mail_page(mail) if mail else list_page(mailbox)).encode()
			self.send_response(200)
			self.send_header("Content-Type", "text/html; charset=utf-8")
			self.send_header("Content-Security-Policy", "script-src 'none'")
			self.send_header("Content-Length", str(len(page)))
			self.end_headers()
			self.wfile.write(page)

	return Page


def main(folder: str, smtp_port: str, page_port: str) -> None:
	"""Serve until the process is ended.

	Args:
		folder: where the mails are kept.
		smtp_port, page_port: free ports of this machine.
	"""
	mailbox = Mailbox(Path(folder))
	Controller(mailbox, hostname="127.0.0.1", port=int(smtp_port)).start()
	ThreadingHTTPServer(("127.0.0.1", int(page_port)), handler_of(mailbox)).serve_forever()


if __name__ == "__main__":
	main(*sys.argv[1:])
