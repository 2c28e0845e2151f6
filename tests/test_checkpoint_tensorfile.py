"""Files of arrays: what is written comes back, and no other file is accepted."""

import hashlib
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save

from cnn_cli.checkpoint import tensorfile
from cnn_cli.errors import DataError

KIND, VERSION = "trial", 3
HEADER = {"kind": KIND, "format": VERSION, "list": [1, 2.5, None], "text": "Ziffern ①"}


def arrays() -> dict[str, np.ndarray]:
    return {
        "weights": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
        "counts": np.arange(5),
        "scalar": np.array(2.5),
        "empty": np.empty((0, 3), np.float32),
        "bytes": np.array([0, 255], np.uint8),
    }


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.safetensors"
    tensorfile.write(path, arrays(), HEADER)
    return path


def refused(path) -> DataError:
    """Return the error of reading the file, which names the file in one line."""
    with pytest.raises(DataError) as caught:
        tensorfile.read(path, KIND, VERSION)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    assert caught.value.code == 3
    return caught.value


def with_header(header: bytes, data: bytes = b"") -> bytes:
    """Return a safetensors file: the header's length, the header, the arrays' bytes."""
    return struct.pack("<Q", len(header)) + header + data


def written_by(header: object) -> bytes:
    """Return a safetensors file with the header of another program or another version."""
    return save({"weights": torch.zeros(2)}, metadata={tensorfile.HEADER: json.dumps(header)})


# --- what is written comes back -----------------------------------------------------------------------------


def test_round_trip(path):
    read, header = tensorfile.read(path, KIND, VERSION)
    assert header == HEADER
    assert set(read) == set(arrays())
    for name, array in arrays().items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        assert read[name].shape == array.shape


def test_torch_reads_the_same(path):
    """torch's own reader of safetensors finds the same values."""
    for name, tensor in load_file(path).items():
        np.testing.assert_array_equal(tensor.numpy(), arrays()[name])


def test_equal_content_gives_equal_bytes(path, tmp_path):
    other = tmp_path / "other"
    tensorfile.write(other, dict(reversed(arrays().items())), HEADER)
    assert other.read_bytes() == path.read_bytes()


def test_any_memory_layout_is_written(tmp_path):
    image = np.random.default_rng(1).random((2, 3, 4, 5), dtype=np.float32)
    layouts = {
        "channels_last": np.ascontiguousarray(image.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        "columns_first": np.asfortranarray(image),
        "part": np.arange(10)[2:8:2],
        "backwards": np.arange(4)[::-1],
    }
    tensorfile.write(tmp_path / "file", layouts, HEADER)
    read, _ = tensorfile.read(tmp_path / "file", KIND, VERSION)
    np.testing.assert_array_equal(read["channels_last"], image)
    np.testing.assert_array_equal(read["columns_first"], image)
    assert read["part"].tolist() == [2, 4, 6]
    assert read["backwards"].tolist() == [3, 2, 1, 0]


def test_an_array_that_was_read_outlives_the_file(path):
    read, _ = tensorfile.read(path, KIND, VERSION)
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(read["weights"], arrays()["weights"])


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        tensorfile.write(path, arrays(), {"kind": object()})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# --- attacks ------------------------------------------------------------------------------------------------


def test_absent(tmp_path):
    assert "no such file" in refused(tmp_path / "absent.safetensors").message
    assert "no such file" in refused(tmp_path / "no" / "folder.safetensors").message


def test_a_folder(tmp_path):
    assert "cannot be read" in refused(tmp_path).message


def test_empty(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    error = refused(path)
    assert "is empty" in error.message
    assert error.hint


def test_truncated_at_any_length(path):
    content = path.read_bytes()
    for length in {*range(1, len(content), 7), 7, 8, 9, len(content) - 1}:
        path.write_bytes(content[:length])
        assert "is not a checkpoint, or is damaged" in refused(path).message


def test_bytes_left_over_at_the_end(path):
    path.write_bytes(path.read_bytes() + b"more")
    refused(path)


@pytest.mark.parametrize("bit", range(64))
def test_flipped_bits_in_the_length_of_the_header(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(min_size=1, max_size=300))
def test_random_bytes(path, content):
    path.write_bytes(content)
    refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.binary(min_size=1, max_size=300))
def test_random_headers(path, header):
    path.write_bytes(with_header(header))
    refused(path)


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b"[]",
        b"null",
        b'{"__metadata__": {}}',
        b'{"__metadata__": {"cnn": ""}}',
        b'{"__metadata__": {"cnn": "{"}}',
        b'{"__metadata__": {"cnn": 3}}',
        b'{"__metadata__": {"cnn": "[1]"}}',
        b'{"__metadata__": {"cnn": "' + b"[" * 100_000 + b'"}}',
        b'{"__metadata__": {"cnn": "' + b"9" * 10_000 + b'"}}',
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}',  # no bytes follow
        b'{"w": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}}',  # overflows
        b'{"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}',
        b'{"w": {"dtype": "F33", "shape": [0], "data_offsets": [0, 0]}}',
        b"[" * 100_000,
        b'"' + b"\xff" * 20 + b'"',
    ],
)
def test_wrong_headers(path, header):
    path.write_bytes(with_header(header))
    refused(path)


def test_every_flipped_bit_is_noticed(path):
    """Also one in the weights, which changes an answer and nothing else."""
    content = path.read_bytes()
    for place in range(0, 8 * len(content), 7):  # every byte, and every bit of some
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        refused(path)


def test_arrays_that_trade_places_or_types_are_noticed(path):
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"dtype":"F32","shape":[3,4]', b'"dtype":"I32","shape":[3,4]'))
    assert "checksum" in refused(path).message
    path.write_bytes(content.replace(b'"shape":[3,4]', b'"shape":[4,3]'))
    assert "checksum" in refused(path).message


def test_the_checksum_is_that_of_the_documented_content(path):
    """Repeated here from `digest`'s description, with the arrays as safetensors' other reader has them."""
    sha = hashlib.sha256(json.dumps(HEADER).encode())
    for name, tensor in sorted(load_file(path).items()):
        array = tensor.numpy()
        sha.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode() + array.tobytes())
    with safe_open(path, framework="np") as file:
        assert json.loads(file.metadata()[tensorfile.HEADER])[tensorfile.DIGEST] == sha.hexdigest()


def test_a_file_without_a_checksum_is_of_an_older_version(path):
    path.write_bytes(written_by(HEADER))
    error = refused(path)
    assert "has no checksum" in error.message
    assert "an older version of cnn" in error.hint


def test_a_huge_header_is_refused_before_it_is_read(path):
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    refused(path)


class Trap:
    """An object whose pickle creates a file when it is read."""

    def __init__(self, created) -> None:
        self.created = created

    def __reduce__(self):
        return open, (str(self.created), "w")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("as_zip", [True, False])
def test_a_pickle_is_refused_and_never_run(path, tmp_path, as_zip):
    created = tmp_path / "created"
    content = {"weights": torch.zeros(2), "trap": Trap(created)}
    torch.save(content, path, _use_new_zipfile_serialization=as_zip)
    error = refused(path)
    assert "is a pickle" in error.message
    assert ".safetensors" in error.hint
    assert not created.exists()
    torch.load(path.rename(tmp_path / "file.pt"), weights_only=False)  # the trap itself works
    assert created.exists()


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_a_file_of_another_program(path, metadata):
    path.write_bytes(save({"weights": torch.zeros(2)}, metadata=metadata))
    assert "is a safetensors file, but not one that cnn wrote" in refused(path).message


@pytest.mark.parametrize("header", [{}, [], "text", 3, None])
def test_a_header_of_another_program(path, header):
    path.write_bytes(written_by(header))
    assert "not one that cnn wrote" in refused(path).message


def test_another_kind(path):
    path.write_bytes(written_by(HEADER | {"kind": "recipe"}))
    assert "is a recipe, not a trial" in refused(path).message


@pytest.mark.parametrize("version", [2, 4, "3", None])
def test_another_format(path, version):
    path.write_bytes(written_by(HEADER | {"format": version}))
    error = refused(path)
    assert f"has format {version}, but this version of cnn reads format 3" in error.message
    assert ("an older version" in error.hint) == (version == 2)
