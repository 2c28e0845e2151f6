"""Outliers: images that are not digits, drawn by the program. A network learns to be unsure of them."""
