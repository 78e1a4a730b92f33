"""Conditions and custom messages end: what would not is refused when it is saved, and stopped when it runs."""

import frappe
import pytest

from milestone_automation.engine.base import budget
from milestone_automation.engine.tracking import conditions, expressions
from milestone_automation.engine.workflows import custom_messages, matching
from tests.support.guarded import ORDER, make_order, make_workflow, stage

pytestmark = [pytest.mark.usefixtures("guarded"), pytest.mark.one_database]


def nested(level: str, levels: int = 9) -> str:
	"""An expression that puts the one before into itself, so many times."""
	text = "[1]"
	for _level in range(levels):
		text = level.format(text)
	return text


ENDLESS_CONDITIONS = (
	"10**10**8",
	"9**9**9**9",
	"9" + "*9" * 3000 + " > 1",
	"'a' * 10000000000 == 'b'",
	"doc.title * 1000000000 == 'b'",
	"'%1000000000d' % 1 == 'b'",
	"'{:1000000000}'.format(1) == 'b'",
	"f'{1:1000000000}' == 'b'",
	"doc.title.center(1000000000) == 'b'",
	"doc.title.ljust(1000000000) == 'b'",
	"round(5, -1000000000) == 5",
	"frappe.utils.rounded(5.5, 1000000000) == 5",
	"frappe.utils.flt(5.5, 1000000000) == 5",
	"frappe.utils.fmt_money(5.5, 1000000000) == 5",
	"frappe.utils.generate_hash(length=1000000000) == 5",
	"1 << 1000000000 == 5",
	"(lambda f: f(f))(lambda f: f(f))",
	"[a for a in '" + "x" * 300 + "' for b in '" + "x" * 300 + "' for c in '" + "x" * 300 + "'] == []",
	"'a'.replace('a', '" + "a" * 3000 + "').replace('a', '" + "a" * 3000 + "') == ''",
	"''.join(['" + "a" * 3000 + "' for x in '" + "x" * 3000 + "']) == ''",
	"(" * 300 + "1" + ")" * 300,
	"not " * 3000 + "1",
	"-" * 9000 + "1",
	"[" * 100 + "]" * 100,
	"1 if " * 60 + "1" + " else 1" * 60,
	"doc.title == '" + "x" * 20000 + "'",
	"(x := 5) == 5",
	"__import__('os').system('true')",
	"().__class__.__bases__[0].__subclasses__()",
	"doc.title.__class__",
	"frappe.db.sql('select 1')",
	"frappe.utils.execute_in_shell('true')",
	# One list many times in another one, and so on: few words, billions of items.
	f"len(str({nested('[[' + 'c, ' * 9 + '] for c in [{}]]')})) > 0",
	f"{nested('[[' + 'c, ' * 9 + '] for c in [{}]]')} == {nested('[[' + 'c, ' * 9 + '] for c in [{}]]')}",
	f"len(set({nested('[(' + 'c, ' * 9 + ') for c in {}]')})) > 0",
	"frappe.utils.getdate('" + " " * 5000 + "') == 5",
)
HARMLESS_CONDITIONS = (
	"doc.status == 'Open' and doc.title != 'x'",
	"doc.get('note') in ('a', 'b', None)",
	"len(doc.lines) > 0 and sum(row.cost or 0 for row in doc.lines) < 100 or True",
	"any(row.item.lower().startswith('shirt') for row in doc.lines if row.item) or not doc.lines",
	"frappe.utils.date_diff(doc.delivery_date, frappe.utils.nowdate()) > -100000",
	"frappe.utils.getdate(doc.delivery_date).year >= 2000",
	"(doc.price or 0) * 2 + 1 >= 1 and 7 % 2 == 1 and 7 // 2 == 3",
	"{'Open': 1}.get(doc.status, 0) == 1",
	"doc.title[:3] == doc.title[0:3] and doc.title[-1] != ''",
	"max(1, 2) == 2",
)


@pytest.mark.parametrize("condition", ENDLESS_CONDITIONS, ids=lambda text: text[:40])
def test_a_condition_that_could_hang_the_site_is_refused_when_it_is_saved(condition):
	with pytest.raises(frappe.ValidationError, match="The condition "):
		conditions.check(condition, ORDER)


@pytest.mark.parametrize("condition", ENDLESS_CONDITIONS, ids=lambda text: text[:40])
def test_one_that_was_stored_all_the_same_is_stopped_logged_and_counts_as_false(condition):
	workflow = make_workflow("Hanging")
	workflow.condition = condition
	order = make_order()
	assert matching.matches(workflow, order) is False
	assert frappe.db.exists("Error Log", {"method": ("like", "Milestone Workflow Hanging: cannot tell%")})


@pytest.mark.parametrize("condition", HARMLESS_CONDITIONS, ids=lambda text: text[:40])
def test_what_people_write_works(condition):
	conditions.check(condition, ORDER)
	order = make_order(title="Shirts", lines=[{"item": "Shirt", "cost": 3}])
	assert conditions.holds(condition, order) is True


def test_a_save_goes_through_whatever_its_conditions_do():
	make_workflow("Hanging")
	frappe.db.set_value("Milestone Workflow", "Hanging", "condition", "doc.title * 10**9 == 1")
	frappe.clear_cache()
	order = make_order()
	assert frappe.db.exists(ORDER, order.name)
	assert not frappe.db.exists("Milestone Plan", {"reference_name": order.name})


def test_a_condition_reads_the_document_and_changes_nothing():
	order = make_order(lines=[{"item": "Shirt"}])
	for expression in ("doc.lines.append(1)", "doc.lines.clear()", "doc.save()", "doc.set('title', 'x')"):
		with pytest.raises((expressions.NotAllowed, AttributeError)):
			expressions.evaluate(expression, order)
	assert len(order.lines) == 1


def test_steps_are_counted_not_measured():
	rows = [{"item": "x"}] * 200
	order = make_order()
	order.set("lines", rows)
	twice = "len([1 for a in doc.lines for b in doc.lines]) > 0"
	with pytest.raises(budget.BudgetExceeded):
		expressions.evaluate(twice, order)
	order.set("lines", rows[:20])
	assert expressions.evaluate(twice, order)


# Custom messages

# Each holds the one before many times.
LISTS = (
	"{% set a = range(2000) | list %}{% set b = [" + "a, " * 500 + "] %}{% set c = [" + "b, " * 500 + "] %}"
	"{% set d = [" + "b, " * 500 + "] %}"
)


def in_each_round(text: str) -> str:
	"""A message with something many times in each of very many rounds."""
	names = "{% set a = range(1900) | list %}{% set b = range(1900) | list %}{% set text = 'x y ' ~ a | join(' ') %}"
	return names + "{% for round in range(1900) %}" + text * 100 + "{% endfor %}"


ENDLESS_MESSAGES = (
	"{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
	"{% for a in range(10000000000) %}{% endfor %}",
	"{{ '%1000000000d' | format(1) }}",
	"{{ '%1000000000d' % 1 }}",
	"{{ '{:1000000000}'.format(1) }}",
	"{{ lipsum(1000000) }}",
	"{{ '<' * 1000000 }}",
	"{{ doc.title * 1000000 }}",
	"{{ doc['title'] * 1000000 }}",
	"{{ 10 ** 10 ** 8 }}",
	"{{ 'x' | center(1000000000) }}",
	"{{ 'x' | indent(1000000000) }}",
	"{{ 'x'.center(1000000000) }}",
	"{{ 'x'['center'](1000000000) }}",
	"{{ 'x' | attr('center')(1000000000) }}",
	"{% set a = 'xxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 30 + "{{ a }}",
	"{% set a = 'xxxxxxxxxx' %}" + "{% set a = a + a %}" * 30 + "{{ a }}",
	"{% set a = [1, 2, 3] %}" + "{% set a = a + a %}" * 30 + "{{ a | length }}",
	"{{ 'aaaaaaaaaa' | replace('a', '" + "a" * 3000 + "') }}",
	"{{ 5.5 | round(1000000000) }}",
	"{{ frappe.utils.flt(5.5, 1000000000) }}",
	"{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
	"{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
	"{% include 'x' %}",
	"{% set ns = namespace(a=1) %}",
	"{{ cycler('a', 'b') }}",
	"{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
	"x" * 20000,
	LISTS + "{{ c }}",
	LISTS + "{{ c | join }}",
	LISTS + "{{ c ~ 'x' }}",
	LISTS + "{{ c == d }}",
	LISTS + "{{ {'c': c} }}",
	LISTS + "{{ (c, c) | string | length }}",
	"{% set a = range(2000) | list %}{{ [" + "a, " * 3000 + "] | sum(start=[]) | length }}",
	in_each_round("{% if a == b %}{% endif %}"),
	in_each_round("{% if -1 in a %}{% endif %}"),
	in_each_round("{% if a is eq(b) %}{% endif %}"),
	in_each_round("{% if a | select('in', b) | first %}{% endif %}"),
	in_each_round("{% if a | sort | reverse | sort | first %}{% endif %}"),
	in_each_round("{% set c = 1 + 1 %}"),
	in_each_round("{% set c = a[0] %}"),
	in_each_round("{% set c = doc.title %}"),
	in_each_round("{% if text | upper | lower | wordcount %}{% endif %}"),
)


@pytest.mark.parametrize("text", ENDLESS_MESSAGES, ids=lambda text: text[:40])
def test_a_message_that_could_hang_the_site_is_refused_when_it_is_saved(text):
	with pytest.raises(frappe.ValidationError, match="The custom message "):
		custom_messages.check_template(text, ORDER)


@pytest.mark.parametrize("text", ENDLESS_MESSAGES, ids=lambda text: text[:40])
def test_one_that_was_stored_all_the_same_goes_out_as_plain_text_and_is_logged(text):
	order = make_order()
	told = custom_messages.render(text, order, {"stage_name": "Cut", "key_date": None})
	assert len(told) <= budget.MOST_TEXT
	if "{" in text:
		assert "…" in told or set(told) <= set("{}(%")
		assert frappe.db.exists("Error Log", {"method": ("like", "Milestone message of Priced Order%")})


@pytest.mark.parametrize(
	("text", "told"),
	[
		("Is {{ doc.title }} {{ doc.status | upper }}?", "Is Shirts OPEN?"),
		("{{ 'late' if doc.title == 'x' else 'in time' }}", "in time"),
		("{% for row in doc.lines %}{{ loop.index }}. {{ row.item }}{% if not loop.last %}, {% endif %}{% endfor %}", "1. Shirt, 2. Coat"),
		("{{ doc.lines | map(attribute='item') | join(', ') }}", "Shirt, Coat"),
		("{{ doc.lines | length }} of {{ 2 + 3 * 4 }}", "2 of 14"),
		("{{ doc.title.replace('S', 's') ~ '!' }}", "shirts!"),
		("{{ frappe.utils.add_days('2030-01-01', 1) }}", "2030-01-02"),
		("{{ doc.lines | sum(attribute='cost') }} {{ [1, 2.5] | sum }}", "7.0 3.5"),
		("{{ doc.lines | selectattr('item', 'in', ['Coat']) | map(attribute='item') | first }}", "Coat"),
		("{% if doc.status in ('Open', 'Cut') and doc.title is ne('x') %}{{ {'Open': 'still open'}[doc.status] }}{% endif %}", "still open"),
		("{% set name = doc.title %}{{ name | default('-') }} {{ doc.note | default('none', true) }}", "Shirts none"),
	],
)  # fmt: skip
def test_messages_people_write_work(text, told):
	order = make_order(title="Shirts", lines=[{"item": "Shirt", "cost": 3}, {"item": "Coat", "cost": 4}])
	custom_messages.check_template(text, ORDER)
	row = {"stage_name": "Cut", "key_date": None, "custom_message_by": "Administrator"}
	assert custom_messages.render(text, order, row) == told


def test_a_long_document_is_told_of_row_by_row():
	rows = [{"item": f"Shirt {number}", "cost": number} for number in range(400)]
	order = make_order(title="Shirts", lines=rows)
	text = "{% for row in doc.lines %}{{ row.item | upper }}: {{ row.cost * 2 }}{{ '; ' if not loop.last }}{% endfor %}"
	custom_messages.check_template(text, ORDER)
	row = {"stage_name": "Cut", "key_date": None, "custom_message_by": "Administrator"}
	assert custom_messages.render(text, order, row).endswith("SHIRT 399: 798.0")


def test_a_document_printed_as_a_whole_tells_its_name_only():
	order = make_order(title="Shirts", note="Not for everybody", lines=[{"item": "Shirt"}])
	row = {"stage_name": "Cut", "key_date": None, "custom_message_by": "Administrator"}
	assert custom_messages.render("{{ doc }} {{ [doc] }}", order, row) == f"{order.name} [{order.name}]"


def test_over_http_the_refusal_says_what_is_not_allowed(served):
	for values, message in (
		({"condition": "9**9**9**9"}, "** cannot be used"),
		({"stages": [stage("Cut", custom_message="{{ '<' * 1000000 }}")]}, "texts can only be added"),
		({"stages": [stage("Cut", custom_message="{{ lipsum() }}")]}, "uses lipsum, which is not defined"),
	):
		workflow = {"workflow_name": "Hang", "document_type": ORDER, "enabled": 1, "stages": [stage("Cut")]}
		answer = served.client("Administrator").post(
			"/api/resource/Milestone Workflow", json=workflow | values
		)
		assert answer.status_code == 417, answer.text
		assert message in answer.text
