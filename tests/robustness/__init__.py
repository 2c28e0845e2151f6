"""Attacks on the program's promises: `pytest -m robust` runs all of them, in at most 15 minutes on two cores."""
