"""The words of the project are the options of its DocTypes: none missing, none more, same order."""

import json
from pathlib import Path

import pytest

from milestone_automation.engine.rules import vocabulary

DOCTYPE_FOLDER = Path(vocabulary.__file__).parents[2] / "doctype"

WORDS_OF_FIELD = {
	("Milestone", "source"): vocabulary.MilestoneSource,
	("Milestone Date Change", "source"): vocabulary.DateChangeSource,
	("Milestone Date Change", "status"): vocabulary.DateChangeStatus,
	("Milestone Message", "kind"): vocabulary.MessageKind,
	("Milestone Message", "channel"): vocabulary.MessageChannel,
	("Milestone Message", "status"): vocabulary.MessageStatus,
	("Milestone Next Step", "event"): vocabulary.StepEvent,
	("Milestone Next Step", "status"): vocabulary.StepStatus,
	("Milestone Plan", "imported_documents"): vocabulary.EntryRule,
	("Milestone Plan", "new_documents"): vocabulary.EntryRule,
	("Milestone Plan", "health"): vocabulary.Health,
	("Milestone Plan", "later_stages"): vocabulary.ShiftMode,
	("Milestone Plan", "status"): vocabulary.PlanStatus,
	("Milestone Plan Log", "event"): vocabulary.PlanEvent,
	("Milestone Plan Stage", "gate_mode"): vocabulary.GateMode,
	("Milestone Plan Stage", "health"): vocabulary.Health,
	("Milestone Plan Stage", "dependency"): vocabulary.Dependency,
	("Milestone Plan Stage", "key_date_rule"): vocabulary.KeyDateRule,
	("Milestone Plan Stage", "kind"): vocabulary.StageKind,
	("Milestone Plan Stage", "owner_kind"): vocabulary.OwnerKind,
	("Milestone Plan Stage", "reach_rule"): vocabulary.ReachRule,
	("Milestone Plan Stage", "status"): vocabulary.StageStatus,
	("Milestone Task", "assignee_kind"): vocabulary.AssigneeKind,
	("Milestone Task", "completion_rule"): vocabulary.CompletionRule,
	("Milestone Task", "status"): vocabulary.TaskStatus,
	("Milestone Workflow", "imported_documents"): vocabulary.EntryRule,
	("Milestone Workflow", "later_stages"): vocabulary.ShiftMode,
	("Milestone Workflow", "new_documents"): vocabulary.EntryRule,
	("Milestone Workflow Stage", "gate_mode"): vocabulary.GateMode,
	("Milestone Workflow Stage", "dependency"): vocabulary.Dependency,
	("Milestone Workflow Stage", "key_date_rule"): vocabulary.KeyDateRule,
	("Milestone Workflow Stage", "kind"): vocabulary.StageKind,
	("Milestone Workflow Stage", "owner_kind"): vocabulary.OwnerKind,
	("Milestone Workflow Stage", "reach_rule"): vocabulary.ReachRule,
	("Milestone Workflow Task", "assignee_kind"): vocabulary.AssigneeKind,
	("Milestone Workflow Task", "completion_rule"): vocabulary.CompletionRule,
}

# Modules have words of their own too, which no field stores.
ALL_VOCABULARIES = [
	words for words in vocabulary.Vocabulary.__subclasses__() if words.__module__ == vocabulary.__name__
]


def doctype_fields(doctype: str) -> dict[str, dict]:
	"""Return the fields of a DocType of this app by name, read from its JSON file."""
	folder = doctype.lower().replace(" ", "_")
	definition = json.loads((DOCTYPE_FOLDER / folder / f"{folder}.json").read_text())
	return {field["fieldname"]: field for field in definition["fields"]}


def select_fields() -> list[tuple[str, str]]:
	"""Return (DocType, field name) of each Select field of this app that has fixed options."""
	definitions = [json.loads(path.read_text()) for path in sorted(DOCTYPE_FOLDER.glob("*/*.json"))]
	return [
		(definition["name"], field["fieldname"])
		for definition in definitions
		for field in definition.get("fields", [])
		if field["fieldtype"] == "Select" and field.get("options")
	]


@pytest.mark.parametrize(("doctype", "fieldname"), WORDS_OF_FIELD)
def test_select_options_are_the_words_of_the_vocabulary(doctype, fieldname):
	fields = doctype_fields(doctype)
	assert fieldname in fields, f"{doctype} has lost its field {fieldname}"
	assert fields[fieldname]["fieldtype"] == "Select"
	# A Select may start with an empty line, its way to be left open.
	options = fields[fieldname]["options"].removeprefix("\n")
	assert options.split("\n") == [word.value for word in WORDS_OF_FIELD[doctype, fieldname]]


@pytest.mark.parametrize(("doctype", "fieldname"), WORDS_OF_FIELD)
def test_default_of_a_select_is_one_of_its_words(doctype, fieldname):
	default = doctype_fields(doctype)[fieldname].get("default")
	assert default is None or WORDS_OF_FIELD[doctype, fieldname](default)


def test_every_select_with_fixed_options_has_its_words_in_the_vocabulary():
	unknown = sorted(set(select_fields()) - set(WORDS_OF_FIELD))
	assert not unknown, f"give these a vocabulary and map them here: {unknown}"


def test_every_vocabulary_is_the_words_of_some_field():
	assert set(ALL_VOCABULARIES) == set(WORDS_OF_FIELD.values())


@pytest.mark.parametrize("words", ALL_VOCABULARIES)
def test_a_word_prints_compares_and_travels_as_the_value_it_is_stored_as(words):
	for word in words:
		assert str(word) == f"{word}" == "%s" % word == word == word.value  # noqa: UP031 - that is under test
		assert json.dumps([word]) == json.dumps([word.value])
		assert {word: 1}[word.value] == 1


@pytest.mark.parametrize("words", ALL_VOCABULARIES)
def test_every_vocabulary_says_what_its_words_are_about(words):
	assert words.__doc__ != vocabulary.Vocabulary.__doc__
