"""Read images from Python: `load` returns a reader that answers as `cnn predict` and `cnn read` do."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

from cnn_cli.api.images import ImageLike, image_source, is_single
from cnn_cli.api.silence import no_warnings
from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import choose_checkpoints
from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.errors import CnnError, ConfigError
from cnn_cli.reading import predict, text
from cnn_cli.reading.image_text import ImageText
from cnn_cli.reading.line_reader import LineReader, open_line_reader
from cnn_cli.reading.predict import Prediction
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.sources import ImageSource

if TYPE_CHECKING:
    from torch import nn

Answer = TypeVar("Answer", Prediction, ImageText)


def load(*checkpoints: str | os.PathLike[str], min_confidence: float = MIN_CONFIDENCE) -> "ImageReader":
    """Load a trained network for reading; PyTorch is not needed.

    Args:
        checkpoints: the name of a network that ships (`reader`, `lenet`, `best`), a run's folder or a
            checkpoint file. Several are an ensemble: their probabilities are averaged. Without one, as on the
            command line: $CNN_CHECKPOINT, else the newest finished run in ./checkpoints, else the networks
            that ship, `reader` for single digits and `line` for lines of them.
        min_confidence: below this probability, 0..1, an answer is unsure.

    Raises:
        DataError: a checkpoint cannot be read, or several do not fit together.
        ConfigError: `min_confidence` is not in 0..1.
    """
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence is {min_confidence}, but must be in 0..1")
    files = choose_checkpoints([Path(name) for name in checkpoints], lines=False)
    return ImageReader(_open(files), min_confidence, named=bool(checkpoints))


class ImageReader:
    """A trained network that reads images. Several threads may use one at the same time.

    Args:
        reader: the network, or an ensemble.
        min_confidence: below this probability, 0..1, an answer is unsure.
        named: whether lines, too, are read by this network alone; otherwise by the default one for lines.
    """

    def __init__(self, reader: Reader | LineReader, min_confidence: float, *, named: bool = True) -> None:
        self._reader, self.min_confidence, self._named = reader, min_confidence, named

    @property
    def name(self) -> str:
        """The name of the network."""
        return self._reader.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes: the labels that an answer may have."""
        return self._reader.classes

    @property
    def trained_on(self) -> str:
        """The data that the network was trained on."""
        return self._reader.trained_on

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """The checkpoint files."""
        return tuple(each.path for each in self._reader.checkpoints if each.path)

    @overload
    def predict(self, images: ImageLike) -> Prediction: ...  # type: ignore[overload-overlap]  # str is iterable

    @overload
    def predict(self, images: Iterable[ImageLike]) -> list[Prediction]: ...

    def predict(self, images: ImageLike | Iterable[ImageLike]) -> Prediction | list[Prediction]:
        """Read one digit (or photo) in an image, or in each of several images.

        Many images are quicker in one call than one by one, since the network computes them in batches.

        Args:
            images: one image, or any iterable of images.

        Returns:
            The answer, or a list of answers in the order of the images.

        Raises:
            DataError: an image cannot be read; the message names it.
        """
        if is_single(images):
            return self._predict([image_source(images, "the image")])[0]
        sources, answers = _sources(images), []
        # One batch a call: for more, the command line would start worker processes. Each of those imports the
        # main module again, which only a script with `if __name__ == "__main__":` allows.
        while batch := list(islice(sources, predict.BATCH)):
            answers += self._predict(batch)
        return answers

    @overload
    def read(self, images: ImageLike) -> ImageText: ...  # type: ignore[overload-overlap]

    @overload
    def read(self, images: Iterable[ImageLike]) -> list[ImageText]: ...

    def read(self, images: ImageLike | Iterable[ImageLike]) -> ImageText | list[ImageText]:
        """Read all digits of an image, line by line, or those of each of several images.

        Args:
            images: one image, or any iterable of images.

        Returns:
            The text, or a list of texts in the order of the images.

        Raises:
            DataError: an image cannot be read, or the network that was named reads single images.
        """
        if is_single(images):
            return self._read([image_source(images, "the image")])[0]
        return self._read(_sources(images))

    def network(self) -> "nn.Sequential":
        """Return the network as a PyTorch module in evaluation mode, with its weights.

        Its input is float32 [N, C, size, size], normalized as the checkpoint says; its output are logits.

        Raises:
            ConfigError: the reader is an ensemble.
            ModuleNotFoundError: PyTorch is not installed.
        """
        from cnn_cli.model.network import load_network

        if len(self._reader.checkpoints) > 1:
            raise ConfigError("an ensemble has several networks", hint="load one checkpoint")
        return load_network(self._reader.checkpoints[0])

    def __repr__(self) -> str:
        """Return the name of the network and its data."""
        return f"<ImageReader {self.name}, trained on {self.trained_on}>"

    def _predict(self, sources: Iterable[ImageSource]) -> list[Prediction]:
        with no_warnings():
            return list(_raised(predict.predict(self._image_reader, sources, self.min_confidence)))

    def _read(self, sources: Iterable[ImageSource]) -> list[ImageText]:
        with no_warnings():
            return list(_raised(text.read_texts(self._line_reader, sources, self.min_confidence)))

    @property
    def _image_reader(self) -> Reader:
        if isinstance(self._reader, Reader):
            return self._reader
        return Reader(self._reader.checkpoints)  # says that they read lines

    @cached_property
    def _line_reader(self) -> LineReader:
        if isinstance(self._reader, LineReader):
            return self._reader
        if self._named:
            return LineReader(self._reader.checkpoints[0])  # says that it reads single images
        return open_line_reader(choose_checkpoints([], lines=True))


def _open(files: Sequence[Path]) -> Reader | LineReader:
    checkpoints = [file.read(path) for path in files]
    if len(checkpoints) == 1 and checkpoints[0].preprocessing.kind == "line":
        return LineReader(checkpoints[0])
    return Reader(checkpoints)


def _sources(images: Iterable[ImageLike]) -> Iterator[ImageSource]:
    return (image_source(image, f"image {number}") for number, image in enumerate(images))


def _raised(answers: Iterable[Answer | CnnError]) -> Iterator[Answer]:
    """Yield answers, and raise the first error among them."""
    for answer in answers:
        if isinstance(answer, CnnError):
            raise answer
        yield answer
