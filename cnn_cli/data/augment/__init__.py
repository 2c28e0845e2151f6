"""Augmentation as functions of a whole batch: every picture gets draws of its own, on the batch's device."""
