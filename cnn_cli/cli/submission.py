"""The file that `--submission` asks for: the answers in the form of competitions, `ImageId,Label`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.outputs import check_output

if TYPE_CHECKING:
    from cnn_cli.reading.predict import Prediction

SubmissionFile = Annotated[
    Path | None,
    typer.Option(
        "--submission",
        metavar="OUT.csv",
        help="Write the answers as ImageId,Label, numbered from 1, as Kaggle's competitions want them.",
    ),
]


class Submission:
    """The labels of all images in their order. Without a file, nothing is collected.

    Args:
        path: the file to write.
        inputs: what is read, which must not be replaced.

    Raises:
        ConfigError: the file has another ending, or is one of the inputs.
    """

    def __init__(self, path: Path | None, inputs: Sequence[Path]) -> None:
        self._path = path
        self._labels: list[str] = []
        if path is not None:
            check_output("--submission", path, (".csv",), inputs)

    def add(self, prediction: "Prediction") -> None:
        """Add the answer to the next image, whether it is confident or not."""
        self._labels.append(prediction.label)

    def write(self, is_complete: bool) -> None:
        """Write the file.

        Args:
            is_complete: whether all images were read; otherwise the numbers would be wrong, and the file is
                not written.

        Raises:
            DataError: the file cannot be written.
        """
        from cnn_cli import console
        from cnn_cli.cli.answers import csv_row
        from cnn_cli.files import write_result

        if self._path is None:
            return
        if not is_complete:
            console.message(f"no submission: {self._path} would lack the images that could not be read")
            return
        rows = [("ImageId", "Label"), *enumerate(self._labels, 1)]
        write_result(self._path, "".join(f"{csv_row(row)}\n" for row in rows).encode())
        console.message(f"submission: {self._path}, {len(self._labels):,} images")
