"""What a fuzzer sends: real names now and then, else all that does not belong where it is put."""

import math

from hypothesis import strategies as st

ODD_TEXTS = (
	"", " ", "0", "-1", "NaN", "null", "true", "[]", "{}", "[bad", '{"a":', "a\x00b", "\ud800", "a\udfff", "\u202e",
	"' or 1=1 --", "j1'or't'--", '"', "`tabUser`", "%", "%s", "\\", "../../etc/passwd", "<img src=x onerror=alert(1)>",
	"{{ 7*7 }}", "{% for a in range(9999999) %}{% endfor %}", "9**9**9**9", "x" * 141, "x" * 5000, "9" * 400, "1e400",
	"2030-02-30", "2030-13-01", "0000-00-00", "9999-12-31", "10000-01-01", "2030-01-01T25:00", "tomorrow", "\u0662",
	"Administrator", "Guest", "User", "DocType", "System Settings", "No Such Kind", "Milestone Plan Stage",
	"\U0001f600" * 40, "\n", "a,b", "[[[[[[[[[[1]]]]]]]]]]", "[" * 2000,
)  # fmt: skip
ODD_VALUES = (
	None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, math.nan, math.inf, [], {}, [None], [[]], [{}],
	{"a": 1}, {"": None}, {"doctype": "User"}, ["x", 1, None], [["status", "=", "Open"]], [["a\x00", "=", 1]],
	[["due_date", "between", ["x", "y"]]], {"status": ["in", None]}, [[1, 2, 3, 4, 5, 6]], {"stages": "x"},
	{"stages": [1]}, {"stages": [{"offset_days": "x"}]}, {"document_type": {"a": 1}},
)  # fmt: skip
NESTED = st.recursive(
	st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
	lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
	max_leaves=6,
)


def values(known: tuple) -> st.SearchStrategy:
	"""Values for one argument: real ones, odd ones, and ones nobody thought of."""
	real = [st.sampled_from(known)] if known else []
	texts = st.text(max_size=30)
	return st.one_of(*real, *real, st.sampled_from(ODD_TEXTS), st.sampled_from(ODD_VALUES), texts, NESTED)


def arguments(names: list[str], known: dict[str, tuple]) -> st.SearchStrategy:
	"""Arguments of one call; any of them may be missing, and there may be one too many."""
	fields = {name: values(known.get(name, ())) for name in names}
	return st.fixed_dictionaries({}, optional=fields | {"surplus": values(())})


def is_json(value) -> bool:
	"""Tell whether strict JSON can say a value: no NaN, no infinity."""
	if isinstance(value, float):
		return math.isfinite(value)
	if isinstance(value, dict):
		return all(map(is_json, value.values()))
	return all(map(is_json, value)) if isinstance(value, list) else True
