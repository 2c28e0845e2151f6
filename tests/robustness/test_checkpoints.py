"""Damaged and strange checkpoints: an answer or one line, no code, no hang."""

import json
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cli import cnn, digit
from safetensors.numpy import save

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import DataError
from cnn_cli.model.network import load_network
from cnn_cli.reading.reader import Reader
from cnn_cli.training.state import read_state
from robustness.fuzz import NASTY, alarm, assert_one_line, change_bytes, change_tree, generator
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(3600)]

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}
"""Names of safetensors -> types of NumPy."""


class Files:
    """The two files of a run, taken apart."""

    def __init__(self, run: Path) -> None:
        self.content = {name: (run / f"{name}.safetensors").read_bytes() for name in ("model", "state")}
        self.parts = {name: taken_apart(content) for name, content in self.content.items()}


def taken_apart(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file."""
    (length,) = struct.unpack_from("<Q", content)
    table = json.loads(content[8 : 8 + length])
    header = json.loads(table.pop("__metadata__")["cnn"])
    arrays = {}
    for name, entry in table.items():
        start, end = entry["data_offsets"]
        body = content[8 + length + start : 8 + length + end]
        arrays[name] = np.frombuffer(body, TYPES[entry["dtype"]]).reshape(entry["shape"])
    return header, arrays


def put_together(header: Any, arrays: dict[str, np.ndarray], *, signed: bool) -> bytes:
    """Return a file, with the right checksum if it is signed."""
    if signed and isinstance(header, dict):
        header = {key: value for key, value in header.items() if key != tensorfile.DIGEST}
        header[tensorfile.DIGEST] = tensorfile.digest(arrays, header)
    return save(arrays, metadata={tensorfile.HEADER: json.dumps(header)})


def flipped(rng: random.Random, files: Files, name: str) -> bytes:
    """Damage: bytes anywhere, or in the header alone."""
    content = files.content[name]
    (length,) = struct.unpack_from("<Q", content)
    return change_bytes(rng, content, *rng.choice(((0, 8), (0, 8 + length), (0, len(content)))))


def with_changed_header(rng: random.Random, files: Files, name: str) -> bytes:
    """Any header, with a right checksum."""
    header, arrays = files.parts[name]
    return put_together(change_tree(rng, header), arrays, signed=rng.random() < 0.9)


def with_changed_arrays(rng: random.Random, files: Files, name: str) -> bytes:
    """Any arrays, with a right checksum."""
    header, arrays = files.parts[name]
    arrays = dict(arrays)
    chosen = rng.choice(list(arrays))
    changes: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda array: array.astype(rng.choice((np.float64, np.float16, np.int32, np.uint8, bool))),
        lambda array: array.reshape(-1).view(np.uint8),
        lambda array: array * np.float32(rng.choice((np.nan, np.inf, 1e30, 3e38, 0))),
        lambda array: array.T.copy(),
        lambda array: array.reshape(-1)[: rng.randrange(array.size + 1)],
        lambda array: np.zeros(rng.choice(((), (0,), (1,) * 30, (1000, 1000)))),
    ]
    with np.errstate(all="ignore"):
        changed = rng.choice(changes)(arrays[chosen])
    key = rng.choice((chosen, chosen, chosen, "evil", "../x", "a" * 1000, "\x1b[31m\n", ""))
    arrays[key] = np.ascontiguousarray(changed)
    if rng.random() < 0.1:
        del arrays[rng.choice(list(arrays))]
    return put_together(header, arrays, signed=True)


class Evil:
    """A pickle that creates a file where it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.canary), "w")


def rubbish(rng: random.Random, files: Files, name: str) -> bytes:
    """No checkpoint at all."""
    depth = rng.choice((10, 300, 100_000))
    kinds = [
        pickle.dumps(Evil(Path("canary")), rng.randrange(6)),
        rng.randbytes(rng.randrange(300)),
        struct.pack("<Q", rng.choice((0, 1, 2**31, 2**40, 2**63, 2**64 - 1))) + b"{" * rng.randrange(20),
        *(struct.pack("<Q", len(text)) + text for text in (b"[" * depth, b'{"a":' * depth, b"{}")),
        save({}, metadata={"cnn": "[" * depth}),
        save({}, metadata={"cnn": json.dumps(rng.choice([value for value in NASTY if value != "\ud800"]))}),
        files.content["state" if name == "model" else "model"],
        b"\x89PNG\r\n" + rng.randbytes(50),
    ]
    return rng.choice(kinds)


MUTATIONS = (flipped, with_changed_header, with_changed_header, with_changed_arrays, rubbish)


def answers(path: Path, rng: random.Random) -> None:
    """Read a checkpoint and answer by it; a DataError is the only way to fail."""
    try:
        read = checkpoint.read(path)
        reader = Reader([read])
        shape = read.preprocessing.input_shape
        inputs = np.broadcast_to(np.float32(0.5), (1, *shape))
        probabilities = reader.probabilities(reader.logits(inputs))
        assert np.isfinite(probabilities).all()
        assert_one_line(reader.name)
        if rng.random() < 0.1:
            with torch.inference_mode():
                load_network(read)(torch.from_numpy(inputs.copy()))
    except DataError as error:
        assert_one_line(error.message)


def resumes(path: Path) -> None:
    """Read a saved state; a DataError is the only way to fail."""
    try:
        read_state(RunFolder(path.parent))
    except DataError as error:
        assert_one_line(error.message)


@pytest.mark.usefixtures("one_thread")
def test_checkpoints(
    trials: Trials, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any checkpoint gives an answer or one line, and none runs code."""
    monkeypatch.chdir(tmp_path)
    files, rng, image = Files(trained_run), generator("checkpoints"), digit(tmp_path / "one.png")
    for number in range(scaled(10_000)):
        name = "state" if number % 5 == 4 else "model"
        mutation = rng.choice(MUTATIONS)
        path = tmp_path / f"{name}.safetensors"
        with trials.trial(f"{number}, {name}, {mutation.__name__}"), alarm():
            path.write_bytes(mutation(rng, files, name))
            if name == "state":
                resumes(path)
            elif number % 50:
                answers(path, rng)
            else:
                assert_command_holds(path, image)
            assert not Path("canary").exists(), "code was run"


def assert_command_holds(path: Path, image: Path) -> None:
    """Assert that `cnn predict --json` gives JSON or one error."""
    outcome = cnn("predict", "--json", image, "-k", path)
    assert outcome.code in (0, 3), outcome.err
    assert outcome.err.count("error: ") == (outcome.code == 3)
    assert len(outcome.err) < 5_000
    if outcome.code == 0:
        json.loads(outcome.out, parse_constant=pytest.fail)
