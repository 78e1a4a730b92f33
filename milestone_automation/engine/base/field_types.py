"""Frappe's field types by what they hold: the one place that lists them."""

# Whole numbers, and numbers with decimals.
WHOLE_TYPES = frozenset({"Int", "Check", "Long Int"})
DECIMAL_TYPES = frozenset({"Float", "Currency", "Percent", "Duration", "Rating"})
NUMBER_TYPES = WHOLE_TYPES | DECIMAL_TYPES
# Those with a day; and all whose column holds no empty text.
DAY_TYPES = frozenset({"Date", "Datetime"})
TIME_TYPES = DAY_TYPES | {"Time"}
# Of these, a value is what their text says.
HTML_TYPES = frozenset({"Text Editor", "HTML Editor", "HTML"})
# Those whose whole value a milestone or plan keeps as text.
SHORT_TYPES = (
	NUMBER_TYPES | TIME_TYPES | {"Data", "Select", "Link", "Dynamic Link", "Autocomplete", "Read Only"}
)
