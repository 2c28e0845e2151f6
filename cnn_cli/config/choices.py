"""Words that several rooms share with the config. No pydantic here: worker processes import this module."""

from typing import Literal

PreprocessingKind = Literal["digit", "photo"]
"""What is done to an image before a network reads it.

`digit`: the ink is found on its background and normalized to 28x28 as MNIST's digits are.
`photo`: the middle square of the whole image is scaled to the network's input.
"""
