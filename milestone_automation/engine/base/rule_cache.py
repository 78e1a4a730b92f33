"""What is cached of rules, for all processes; a transaction that has changed a rule reads its own and shares it with nobody."""

from collections.abc import Callable

from milestone_automation.engine.base import compat, save_state


def get(key: str, read: Callable):
	"""Return what is cached under a key; read when it is not there.

	Args:
		key: cache key, without the site.
		read: called without arguments; must not return None.
	"""
	changed = save_state.changed_rules()
	if key not in changed:
		return compat.cached(key, read)
	if changed[key] is None:
		changed[key] = read()
	return changed[key]


def is_changed_here(key: str) -> bool:
	"""Tell whether the running transaction has changed the rules under a key.

	Args:
		key: as in `get`.
	"""
	return key in save_state.changed_rules()


def forget(key: str) -> None:
	"""Forget what is cached: now for this transaction, for everybody once it ends. Call on every change of a rule.

	Args:
		key: as in `get`.
	"""
	save_state.transaction().changed_rules[key] = None
	compat.forget(key)
	compat.after_transaction(lambda: compat.forget(key))
