"""Classify images with trained networks, without torch: one digit per image, or lines of digits."""
