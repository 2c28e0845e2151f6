"""Files of named arrays: safetensors with a JSON header. Reading such a file never runs code from it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cnn_cli.errors import MAX_KEY, DataError
from cnn_cli.files import atomic_write
from cnn_cli.json_text import parse_json
from cnn_cli.text import one_line, printable

HEADER = "cnn"
"""The only key of the safetensors metadata; several keys would be written in random order."""

DIGEST = "sha256"
"""The key of the header that holds the digest of everything else."""

PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
"""First bytes of files that torch.save writes: a zip archive or a bare pickle."""

_TRAIN_HINT = "make a checkpoint with: cnn train --config lenet.yaml"

Arrays = dict[str, np.ndarray]
"""Arrays by name."""


def write(path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and header atomically, with their digest. Equal content gives equal bytes."""
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    signed = {**header, DIGEST: digest(contiguous, header)}
    data = save(contiguous, metadata={HEADER: json.dumps(signed)})
    with atomic_write(path) as file:
        file.write(data)


def read(path: Path, kind: str, version: int) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the header of a file of this kind and format version, as they were written.

    Raises:
        DataError: the file is missing, damaged, from another program, or of another kind or version.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = parse_json((file.metadata() or {}).get(HEADER, "null"))
            check_header(path, header, kind, version)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _check_digest(path, arrays, header.pop(DIGEST, None), header)
        return arrays, header
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file",
            hint="name a checkpoint that cnn train wrote, a run's folder, or a network that ships",
        ) from None
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def digest(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> str:
    """Return the SHA-256 over a header without its digest, and every array: name, type, shape and bytes.

    Args:
        arrays: contiguous arrays by name.
        header: values of JSON.
    """
    sha = hashlib.sha256(json.dumps(header).encode())
    for name, array in sorted(arrays.items()):
        sha.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _check_digest(path: Path, arrays: Arrays, stored: object, header: Mapping[str, Any]) -> None:
    if stored is None:
        raise DataError(
            f"{path}: has no checksum",
            hint="an older version of cnn wrote it: use that version, or train the network again",
        )
    if stored != digest(arrays, header):
        raise DataError(
            f"{path}: is damaged: its checksum (SHA-256) is wrong", hint="copy or download the file again"
        )


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
        raise DataError(f"{path}: is a {printable(str(header['kind']), MAX_KEY)}, not a {kind}")
    stored = header.get("format")
    if stored != version:
        raise DataError(
            f"{path}: has format {printable(str(stored), MAX_KEY)}, "
            f"but this version of cnn reads format {version}",
            hint=_version_hint(stored, version),
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
