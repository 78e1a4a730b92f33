"""The forecast held against what came: a back-test on event logs, side by side with two simple rules.

Run it with `./dev benchmark forecast LOG… [--activity-key=NAME] [--case-key=NAME] [--timestamp-key=NAME]`. Logs are XES
or CSV, plain or gzipped; without one, those in the folder named by MILESTONE_EVENT_LOGS or beside the checkout.

The events of all cases are gone through in the order of time. At each, the time that is left until the last event of
its case is forecast from what happened before; then, and only then, it is learned from. Nothing looks ahead, except
that a log does not say which cases are over: each is taken to be over with its last event.

Printed, over the forecasts that were said: MAE of the 50 % point in days, pinball loss of the 50 % and the 80 % point,
and how often the 80 % point held; beside them the same of "no time is left" and of "the median of all earlier cases
at this value". See docs/forecast.md.
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from milestone_automation.engine.history.event_log import read_events
from milestone_automation.engine.history.log_events import Event, EventLogError, LogFormat
from milestone_automation.engine.review.calibration import pinball
from milestone_automation.engine.review.forecast import Forecaster

MICROSECONDS_A_DAY = 86_400_000_000
TEST_SHARE = 0.2


class Step(NamedTuple):
	"""An event of a case; `moment` in days since 1970."""

	moment: float
	value: str


class Outcome(NamedTuple):
	"""What was forecast at an event and what came, in days. `forecast` is None where nothing was said."""

	case: str
	position: int
	left: float
	forecast: tuple[float, float] | None
	median: float | None


def main() -> None:
	"""Test each log and print."""
	arguments = read_arguments()
	logs = arguments.logs or logs_at_hand()
	if not logs:
		print("No event log is named, and none lies beside the checkout: ./dev benchmark forecast LOG…")
	for path in logs:
		try:
			cases = read_cases(path, arguments)
		except EventLogError as error:
			raise SystemExit(str(error)) from error
		print_table(path.name, cases, list(back_test(cases)))


def read_arguments() -> argparse.Namespace:
	"""Read the command line."""
	parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
	parser.add_argument("logs", nargs="*", type=Path, metavar="LOG")
	for name in ("case-key", "activity-key", "timestamp-key", "timestamp-format"):
		parser.add_argument(f"--{name}")
	return parser.parse_args()


def logs_at_hand() -> list[Path]:
	"""Return the logs the tests use, too."""
	beside = Path(os.environ["MILESTONE_ROOT"]).parent / "shared" / "data"
	return sorted(Path(os.environ.get("MILESTONE_EVENT_LOGS") or beside).glob("*.xes*"))


def read_cases(path: Path, arguments: argparse.Namespace) -> dict[str, list[Step]]:
	"""Read a log; each case's events in the order of time, and of the file where they are of one moment.

	Args:
		path: of the log.
		arguments: of the command line: names of the columns, and the format of times; None for the usual ones.

	Returns:
		dict: steps by case id; rows that cannot be used are left out.

	Raises:
		EventLogError: the file cannot be read.
	"""
	log_format = LogFormat(
		case_key=arguments.case_key,
		activity_key=arguments.activity_key,
		timestamp_key=arguments.timestamp_key,
		timestamp_format=arguments.timestamp_format,
	)
	cases = defaultdict(list)
	for event in read_events(path, log_format):
		if isinstance(event, Event):
			cases[event.case].append(Step(event.instant / MICROSECONDS_A_DAY, event.value))
	return {case: sorted(steps, key=lambda step: step.moment) for case, steps in cases.items()}


def back_test(cases: dict[str, list[Step]]) -> Iterator[Outcome]:
	"""Yield, in the order of time, what was forecast at each event.

	Args:
		cases: as `read_cases` returns them, each over with its last step.
	"""
	events = sorted(
		(step.moment, number, position, case)
		for number, (case, steps) in enumerate(cases.items())
		for position, step in enumerate(steps)
	)
	forecaster = Forecaster()
	for moment, _number, position, case in events:
		steps = cases[case]
		forecaster.observe(case, steps[position].value, moment)
		visit = forecaster.first_words(case)
		said = visit.answer.quantiles if forecaster.is_said(visit) else None
		yield Outcome(case, position, steps[-1].moment - moment, said, visit.median)
		if position == len(steps) - 1:
			forecaster.finish(case, moment)


@dataclass
class Score:
	"""Sums over forecasts."""

	events: int = 0
	said: int = 0
	within: int = 0
	losses: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0]))

	def add(self, outcome: Outcome) -> None:
		"""Count an outcome; where nothing was said, or no median was known, only as an event.

		Args:
			outcome: of the events that are scored.
		"""
		self.events += 1
		if outcome.forecast is None or outcome.median is None:
			return
		self.said += 1
		# Moments are sums of floats: a billionth of a day is none.
		self.within += outcome.left <= outcome.forecast[1] + 1e-9
		for name, (p50, p80) in {
			"forecast": outcome.forecast,
			"none left": (0.0, 0.0),
			"median": (outcome.median, outcome.median),
		}.items():
			sums = self.losses[name]
			sums[0] += abs(outcome.left - p50)
			sums[1] += pinball(outcome.left, p50, 0.5)
			sums[2] += pinball(outcome.left, p80, 0.8)

	def line(self) -> str:
		"""Return a line of the table."""
		if not self.said:
			return f"{self.events:>8} {0:>6.1%}  silent"
		means = " ".join(
			" ".join(f"{total / self.said:>8.3f}" for total in self.losses[name]) + "  "
			for name in ("forecast", "none left", "median")
		)
		return f"{self.events:>8} {self.said / self.events:>6.1%} {self.within / self.said:>9.3f} {means}"


def print_table(name: str, cases: dict[str, list[Step]], outcomes: Sequence[Outcome]) -> None:
	"""Print the scores of all events, and of those by which published results are counted.

	Args:
		name: of the log.
		cases: all of it.
		outcomes: of all its events.
	"""
	test = last_cases(cases)
	rows = {
		"every event": outcomes,
		"  but the last of its case": [one for one in outcomes if not is_last(one, cases)],
		f"last {TEST_SHARE:.0%} of cases": [one for one in outcomes if one.case in test],
		"  but first and last event": [
			one for one in outcomes if one.case in test and one.position and not is_last(one, cases)
		],
	}
	print(f"\n{name}: {len(cases)} cases, {len(outcomes)} events; MAE and pinball losses in days")
	columns = f"{'MAE':>8} {'p50 loss':>8} {'p80 loss':>8}  "
	print(f"{'':<28} {'':>15} {'p80':>9}   {'forecast':<28}{'no time is left':<28}median by value")
	print(f"{'':<28} {'events':>8} {'said':>6} {'coverage':>9} {columns} {columns} {columns}")
	for title, chosen in rows.items():
		score = Score()
		for outcome in chosen:
			score.add(outcome)
		print(f"{title:<28} {score.line()}")


def last_cases(cases: dict[str, list[Step]]) -> set[str]:
	"""Return the ids of the cases that began last, `TEST_SHARE` of them.

	Args:
		cases: as `read_cases` returns them.
	"""
	in_order = sorted(cases, key=lambda case: cases[case][0].moment)
	return set(in_order[int((1 - TEST_SHARE) * len(in_order)) :])


def is_last(outcome: Outcome, cases: dict[str, list[Step]]) -> bool:
	"""Tell whether the case ended with this event.

	Args:
		outcome: of the event.
		cases: with its case.
	"""
	return outcome.position == len(cases[outcome.case]) - 1


main()
