"""What exit criteria are, and how they stand: plain values, no site."""

import json

import pytest

from milestone_automation.engine.rules import criteria, health, schedule
from milestone_automation.engine.rules.criteria import Criterion, CriterionKind, CriterionState

FILE = Criterion(CriterionKind.FILE)
NOTE = Criterion(CriterionKind.FIELD_SET, field="note")
CERTIFICATE = Criterion(CriterionKind.DOCUMENT, doctype="Certificate", link_field="order", condition="doc.ok")


def test_criteria_are_read_as_they_were_written():
	kept = (FILE, NOTE, CERTIFICATE, Criterion(CriterionKind.COMMENT, label="Why", required=False))
	assert criteria.parse(criteria.dump(kept)) == kept


@pytest.mark.parametrize("empty", [None, "", "  ", "[]"])
def test_no_criteria(empty):
	assert criteria.parse(empty) == ()


def test_none_are_stored_as_nothing():
	assert criteria.dump(()) is None


@pytest.mark.parametrize(
	"text",
	[
		"{}",
		"[1]",
		"nothing",
		'[{"kind": "Telepathy"}]',
		'[{"field": "note"}]',
		'[{"kind": "Field Is Set", "field": ["note"]}]',
		json.dumps([{"kind": "File Is Attached"}] * 21),
	],
)
def test_what_is_no_list_of_criteria_is_refused(text):
	with pytest.raises(ValueError):
		criteria.parse(text)


@pytest.mark.parametrize(
	("required", "expected"), [(1, True), ("1", True), (0, False), ("0", False), (None, False)]
)
def test_a_criterion_is_required_unless_it_says_otherwise(required, expected):
	row = {"kind": "File Is Attached", "required": required}
	assert criteria.parse(json.dumps([row]))[0].required is expected
	assert criteria.parse('[{"kind": "File Is Attached"}]')[0].required


def test_only_what_its_kind_uses_is_kept():
	row = {"kind": "File Is Attached", "field": "note", "doctype": "Certificate"}
	assert criteria.parse(json.dumps([row])) == (FILE,)


def test_a_criterion_is_known_by_its_rule_alone():
	assert NOTE.key == Criterion(CriterionKind.FIELD_SET, field="note", label="A note", required=False).key
	others = (FILE, NOTE, CERTIFICATE, Criterion(CriterionKind.FIELD_SET, field="title"))
	assert len({one.key for one in others}) == len(others)


@pytest.mark.parametrize(
	("fact", "is_waived", "state"),
	[
		(True, False, CriterionState.MET),
		(True, True, CriterionState.MET),
		(False, True, CriterionState.WAIVED),
		(None, True, CriterionState.WAIVED),
		(None, False, CriterionState.BROKEN),
		(False, False, CriterionState.OPEN),
	],
)
def test_the_state_of_a_criterion(fact, is_waived, state):
	waived = {FILE.key: {"reason": "Sent by post"}} if is_waived else {}
	[verdict] = criteria.judge([FILE], {FILE.key: fact}, waived, "Shipped")
	assert (verdict.state, verdict.stage_name) == (state, "Shipped")
	assert verdict.blocks == (state in (CriterionState.OPEN, CriterionState.BROKEN))


def test_what_is_not_required_blocks_nothing():
	optional = Criterion(CriterionKind.FILE, required=False)
	assert criteria.blocking(criteria.judge([optional, NOTE], {}, {})) == criteria.judge([NOTE], {}, {})


# What follows from a count of open criteria


def row(idx: int, unmet: int = 0, **values) -> dict:
	return {
		"name": f"row {idx}",
		"idx": idx,
		"status": "Open",
		"key_date": "2030-06-01",
		"open_criteria": unmet,
		"gate_mode": "Block",
	} | values


PLAN = {"status": "Active"}
RULES = schedule.Rules()


def kinds(stages, plan=PLAN) -> list[str]:
	return [message.kind.value for message in schedule.scheduled(plan, stages, [], RULES)]


def test_a_stage_with_unmet_criteria_is_blocked_and_not_prompted_for():
	assert kinds([row(1, 2)]) == ["Blocked (Owner)", "Warning"]
	assert kinds([row(1)]) == ["Prompt"]


@pytest.mark.parametrize("mode", ["Warn", "Off"])
def test_the_prompt_goes_out_where_the_gate_does_not_block(mode):
	assert kinds([row(1, 2, gate_mode=mode)])[0] == "Prompt"


def test_criteria_of_earlier_stages_block_only_where_the_plan_says_so():
	stages = [row(1, 1), row(2)]
	assert schedule.blocking_criteria(stages, stages[1], False) == 0
	assert schedule.blocking_criteria(stages, stages[1], True) == 1


def test_the_owner_is_reminded_of_unmet_criteria():
	told = row(1, 1, held_told_on="2030-06-01", remind_after_days=2)
	[reminder] = [one for one in schedule.scheduled(PLAN, [told], [], RULES) if one.occurrence]
	assert (reminder.kind.value, str(reminder.first_day)) == ("Blocked (Owner)", "2030-06-03")


def test_a_stage_that_lost_what_it_had_starts_a_new_round():
	assert schedule.blocked_again([row(1, 1, prompted_on="2030-06-01")], [], False)
	assert not schedule.blocked_again([row(1, 0, prompted_on="2030-06-01")], [], False)


def test_health_counts_criteria_like_tasks():
	day = schedule.as_day("2030-06-01")
	assert health.stage_health("Open", day, day, 1, 3) == "Blocked"
