"""Pictures that are no digits, drawn by the program: what a network learns to be unsure of."""

from cnn_cli.data.strangers.drawing import draw

__all__ = ["draw"]
