"""Classic entry point; everything else about the package stands in pyproject.toml."""

from setuptools import setup

setup(
	name="milestone_automation",
)
