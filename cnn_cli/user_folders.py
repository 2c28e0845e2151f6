"""Folders of the user: what ~ stands for, and where caches are kept."""

import os
import tempfile
from pathlib import Path

import platformdirs

from cnn_cli.errors import ConfigError


def user_cache() -> Path:
    """Return the user's cache folder for this program.

    A user without a home folder, as in some containers, has one in the system's folder of temporary files.

    Raises:
        ConfigError: another user holds that one, or it cannot be made.
    """
    try:
        cache = platformdirs.user_cache_path("cnn")
    except RuntimeError:  # it finds no home folder; older versions return a path with ~
        return _temporary_cache()
    return cache if cache.is_absolute() else _temporary_cache()


def expanded(path: str, origin: str) -> Path:
    """Return a path with a home folder in the place of ~.

    Args:
        path: as it was written.
        origin: the setting or variable that has it, for the error.

    Raises:
        ConfigError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{origin}: there is no home folder for the ~ of {path}", hint="write the whole path"
        ) from None


def _temporary_cache() -> Path:
    """Return a folder for the caches of this user alone, which no other user of the system can have made."""
    folder = Path(tempfile.gettempdir(), f"cnn-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        owner, reason = None, error.strerror or str(error)
    else:
        reason = "another user made it"
    if owner != os.getuid():
        raise ConfigError(
            f"there is no home folder, and {folder} cannot be used: {reason}",
            hint="set CNN_DATA to a folder for data sets and caches",
        )
    return folder
