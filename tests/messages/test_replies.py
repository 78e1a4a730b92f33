"""Who answers a mail of ours by mail: Frappe's inbound mail keeps the words and files at the document."""

from email.message import EmailMessage

import frappe
import pytest
from frappe.email.receive import InboundMail

from tests.support.clock import at, forget_mail_account, sweep_at
from tests.support.factories import CLERK_ROLE, make_document, make_workflow, stage
from tests.support.files import pdf

pytestmark = [pytest.mark.usefixtures("production_order"), pytest.mark.one_database]

OLGA = "olga@example.com"


def reply_to(mail, text: str, filename: str, content: bytes) -> str:
	reply = EmailMessage()
	reply["From"], reply["To"] = OLGA, "site@example.com"
	reply["Subject"] = f"Re: {mail['Subject']}"
	reply["In-Reply-To"] = mail["Message-Id"]
	reply["Message-Id"] = "<reply-1@mill.example>"
	reply.set_content(text)
	reply.add_attachment(content, maintype="application", subtype="pdf", filename=filename)
	return reply.as_string()


def test_a_reply_and_its_file_are_kept_at_the_document_the_mail_was_about(make_user, smtp):
	forget_mail_account()
	make_user(OLGA, roles=[CLERK_ROLE])
	with at("2030-06-01 09:00:00"):
		make_workflow(stages=[stage("Cut", None, -20, owner_kind="User", owner_user=OLGA)], tasks=[])
		order = make_document(title="T-shirts")
	sweep_at("2030-06-08 07:00:00")
	smtp.deliver()
	(mail,) = smtp.messages
	account = frappe.get_doc({"doctype": "Email Account", "email_id": "site@example.com"})

	InboundMail(reply_to(mail, "Cut on Friday.", "Cutting report.pdf", pdf("report")), account).process()

	(communication,) = frappe.get_all(
		"Communication",
		{"reference_doctype": order.doctype, "reference_name": order.name, "sent_or_received": "Received"},
		["name", "sender", "text_content"],
	)
	assert (communication.sender, "Cut on Friday." in communication.text_content) == (OLGA, True)
	attached_to = {"attached_to_doctype": "Communication", "attached_to_name": communication.name}
	files = frappe.get_all("File", attached_to, ["file_name", "is_private"])
	assert [(file.file_name.startswith("Cutting report"), file.is_private) for file in files] == [(True, 1)]
