"""The site named by MILESTONE_WEB_SITE as a WSGI application with its static files, for gunicorn in `sites/`."""

import os

import frappe.app

frappe.app._site = os.environ["MILESTONE_WEB_SITE"]
frappe.app._sites_path = "."


def with_statics():
	"""Frappe 15.72 and later has this function; before that it stood inside `serve`."""
	if hasattr(frappe.app, "application_with_statics"):
		return frappe.app.application_with_statics()
	files = frappe.app.SharedDataMiddleware(frappe.app.application, {"/assets": os.path.abspath("assets")})
	return frappe.app.StaticDataMiddleware(files, {"/files": os.path.abspath(".")})


application = with_statics()
