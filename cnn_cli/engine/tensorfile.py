"""Files of tensors: safetensors with one JSON header. Reading one never runs code from it."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cnn_cli.errors import DataError
from cnn_cli.files import atomic_write

HEADER = "cnn"
"""The one key of the safetensors metadata. One, because several would be written in a random order."""

PICKLES = (b"PK\x03\x04", b"\x80")
"""How files of torch.save begin: a zip, or a bare pickle."""


def write(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and header atomically; equal content gives equal bytes."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data = save(contiguous, metadata={HEADER: json.dumps(header)})
    with atomic_write(path) as file:
        file.write(data)


def read(path: Path, kind: str, version: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and the header of a file of that kind and format version.

    Raises:
        DataError: the file is absent, damaged, of another program, kind or version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            _check_header(path, header, kind, version)
            # Copies: the tensors lie in the file's own pages, which change with the file.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, header  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such file",
            hint="name a checkpoint that cnn train wrote, a run's folder, or a network that ships",
        ) from None
    except (SafetensorError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def by_prefix(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """{"a.b.c": t} to {"a": {"b.c": t}}."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        prefix, rest = name.split(".", 1)
        parts.setdefault(prefix, {})[rest] = tensor
    return parts


def _check_header(path: Path, header: Any, kind: str, version: int) -> None:
    if not isinstance(header, dict) or "kind" not in header:
        raise DataError(f"{path}: is a safetensors file, but not one that cnn wrote", hint=_TRAIN)
    if header["kind"] != kind:
        raise DataError(f"{path}: is a {header['kind']}, not a {kind}")
    if header.get("format") != version:
        raise DataError(
            f"{path}: has format {header.get('format')}, but this version of cnn reads format {version}",
            hint="use the version of cnn that wrote it, or train anew",
        )


def _damaged(path: Path, error: Exception) -> DataError:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return DataError(f"{path}: is empty", hint=_TRAIN)
    if start.startswith(PICKLES):
        return DataError(
            f"{path}: is a pickle (torch.save), which can run code when it is read, so it is refused",
            hint="use a .safetensors checkpoint that cnn train wrote",
        )
    return DataError(f"{path}: is no checkpoint, or is damaged ({str(error).splitlines()[0]})", hint=_TRAIN)


_TRAIN = "make a checkpoint with: cnn train --config lenet.yaml"
