"""Counting what a piece of code asks of the database and of Redis."""

from contextlib import contextmanager

import frappe
import pytest
import redis

TRANSACTION_CONTROL = (
	"commit",
	"rollback",
	"start transaction",
	"begin",
	"savepoint",
	"release savepoint",
	"set session",
)


class Calls:
	"""What was asked, in order."""

	def __init__(self):
		self.all: list[str] = []

	@property
	def statements(self) -> list[str]:
		"""SQL statements without those that only begin and end transactions."""
		return [text for text in self.all if not text.strip().lower().startswith(TRANSACTION_CONTROL)]

	@property
	def count(self) -> int:
		return len(self.statements)

	def __str__(self) -> str:
		return f"{self.count} calls:\n" + "\n".join(f"  {text[:300]}" for text in self.statements)


class CountingCursor:
	"""Stands before the connection's cursor and notes what passes."""

	def __init__(self, cursor, calls: Calls):
		self.__dict__.update(cursor=cursor, calls=calls)

	def execute(self, query, *arguments, **named):
		self.calls.all.append(str(query))
		return self.cursor.execute(query, *arguments, **named)

	def executemany(self, query, *arguments, **named):
		self.calls.all.append(str(query))
		return self.cursor.executemany(query, *arguments, **named)

	def __getattr__(self, name):
		return getattr(self.cursor, name)

	def __setattr__(self, name, value):
		setattr(self.cursor, name, value)

	def __iter__(self):
		return iter(self.cursor)


@pytest.fixture
def count_queries(site):
	"""Context manager `with count_queries() as queries`: afterwards `queries.count`, `queries.statements`."""

	@contextmanager
	def counting():
		calls, database = Calls(), frappe.db
		database._cursor = CountingCursor(database._cursor, calls)
		try:
			yield calls
		finally:
			if isinstance(database._cursor, CountingCursor):
				database._cursor = database._cursor.cursor

	return counting


@pytest.fixture
def count_redis_calls(site, monkeypatch):
	"""Context manager `with count_redis_calls() as calls`: commands sent to Redis, pipelines counted as one."""

	@contextmanager
	def counting():
		calls = Calls()
		with monkeypatch.context() as patch:
			_record(
				patch,
				redis.Redis,
				"execute_command",
				calls,
				lambda arguments: " ".join(map(str, arguments))[:300],
			)
			_record(patch, redis.client.Pipeline, "execute", calls, lambda arguments: "pipeline")
			yield calls

	return counting


def _record(patch, owner, name: str, calls: Calls, describe) -> None:
	original = getattr(owner, name)

	def recorded(self, *arguments, **named):
		calls.all.append(describe(arguments))
		return original(self, *arguments, **named)

	patch.setattr(owner, name, recorded)
