"""A plan as it is stored."""
