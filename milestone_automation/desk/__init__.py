"""Calls of the Desk; `api.py` has the whitelisted functions."""
