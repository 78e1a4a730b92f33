"""Every text field of every DocType of ours, read from their definitions."""

import json

from devtool.paths import ROOT
from milestone_automation.engine.base.plain_text import PLAIN_TYPES

DOCTYPES = {
	described["name"]: described
	for path in sorted((ROOT / "milestone_automation" / "doctype").glob("*/*.json"))
	for described in [json.loads(path.read_text())]
}
PLAIN_FIELDS = [
	(name, field["fieldname"])
	for name, described in DOCTYPES.items()
	for field in described["fields"]
	if field["fieldtype"] in PLAIN_TYPES
]
