"""The folder of decoded images: the user's cache, never beside the data nor in `$CNN_DATA`."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the folder in which decoded images are kept: CNN_CACHE, else one in the user's cache folder."""
    folder = os.environ.get("CNN_CACHE")
    return Path(folder).expanduser() if folder else platformdirs.user_cache_path("cnn") / "decoded"
