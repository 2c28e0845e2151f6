"""Attacks on the promises of the program: `pytest -m robust` runs all of them in at most 15 minutes."""
