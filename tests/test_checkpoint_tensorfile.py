"""Files of tensors: what is written comes back, and nothing else is ever taken for such a file."""

import json
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from cnn_cli.checkpoint import tensorfile
from cnn_cli.errors import DataError

KIND, VERSION = "trial", 3
HEADER = {"kind": KIND, "format": VERSION, "list": [1, 2.5, None], "text": "Ziffern ①"}


def tensors() -> dict[str, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return {
        "weights": torch.randn(3, 4, generator=draws),
        "counts": torch.arange(5),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.empty(0, 3),
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
    }


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.safetensors"
    tensorfile.write(path, tensors(), HEADER)
    return path


def refused(path) -> DataError:
    """The error of reading the file: it names the file, in one line."""
    with pytest.raises(DataError) as caught:
        tensorfile.read(path, KIND, VERSION)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    assert caught.value.code == 3
    return caught.value


def with_header(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file: the header's length, the header, the tensors' bytes."""
    return struct.pack("<Q", len(header)) + header + data


def written_by(header: object) -> bytes:
    """A safetensors file that holds what another program, or a later version of this one, put there."""
    return save({"weights": torch.zeros(2)}, metadata={tensorfile.HEADER: json.dumps(header)})


# --- what is written comes back -----------------------------------------------------------------------------


def test_round_trip(path):
    read, header = tensorfile.read(path, KIND, VERSION)
    assert header == HEADER
    assert set(read) == set(tensors())
    for name, tensor in tensors().items():
        assert torch.equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype
        assert read[name].shape == tensor.shape


def test_equal_content_gives_equal_bytes(path, tmp_path):
    other = tmp_path / "other"
    tensorfile.write(other, dict(reversed(tensors().items())), HEADER)
    assert other.read_bytes() == path.read_bytes()


def test_parameters_and_strange_memory_layouts_are_written(tmp_path):
    image = torch.rand(2, 3, 4, 5)
    strange = {
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "channels_last": image.contiguous(memory_format=torch.channels_last),
        "part": torch.arange(10)[2:8:2],
    }
    tensorfile.write(tmp_path / "file", strange, HEADER)
    read, _ = tensorfile.read(tmp_path / "file", KIND, VERSION)
    assert torch.equal(read["channels_last"], image)
    assert read["part"].tolist() == [2, 4, 6]
    assert not read["parameter"].requires_grad


def test_what_was_read_outlives_the_file(path):
    read, _ = tensorfile.read(path, KIND, VERSION)
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(read["weights"], tensors()["weights"])


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        tensorfile.write(path, tensors(), {"kind": object()})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# --- attacks ------------------------------------------------------------------------------------------------


def test_absent(tmp_path):
    assert "there is no such file" in refused(tmp_path / "absent.safetensors").message
    assert "there is no such file" in refused(tmp_path / "no" / "folder.safetensors").message


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
        assert "is no checkpoint, or is damaged" in refused(path).message


def test_bytes_left_over_at_the_end(path):
    path.write_bytes(path.read_bytes() + b"more")
    refused(path)


@pytest.mark.parametrize("bit", range(64))
def test_flipped_bits_in_the_length_of_the_header(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    refused(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(min_size=1, max_size=300))
def test_random_bytes(path, content):
    path.write_bytes(content)
    refused(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
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


def test_a_huge_header_is_refused_unread(path):
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    refused(path)


class Trap:
    """A pickle of this makes a file where it is unpickled."""

    def __init__(self, made) -> None:
        self.made = made

    def __reduce__(self):
        return open, (str(self.made), "w")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("as_zip", [True, False])
def test_a_pickle_is_refused_and_never_run(path, tmp_path, as_zip):
    made = tmp_path / "made"
    torch.save({"weights": torch.zeros(2), "trap": Trap(made)}, path, _use_new_zipfile_serialization=as_zip)
    error = refused(path)
    assert "is a pickle" in error.message
    assert ".safetensors" in error.hint
    assert not made.exists()
    torch.load(path.rename(tmp_path / "file.pt"), weights_only=False)  # the trap itself works
    assert made.exists()


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
    assert error.hint
