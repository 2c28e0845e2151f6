"""`cnn predict --many`: what it shows."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_cli.errors import CnnError, ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.engine.checkpoint import Checkpoint
    from cnn_cli.tools.pictures import Picture


def show_texts(
    checkpoint: "Checkpoint",
    pictures: "Sequence[Picture | DataError]",
    annotated: Path | None,
    origin: dict[str, str],
    as_json: bool,
    min_confidence: float,
) -> tuple[bool, bool]:
    """Read the texts of pictures and show them: rows on stdout, or one JSON object a picture.

    Returns:
        Whether any picture could not be read, and whether any digit is unsure.

    Raises:
        ConfigError: there are several pictures for one annotated picture.
        DataError: the annotated picture cannot be written.
    """
    from cnn_cli import console
    from cnn_cli.tools.annotate import write_annotated
    from cnn_cli.tools.many import read_texts

    if annotated is not None and len(pictures) != 1:
        raise ConfigError(f"--annotate draws one picture, not {len(pictures)}", hint="name one picture")
    failed = unsure = False
    for result in read_texts(checkpoint, pictures, min_confidence):
        if isinstance(result, CnnError):
            failed = True
            console.error(result)
            continue
        unsure = unsure or not all(digit.sure for digit in result.digits)
        if as_json:
            console.json_line(asdict(result) | origin)
        else:
            console.line(result.text)
        if annotated is not None and not isinstance(pictures[0], DataError):
            write_annotated(pictures[0].source, result, annotated)
    return failed, unsure
