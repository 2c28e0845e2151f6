"""Attacks on the program's promises: `pytest -m robust` runs all of them, in 15 minutes on two cores."""
