"""The demo's mail server: a mail can be read on its page, and is kept over a restart."""

import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import EmailMessage

import pytest

from devtool import mailbox
from devtool.paths import ROOT
from devtool.processes import free_port

pytestmark = pytest.mark.no_site


@pytest.fixture
def ports(tmp_path):
	smtp, page = free_port(42500), free_port(48300)
	command = [sys.executable, "-m", "devtool.mailbox", str(tmp_path / "mails"), str(smtp), str(page)]
	process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
	limit = time.monotonic() + 60
	while "Mails of the demo" not in asked(page):
		assert process.poll() is None and time.monotonic() < limit, "the mail server did not start"
		time.sleep(0.1)
	yield smtp, page
	process.terminate()
	process.wait()


def asked(page: int, path: str = "/") -> str:
	try:
		with urllib.request.urlopen(f"http://127.0.0.1:{page}{path}", timeout=30) as answer:
			return answer.read().decode()
	except urllib.error.HTTPError as error:
		return str(error.code)
	except OSError:
		return ""


def test_mails_are_listed_newest_first_and_shown_as_their_reader_sees_them(ports, tmp_path):
	smtp, page = ports
	assert "No mail yet." in asked(page)
	with smtplib.SMTP("127.0.0.1", smtp, timeout=30) as server:
		for subject in ("First <b>", "Second"):
			mail = EmailMessage()
			mail["From"], mail["To"], mail["Subject"] = "site@example.com", "orders@mill.example", subject
			mail.set_content("as text")
			mail.add_alternative(f"<p>{subject} as <b>HTML</b></p>", subtype="html")
			server.send_message(mail)

	shown = asked(page)
	assert shown.index("Second") < shown.index("First &lt;b&gt;")
	assert "<p>Second as <b>HTML</b></p>" in asked(page, "/000002")
	assert [asked(page, path) for path in ("/000003", "/..%2f..%2fetc%2fpasswd")] == ["404", "404"]
	kept = mailbox.Mailbox(tmp_path / "mails").newest()
	assert [message["Subject"] for _number, message in kept] == ["Second", "First <b>"]
