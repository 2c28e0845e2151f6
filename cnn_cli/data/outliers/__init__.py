"""Outliers: images that are not digits, drawn by the program. The network learns to be unsure of them."""
