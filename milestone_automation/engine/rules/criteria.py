"""Exit criteria: what a stage needs besides its tasks before it is reached. Pure rules, no site needed.

A stage keeps them as a JSON list, on the workflow and on the plan. A criterion is known by its rule, not by its place: a
waiver goes on counting when rows move, and no longer when the rule is another one.

The state of a criterion is the first of these that applies:

1. *Met*: what it asks for is there.
2. *Waived*: a manager has waived it, with a reason.
3. *Broken*: it names a field or DocType that no longer exists. It counts as not met, and can be waived.
4. *Open*: everything else.

A required one that is open or broken blocks its stage.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from milestone_automation.engine.rules.vocabulary import Vocabulary

# Criteria of one stage.
MOST_CRITERIA = 20


class CriterionKind(Vocabulary):
	"""What an exit criterion asks for before its stage is reached."""

	FIELD_SET = "Field Is Set"
	CONDITION = "Condition Is Met"
	FILE = "File Is Attached"
	COMMENT = "Comment Was Given"
	DOCUMENT = "Other Document Exists"


class CriterionState(Vocabulary):
	"""How an exit criterion stands. A broken one names a field or DocType that no longer exists."""

	MET = "Met"
	OPEN = "Open"
	WAIVED = "Waived"
	BROKEN = "Broken"


# What a criterion says, by its kind.
FIELDS_BY_KIND = {
	CriterionKind.FIELD_SET: ("field",),
	CriterionKind.CONDITION: ("condition",),
	CriterionKind.FILE: (),
	CriterionKind.COMMENT: (),
	CriterionKind.DOCUMENT: ("doctype", "link_field", "condition"),
}
TEXTS = ("field", "condition", "doctype", "link_field", "label")


@dataclass(frozen=True)
class Criterion:
	"""One exit criterion.

	Attributes:
		kind: what it asks for.
		field: field of the document that has to be set.
		condition: expression on the document, or on the other document.
		doctype, link_field: DocType of the other document, and its field that links to this one; "table.field" for a
			field of its rows.
		label: what people read instead of a sentence made from the rule; may be empty.
		required: whether it blocks its stage.
	"""

	kind: CriterionKind
	field: str = ""
	condition: str = ""
	doctype: str = ""
	link_field: str = ""
	label: str = ""
	required: bool = True

	@property
	def rule(self) -> tuple[str, ...]:
		"""What it asks for; two criteria with the same rule are the same."""
		return (self.kind.value, *(getattr(self, name) for name in FIELDS_BY_KIND[self.kind]))

	@property
	def key(self) -> str:
		"""The name by which it is waived."""
		return hashlib.sha1("\0".join(self.rule).encode(), usedforsecurity=False).hexdigest()[:12]


@dataclass(frozen=True)
class Verdict:
	"""How one criterion stands.

	Attributes:
		criterion: the criterion.
		state: how it stands.
		stage_name: name of its stage.
		waiver: `reason`, `by` and `on` of its waiver; None without one.
	"""

	criterion: Criterion
	state: CriterionState
	stage_name: str = ""
	waiver: Mapping | None = None

	@property
	def blocks(self) -> bool:
		"""Whether it keeps its stage from being reached."""
		return self.criterion.required and self.state in (CriterionState.OPEN, CriterionState.BROKEN)


@functools.lru_cache(maxsize=512)
def parse(text: str | None) -> tuple[Criterion, ...]:
	"""Return the criteria that a stage's JSON says; none for no text.

	Args:
		text: JSON list of objects with `kind`, what `FIELDS_BY_KIND` names for it, `label` and `required`.

	Raises:
		ValueError: it is no JSON, no list of criteria, or a list of more than `MOST_CRITERIA`.
		RecursionError: it is nested too deeply.
	"""
	rows = json.loads(text) if (text or "").strip() else []
	if not isinstance(rows, list) or len(rows) > MOST_CRITERIA:
		raise ValueError("not a list of criteria")
	return tuple(_read(row) for row in rows)


def parse_or_none(text: str | None) -> tuple[Criterion, ...] | None:
	"""Return the criteria that a stage's JSON says, as `parse`; None where it cannot be read.

	Args:
		text: as for `parse`.
	"""
	try:
		return parse(text)
	except (ValueError, RecursionError):
		return None


def _read(row) -> Criterion:
	if not isinstance(row, dict) or any(not isinstance(row.get(name) or "", str) for name in TEXTS):
		raise ValueError("not a criterion")
	kind = CriterionKind(row.get("kind"))
	used_fields = (*FIELDS_BY_KIND[kind], "label")
	texts = {name: (row.get(name) or "").strip() for name in used_fields}
	return Criterion(kind, **texts, required=str(row.get("required", 1)) not in ("0", "False", "None", ""))


def dump(criteria: Iterable[Criterion]) -> str | None:
	"""Return criteria as a stage keeps them; None for none.

	Args:
		criteria: of one stage, in order.

	Returns:
		str | None: JSON that `parse` reads, without what is empty; `required` as 1 or 0.
	"""
	rows = []
	for criterion in criteria:
		row = {"kind": criterion.kind.value}
		row |= {name: getattr(criterion, name) for name in (*FIELDS_BY_KIND[criterion.kind], "label")}
		row["required"] = int(criterion.required)
		rows.append({name: value for name, value in row.items() if value != ""})
	return json.dumps(rows, indent=1) if rows else None


def waivers(text: str | None) -> dict[str, dict]:
	"""Return the waivers of a plan's stage by key of the criterion; none for no text.

	Args:
		text: JSON object: for each `Criterion.key` an object with `reason`, `by` and `on`.

	Raises:
		ValueError: it is no JSON.
	"""
	return json.loads(text) if (text or "").strip() else {}


def judge(
	criteria: Sequence[Criterion],
	facts: Mapping[str, bool | None],
	waived: Mapping[str, Mapping],
	stage_name: str = "",
) -> list[Verdict]:
	"""Return how the criteria of a stage stand, in order.

	Args:
		criteria: of the stage.
		facts: by key, whether what a criterion asks for is there; None for a broken one.
		waived: waivers by key.
		stage_name: name of the stage.
	"""
	return [
		Verdict(
			criterion,
			_state(facts.get(criterion.key), criterion.key in waived),
			stage_name,
			waived.get(criterion.key),
		)
		for criterion in criteria
	]


def _state(fact: bool | None, is_waived: bool) -> CriterionState:
	if fact:
		return CriterionState.MET
	if is_waived:
		return CriterionState.WAIVED
	return CriterionState.BROKEN if fact is None else CriterionState.OPEN


def blocking(verdicts: Iterable[Verdict]) -> list[Verdict]:
	"""Return those that keep their stage from being reached, in order.

	Args:
		verdicts: of one stage or several, as `judge` returns them.
	"""
	return [verdict for verdict in verdicts if verdict.blocks]
