"""Earlier versions of a workflow, worked out from Frappe's document history, and what changed between two of them.

Frappe keeps what each save changed, with values as people read them. Taken back one by one, newest first, they give the
workflow as it was. The order of rows is not in that history.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import frappe
from frappe import _
from frappe.utils import cint, cstr, get_fullname

from milestone_automation.engine.people import criterion_texts, field_rights, rights
from milestone_automation.engine.rules import criteria, names
from milestone_automation.engine.workflows import action_registry, authors, validation

DOCTYPE = "Milestone Workflow"
TABLES = {"stages": "stage_name", "tasks": "title"}
# Versions of Frappe's history that are read at most, newest first.
MOST_READ = 1000
# Stamped by the app, or said by the sentence about the row itself.
NOT_COMPARED = {*authors.AUTHOR_FIELDS, "stage_name", "title", "stage"}
FIELDS_OF_DOCUMENT = {"date_field", "track_field", "owner_field", "assignee_field", "supplier_field"}
# Fields with one name per line, and the table whose rows they name.
NAMED_ROWS = {"predecessors": "stages", "after_tasks": "tasks"}


@dataclass
class State:
	"""A workflow at one time.

	Attributes:
		values: its own fields.
		stages, tasks: rows by their name in the database.
	"""

	values: dict
	stages: dict[str, dict] = field(default_factory=dict)
	tasks: dict[str, dict] = field(default_factory=dict)

	def copy(self) -> "State":
		"""Return a copy whose rows can be changed."""
		rows = [{name: dict(row) for name, row in getattr(self, table).items()} for table in TABLES]
		return State(dict(self.values), *rows)


def compare(workflow, earlier: int | None = None, later: int | None = None) -> dict:
	"""Say what changed between two versions of a workflow; writes nothing.

	Args:
		workflow: the stored Milestone Workflow; the caller has checked the right to read it.
		earlier: number of the older version; by default the one before `later`.
		later: number of the newer version; by default the present one.

	Returns:
		dict: `versions`, newest first, each with `version`, `on` (datetime) and `by` (full name), as far as the history
		goes; `earlier` and `later`, the numbers compared (`earlier` is None where there is only one version); `changes`,
		each with a sentence `text` and, for longer texts, the lists of lines `before` and `after`.

	Raises:
		frappe.ValidationError: the history does not have one of the versions.
	"""
	history = _read(workflow)
	numbers = [one["version"] for one in history.versions]
	later = later or numbers[0]
	earlier = earlier or next((number for number in numbers if number < later), None)
	for number in (earlier, later):
		if number and number not in history.states:
			frappe.throw(_("The history of this workflow does not have version {0}.").format(number))
	changes = []
	if earlier:
		changes = list(_Comparison(workflow, history.states[earlier], history.states[later]).changes())
	return {"versions": history.versions, "earlier": earlier, "later": later, "changes": changes}


# Reading the history


@dataclass
class _History:
	states: dict[int, State]
	versions: list[dict]


def _read(workflow) -> _History:
	"""Return the workflow at each of its versions, newest first."""
	state = State(
		_values(workflow), *({row.name: _values(row) for row in workflow.get(table)} for table in TABLES)
	)
	present = cint(workflow.version) or 1
	history = _History({present: state.copy()}, [])
	number = present
	for record in _records(workflow.name):
		data = json.loads(record.data or "{}")
		if data.get("created_by"):
			continue
		_take_back(state, data)
		before = _number_before(data)
		if before:
			history.versions.append(_version(number, record.creation, record.owner))
			number = before
			history.states[number] = state.copy()
	history.versions.append(_version(number, workflow.creation if number == 1 else None, workflow.owner))
	return history


def _values(row) -> dict:
	return {
		docfield.fieldname: row.get(docfield.fieldname)
		for docfield in row.meta.fields
		if docfield.fieldtype not in ("Table", "HTML")
	}


def _records(name: str) -> list:
	# Versions of a document are read by whoever may read the document, as on its form.
	return frappe.get_all(
		"Version",
		{"ref_doctype": DOCTYPE, "docname": name},
		["data", "owner", "creation"],
		order_by="creation desc, name desc",
		limit=MOST_READ,
	)


def _version(number: int, on, by: str) -> dict:
	return {"version": number, "on": on, "by": get_fullname(by)}


def _number_before(data: dict) -> int | None:
	"""Return the version before a save that counted; None for other saves."""
	return next(
		(cint(old) or None for name, old, _new in data.get("changed") or [] if name == "version"), None
	)


def _take_back(state: State, data: dict) -> None:
	for name, old, _new in data.get("changed") or []:
		state.values[name] = old
	for table, row in _of_tables(data, "added"):
		getattr(state, table).pop(row["name"], None)
	for table, row in _of_tables(data, "removed"):
		getattr(state, table)[row["name"]] = row
	for table, _index, row_name, changed in _of_tables(data, "row_changed"):
		row = getattr(state, table).get(row_name, {})
		row.update({name: old for name, old, _new in changed})


def _of_tables(data: dict, kind: str) -> list:
	return [entry for entry in data.get(kind) or [] if entry[0] in TABLES]


# Comparing


class _Comparison:
	def __init__(self, workflow, old: State, new: State):
		self.old, self.new = old, new
		self.document_type = workflow.document_type
		self.hidden = {"": field_rights.hidden(DOCTYPE), **field_rights.hidden_of_rows(DOCTYPE)}
		self.pairs = {
			table: _pairs(getattr(old, table), getattr(new, table), TABLES[table]) for table in TABLES
		}
		self.new_names = {table: self._renamed(table) for table in TABLES}

	def _renamed(self, table: str) -> dict[str, str]:
		"""Return the new name of each row by the old one."""
		label = TABLES[table]
		return {
			names.key(before[label]): after[label] for before, after in self.pairs[table] if before and after
		}

	def changes(self) -> Iterator[dict]:
		meta = frappe.get_meta(DOCTYPE)
		yield from self._changed_fields(meta, self.old.values, self.new.values, "")
		for before, after in self.pairs["stages"]:
			yield from self._changed_row("stages", before, after)
		for before, after in self.pairs["tasks"]:
			yield from self._changed_row("tasks", before, after)

	def _changed_row(self, table: str, before: dict | None, after: dict | None) -> Iterator[dict]:
		if not before or not after:
			yield _change(_whole_row(table, after or before, is_new=bool(after)))
			return
		label = TABLES[table]
		if cstr(before[label]) != cstr(after[label]):
			yield _change(_renamed_row(table).format(before[label], after[label]))
		if table == "tasks":
			yield from self._moved_task(before, after)
		meta = frappe.get_meta(frappe.get_meta(DOCTYPE).get_field(table).options)
		yield from self._changed_fields(meta, before, after, table)

	def _moved_task(self, before: dict, after: dict) -> Iterator[dict]:
		stage = self.new_names["stages"].get(names.key(before["stage"]), before["stage"])
		if names.key(stage) != names.key(after["stage"]):
			text = _("The task {0} was moved from {1} to {2}.")
			yield _change(text.format(after["title"], before["stage"], after["stage"]))

	def _changed_fields(self, meta, before: dict, after: dict, table: str) -> Iterator[dict]:
		left_out = NOT_COMPARED | self.hidden[table]
		if not table:
			left_out |= validation.UNVERSIONED_FIELDS
		for docfield in meta.fields:
			if docfield.fieldname in after and docfield.fieldname not in left_out:
				old, new = (self._read(row.get(docfield.fieldname), docfield) for row in (before, after))
				if self._followed(old, docfield) != new:
					yield self._changed_field(docfield, old, new, after.get(TABLES.get(table)))

	def _followed(self, text: str, docfield) -> str:
		"""Return the old names of a field with the names that its rows have now."""
		if docfield.fieldname not in NAMED_ROWS:
			return text
		renamed = self.new_names[NAMED_ROWS[docfield.fieldname]]
		return "\n".join(renamed.get(names.key(name), name) for name in names.lines(text))

	def _changed_field(self, docfield, old: str, new: str, row: str | None) -> dict:
		label = _(docfield.label)
		if lines := self._lines(docfield):
			text = (
				_("{0}: {1} was changed.").format(row, label) if row else _("{0} was changed.").format(label)
			)
			return _change(text, lines(old), lines(new))
		old, new = (self._shown(value, docfield) for value in (old, new))
		return _change(_field_sentence(row, label, old, new))

	def _lines(self, docfield) -> Callable | None:
		"""Return the function that makes lines of a longer text; None for a field with one value."""
		if docfield.fieldname == "exit_criteria":
			return self._criteria_lines
		if docfield.fieldname in ("next_actions", authors.COMPLETED):
			return _step_lines
		if docfield.fieldname == "shown_fields":
			return lambda text: [self._field_label(name) for name in names.lines(text)]
		if docfield.fieldname in NAMED_ROWS:
			return None
		return str.splitlines if docfield.fieldtype in ("Code", "Small Text") else None

	def _criteria_lines(self, text: str) -> list[str]:
		parsed_criteria = criteria.parse_or_none(text)
		if parsed_criteria is None:
			return text.splitlines()
		optional = _("{0} (optional)")
		lines = [(criterion_texts.describe(one, self.document_type), one.required) for one in parsed_criteria]
		return [text if required else optional.format(text) for text, required in lines]

	def _read(self, value, docfield) -> str:
		"""Return a value as text, whether it comes from the document or from Frappe's history, where it is formatted."""
		if docfield.fieldtype in ("Check", "Int"):
			return cstr(cint(cstr(value).replace(",", "")))
		return cstr(value).replace("<br>", "\n").strip()

	def _field_label(self, fieldname: str) -> str:
		meta = rights.stored_meta(self.document_type)
		named_field = meta and meta.get_field(fieldname)
		return _(named_field.label) if named_field and named_field.label else fieldname

	def _shown(self, text: str, docfield) -> str:
		if docfield.fieldtype == "Check":
			return _("Yes") if cint(text) else _("No")
		if docfield.fieldname in FIELDS_OF_DOCUMENT:
			return self._field_label(text)
		if docfield.fieldtype == "Select":
			return _(text) if text else ""
		if docfield.fieldtype == "Link" and docfield.options == "User":
			return get_fullname(text) if text else ""
		return ", ".join(text.splitlines())


def _pairs(old: dict, new: dict, label: str) -> list[tuple[dict | None, dict | None]]:
	"""Pair rows by their name in the database, else by what they are called: an import makes all rows anew."""
	unpaired = {name: row for name, row in old.items() if name not in new}
	by_label = {names.key(row[label]): name for name, row in unpaired.items()}
	pairs = []
	for name, row in new.items():
		before = old.get(name)
		if before is None and (old_name := by_label.pop(names.key(row[label]), None)):
			before = unpaired.pop(old_name)
		pairs.append((before, row))
	return [*pairs, *((row, None) for row in unpaired.values())]


def _change(text: str, before: Iterable[str] = (), after: Iterable[str] = ()) -> dict:
	return {"text": text, "before": list(before), "after": list(after)}


def _whole_row(table: str, row: dict, is_new: bool) -> str:
	if table == "stages":
		text = _("The milestone {0} was added.") if is_new else _("The milestone {0} was removed.")
		return text.format(row["stage_name"])
	text = _("The task {0} of {1} was added.") if is_new else _("The task {0} of {1} was removed.")
	return text.format(row["title"], row["stage"])


def _renamed_row(table: str) -> str:
	return {
		"stages": _("The milestone {0} is called {1} now."),
		"tasks": _("The task {0} is called {1} now."),
	}[table]


def _field_sentence(row: str | None, label: str, old: str, new: str) -> str:
	if row is None:
		return _("{0}: {1} before, {2} now.").format(label, old or _("empty"), new or _("empty"))
	return _("{0}, {1}: {2} before, {3} now.").format(row, label, old or _("empty"), new or _("empty"))


def _step_lines(text: str) -> list[str]:
	try:
		steps = json.loads(text or "[]")
	except ValueError:
		return text.splitlines()
	return [_step_line(step) for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _step_line(step: dict) -> str:
	arguments = ", ".join(cstr(value) for value in action_registry.arguments_of(step).values())
	line = _(cstr(step.get("action")))
	if arguments:
		line = f"{line}: {arguments}"
	if step.get("condition"):
		line = _("{0}, if {1}").format(line, step["condition"])
	return f"{_(cstr(step['when']))}: {line}" if step.get("when") else line
