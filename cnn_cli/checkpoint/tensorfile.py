"""Files of named arrays: safetensors with a JSON header. Reading such a file never runs code from it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cnn_cli.errors import DataError
from cnn_cli.files import atomic_write
from cnn_cli.text import one_line

HEADER = "cnn"
"""The only key of the safetensors metadata; several keys would be written in random order."""

PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
"""First bytes of files that torch.save writes: a zip archive or a bare pickle."""

_TRAIN_HINT = "make a checkpoint with: cnn train --config lenet.yaml"

Arrays = dict[str, np.ndarray]
"""Arrays by name."""


def write(path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and header atomically. Equal content gives equal bytes."""
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    data = save(contiguous, metadata={HEADER: json.dumps(header)})
    with atomic_write(path) as file:
        file.write(data)


def read(path: Path, kind: str, version: int) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the header of a file of this kind and format version.

    Raises:
        DataError: the file is missing, damaged, from another program, or of another kind or version.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            check_header(path, header, kind, version)
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file",
            hint="name a checkpoint that cnn train wrote, a run's folder, or a network that ships",
        ) from None
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def by_prefix(arrays: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Turn {"a.b.c": array} into {"a": {"b.c": array}}."""
    parts: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        prefix, rest = name.split(".", 1)
        parts.setdefault(prefix, {})[rest] = array
    return parts


def check_header(path: Path, header: Any, kind: str, version: int) -> None:
    """Check that a header is of this kind and format version.

    Raises:
        DataError: it is not.
    """
    if not isinstance(header, dict) or "kind" not in header:
        raise DataError(f"{path}: is a safetensors file, but not one that cnn wrote", hint=_TRAIN_HINT)
    if header["kind"] != kind:
        raise DataError(f"{path}: is a {header['kind']}, not a {kind}")
    if header.get("format") != version:
        raise DataError(
            f"{path}: has format {header.get('format')}, but this version of cnn reads format {version}",
            hint=_version_hint(header.get("format"), version),
        )


def _version_hint(actual: object, expected: int) -> str:
    if isinstance(actual, int) and actual < expected:
        return "an older version of cnn wrote it: use that version, or train the network again"
    return "a newer version of cnn wrote it: update cnn"


def _damaged(path: Path, error: Exception) -> DataError:
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        return DataError(f"{path}: is empty", hint=_TRAIN_HINT)
    # A safetensors file begins with the length of its header, whose lowest byte may be any, and a brace.
    if start.startswith(PICKLE_STARTS) and start[8:] != b"{":
        return DataError(
            f"{path}: is a pickle (torch.save); it is not read, because a pickle can run code",
            hint="use a .safetensors checkpoint that cnn train wrote",
        )
    return DataError(f"{path}: is not a checkpoint, or is damaged ({one_line(error)})", hint=_TRAIN_HINT)
