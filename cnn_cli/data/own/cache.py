"""The folder of decoded images: the user's cache, never beside the data nor in `$CNN_DATA`."""

import os
import time
from contextlib import suppress
from pathlib import Path

from cnn_cli.files import TEMPORARY
from cnn_cli.user_folders import expanded, user_cache

ABANDONED = 86_400
"""Seconds after which an unchanged temporary file is removed: its process was killed."""


def cache_folder() -> Path:
    """Return the folder in which decoded images are kept: CNN_CACHE, else one in the user's cache folder."""
    folder = os.environ.get("CNN_CACHE")
    return expanded(folder, "CNN_CACHE") if folder else user_cache() / "decoded"


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes that were killed."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()
