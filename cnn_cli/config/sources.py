"""Settings of single data sources: the built-in digits, your own data, composed lines."""

from typing import Annotated, Literal

from pydantic import Field

from cnn_cli.config.fields import MAX_SIDE
from cnn_cli.config.section import Count, Section


class Synthetic(Section):
    """The built-in synthetic digits, which the program draws."""

    train: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 60_000
    """Number of images to draw for training and validation."""
    test: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 10_000
    """Number of images to draw for the test set, from other random numbers."""
    seed: Count = 0
    """Seed of the images. The `seed` of the run does not change them."""


class Own(Section):
    """Your own data (`data.name: own`): images in folders, an archive, a table or arrays."""

    broken: Literal["stop", "skip"] = "stop"
    """What to do with a file that is not a readable image: `stop` with an error, or `skip` with a warning."""
    test: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the images that is held out as the test set, if the data has none. With 1, all images are for
    the test: `cnn eval` does so with data that the network was not trained on."""
    seed: Count = 0
    """Seed of that choice. The `seed` of the run does not change it."""


class Lines(Section):
    """Lines of digits, which the program composes from the digits of a data set (`data.name: lines`)."""

    digits: Literal["mnist", "synthetic"] = "mnist"
    """The data set of the digits. Those of its test set are used for the test lines alone."""
    train: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 60_000
    """Number of lines to compose for training."""
    validation: Annotated[int, Field(ge=10, le=100_000, strict=True)] = 2_000
    """Number of lines for validation, of training digits that no training line has."""
    test: Annotated[int, Field(ge=10, le=100_000, strict=True)] = 2_000
    """Number of lines for the test set."""
    width: Annotated[int, Field(ge=32, le=MAX_SIDE, strict=True)] = 160
    """Width of a training line in pixels. A trained network reads lines of any width."""
    seed: Count = 0
    """Seed of the lines. The `seed` of the run does not change them."""

    def of_each(self, count: int) -> "Lines":
        """Return the same with at most this number of lines in each split."""
        splits = ("train", "validation", "test")
        return self.model_copy(update={name: min(count, getattr(self, name)) for name in splits})
