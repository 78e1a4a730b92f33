"""Runs a Python file (or standard input) with a site connected; rolled back at the end unless it commits.

Called by the bench's own Python, in its `sites` folder: site_python.py SITE FILE [ARGUMENTS]
"""

import runpy
import sys
import tempfile
from pathlib import Path


def main(site: str, source: str, arguments: list[str]) -> None:
	import frappe

	sys.path[0] = str(Path(source).resolve().parent) if source != "-" else ""
	sys.argv = [source, *arguments]
	frappe.init(site=site, sites_path=".")
	frappe.connect()
	try:
		frappe.set_user("Administrator")
		_run(source)
	finally:
		frappe.db.rollback()
		frappe.destroy()


def _run(source: str) -> None:
	if source != "-":
		runpy.run_path(source, run_name="__main__")
		return
	with tempfile.TemporaryDirectory() as folder:
		file = Path(folder, "standard_input.py")
		file.write_text(sys.stdin.read())
		runpy.run_path(str(file), run_name="__main__")


if __name__ == "__main__":
	main(sys.argv[1], sys.argv[2], sys.argv[3:])
