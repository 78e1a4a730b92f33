"""Fixtures of the security tests; see tests/support/guarded.py."""

from tests.support.guarded import guarded, people, served  # noqa: F401 - fixtures
