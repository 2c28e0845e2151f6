"""Augmentation as functions of a whole batch: every image gets draws of its own, on the batch's device."""
