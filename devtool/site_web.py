"""The site named by MILESTONE_WEB_SITE as a WSGI application with its static files, for gunicorn in `sites/`.

Its pages ask the site's `socketio_port` for live updates where MILESTONE_LIVE_UPDATES is set.
"""

import os

import frappe.app
import frappe.utils.jinja

frappe.app._site = os.environ["MILESTONE_WEB_SITE"]
frappe.app._sites_path = "."


def with_statics():
	"""Frappe 15.72 and later has this function; before that it stood inside `serve`."""
	if hasattr(frappe.app, "application_with_statics"):
		return frappe.app.application_with_statics()
	files = frappe.app.SharedDataMiddleware(frappe.app.application, {"/assets": os.path.abspath("assets")})
	return frappe.app.StaticDataMiddleware(files, {"/files": os.path.abspath(".")})


def tell_pages_of_live_updates():
	"""Frappe's DEV_SERVER tells them too, but then the class of every row that is read is looked up in the database."""
	original = frappe.utils.jinja.get_jenv

	def get_jenv():
		environment = original()
		environment.globals["dev_server"] = 1
		return environment

	frappe.utils.jinja.get_jenv = get_jenv


application = with_statics()
if os.environ.get("MILESTONE_LIVE_UPDATES"):
	tell_pages_of_live_updates()
