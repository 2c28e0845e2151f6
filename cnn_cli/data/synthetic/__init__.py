"""Built-in synthetic digits in MNIST's format, drawn from a hand-made description of strokes."""

from cnn_cli.data.synthetic.cache import load
from cnn_cli.data.synthetic.drawing import draw

__all__ = ["draw", "load"]
