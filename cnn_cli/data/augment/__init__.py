"""Augmentation as functions of a whole batch, with separate random draws for each image."""
