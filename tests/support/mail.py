"""A real mail server on loopback that keeps what it gets."""

import email
import email.policy
import socket
from contextlib import contextmanager

import frappe
import pytest
from aiosmtpd.controller import Controller

from devtool.benches import read_json, write_json


class Mailbox:
	"""Catches mails. `messages` are `email.message.EmailMessage`s in order of arrival."""

	def __init__(self):
		self.messages: list = []
		self.port = 0

	async def handle_DATA(self, server, session, envelope):
		message = email.message_from_bytes(envelope.content, policy=email.policy.default)
		message.recipients = list(envelope.rcpt_tos)
		self.messages.append(message)
		return "250 kept"

	def to(self, address: str) -> list:
		return [message for message in self.messages if address in message.recipients]

	def settings(self) -> dict:
		"""Site configuration that sends mail here."""
		return {
			"mail_server": "127.0.0.1",
			"mail_port": self.port,
			"use_tls": 0,
			"use_ssl": 0,
			"auto_email_id": "site@example.com",
			"disable_mail_smtp_authentication": 1,
		}

	def configure(self, scratch) -> None:
		"""Let a scratch site send here, whatever process works on it."""
		path = scratch.path / "site_config.json"
		write_json(path, read_json(path) | self.settings())

	def deliver(self) -> None:
		"""Send what waits in the worker site's Email Queue, without committing the test's rows."""
		with _without_commits(frappe.db):
			for name in frappe.get_all(
				"Email Queue", {"status": ("in", ("Not Sent", "Partially Sent"))}, pluck="name"
			):
				frappe.get_doc("Email Queue", name).send()


@contextmanager
def _without_commits(database):
	database.commit, database.rollback = (lambda: None), (lambda *, save_point=None: None)
	try:
		yield
	finally:
		del database.commit, database.rollback


@pytest.fixture
def smtp(request):
	"""A mail server; the worker's site sends there during the test."""
	mailbox = Mailbox()
	with socket.socket() as probe:
		probe.bind(("127.0.0.1", 0))
		mailbox.port = probe.getsockname()[1]
	controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
	controller.start()
	before = _point_site_at(mailbox) if "site" in request.fixturenames else None
	yield mailbox
	controller.stop()
	if before is not None:
		_restore_conf(before)


def _point_site_at(mailbox: Mailbox) -> dict:
	before = {key: frappe.local.conf.get(key) for key in mailbox.settings()}
	frappe.local.conf.update(mailbox.settings())
	return before


def _restore_conf(before: dict) -> None:
	frappe.local.conf.update(before)
