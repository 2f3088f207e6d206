"""For tools that still ask for a setup.py (dh-virtualenv); pyproject.toml says everything."""

from setuptools import setup

setup()
