"""Values of settings that other rooms use too. No pydantic here: worker processes import this module."""

from typing import Literal

PreprocessingKind = Literal["digit", "photo", "line"]
"""What is done to an image before it enters the network.

`digit`: the ink is separated from its background and normalized to 28x28 pixels like the digits of MNIST.
`photo`: the middle square of the image is scaled to the size of the network's input.
`line`: a row of digits is found and becomes a strip of the height of the network's input, of any width.
"""

DataName = Literal[
    "auto",
    "mnist",
    "fashion-mnist",
    "kmnist",
    "emnist-digits",
    "emnist-letters",
    "qmnist",
    "usps",
    "svhn",
    "cifar10",
    "own",
    "synthetic",
    "lines",
]
"""The data sets: published ones, your `own` data, the built-in `synthetic` digits, or `lines` of digits that
the program composes.

`auto`: `own` if the data root holds data of your own, else `mnist`.
"""

MIN_CONFIDENCE = 0.9
"""An answer is confident from this probability on. Chosen with `benchmarks/unsure.py --development`. For the
network that ships, 1.4 % of the test digits and 89 % of the images that are not digits lie below it."""

UNSURE = "unsure"
"""The folder for images without a certain class, among the folders of classes: it is no class itself."""
