"""What `cnn predict --sort-into` says and does: images are copied into one folder per answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_cli import console

if TYPE_CHECKING:
    from cnn_cli.reading.predict import Prediction
    from cnn_cli.reading.reader import Reader
    from cnn_cli.reading.sorting import Sorter


class Sorting:
    """The copies that `--sort-into` asks for; without it, nothing.

    Args:
        root: the folder of the copies.
        images: what the command line names.

    Raises:
        ConfigError: the images are looked for in a folder that contains `root`.
    """

    def __init__(self, root: Path | None, images: Sequence[Path]) -> None:
        self._root = root
        self._sorter: Sorter | None = None
        if root is not None:
            from cnn_cli.reading.sorting import check_sorting

            check_sorting(root, images)

    def open(self, reader: "Reader") -> None:
        """Make the folders.

        Raises:
            ConfigError, DataError: as `Sorter`.
        """
        if self._root is None:
            return
        from cnn_cli.reading.sorting import Sorter

        self._sorter = Sorter(self._root, reader.classes, console.message)
        renamed = {label: folder for label, folder in self._sorter.folders.items() if label != folder}
        for label, folder in renamed.items():
            console.message(f"the folder of {label} is named {folder}")

    def add(self, prediction: "Prediction") -> None:
        """Copy an image."""
        if self._sorter is not None:
            self._sorter.add(prediction)

    def report(self) -> None:
        """Say how many images were copied."""
        if self._sorter is None:
            return
        done, root = self._sorter.counts, self._root
        known = f"; {done['known']:,} were there already" if done["known"] else ""
        console.message(
            f"copied into {root}: {done['sorted']:,} images by label, {done['unsure']:,} into unsure{known}"
        )
        if done["sorted"] or done["unsure"]:
            console.message(
                f"next: move files into the right folders; then {root} is training data (data.root={root})"
            )
