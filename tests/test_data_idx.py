"""The IDX reader, compared with files made by hand and torchvision's reader of the same format."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_cli.data import idx
from cnn_cli.errors import DataError

LABELS = bytes.fromhex("00000801 00000003 070201")
IMAGES = bytes.fromhex("00000803 00000002 00000001 00000003 00807f ff0102")
NUMBERS = bytes.fromhex("00000c02 00000001 00000002 00000007 ffffffff")


def test_labels_by_hand():
    assert idx.parse(LABELS, "x").tolist() == [7, 2, 1]


def test_images_by_hand():
    images = idx.parse(IMAGES, "x")
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 128, 127]], [[255, 1, 2]]]
    assert images.flags.writeable


def test_integers_by_hand():
    rows = idx.parse(NUMBERS, "x")
    assert rows.dtype == np.int32
    assert rows.tolist() == [[7, -1]]
    assert rows.flags.writeable


def test_reads_integers_as_torchvision_does(tmp_path):
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    rows = np.random.default_rng(0).integers(-(2**31), 2**31, (5, 8)).astype(">i4")
    data = struct.pack(">3I", 0x0C02, *rows.shape) + rows.tobytes()
    (tmp_path / "file").write_bytes(data)
    expected = read_sn3_pascalvincent_tensor(str(tmp_path / "file")).numpy()
    np.testing.assert_array_equal(idx.parse(data, "x"), expected)
    np.testing.assert_array_equal(expected, rows)


def test_reads_what_torchvision_reads(tmp_path):
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    data = struct.pack(">4I", 0x0803, *pixels.shape) + pixels.tobytes()
    (tmp_path / "file").write_bytes(data)
    expected = read_sn3_pascalvincent_tensor(str(tmp_path / "file")).numpy()
    np.testing.assert_array_equal(idx.parse(data, "x"), expected)
    np.testing.assert_array_equal(expected, pixels)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "0 bytes are too few"),
        (b"\0\0\x08", "3 bytes are too few"),
        (b"<!DOCTYPE html>", "begins with 0x3c21444f"),
        (bytes.fromhex("00000d01 00000001 00000000"), "begins with 0x00000d01"),  # floats
        (IMAGES[:9], "cut short within the header, at 9 of 16 bytes"),
        (IMAGES[:-1], "announces 2 x 1 x 3 bytes, but 5 follow"),
        (LABELS + b"\0", "announces 3 bytes, but 4 follow"),
        (NUMBERS[:-1], "announces 1 x 2 x 4 bytes, but 7 follow"),
        (bytes.fromhex("00000801 00000000"), "a dimension of 0"),
        (
            struct.pack(">4I", 0x0803, *[2**32 - 1] * 3),
            "4294967295 x 4294967295 x 4294967295 bytes, but 0 follow",
        ),
    ],
)
def test_says_what_is_wrong(data, problem):
    with pytest.raises(DataError, match=r"^some/file: ") as caught:
        idx.parse(data, "some/file")
    assert problem in caught.value.message


@given(
    st.one_of(
        st.binary(max_size=64),
        st.builds(
            lambda magic, sizes, body: struct.pack(f">I{len(sizes)}I", magic, *sizes) + body,
            st.sampled_from([0x0801, 0x0803, 0x0C02]),
            st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=4),
            st.binary(max_size=64),
        ),
    )
)
def test_any_bytes_are_an_array_or_an_error(data):
    try:
        array = idx.parse(data, "x")
    except DataError:
        return
    magic, kind = {1: (0x0801, ">u1"), 2: (0x0C02, ">i4"), 3: (0x0803, ">u1")}[array.ndim]
    header = struct.pack(f">I{array.ndim}I", magic, *array.shape)
    assert header + array.astype(kind).tobytes() == data


@pytest.mark.parametrize("data", [LABELS, IMAGES, NUMBERS])
def test_the_size_of_a_complete_file(data, tmp_path):
    (tmp_path / "file").write_bytes(data)
    idx.check_size(tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (IMAGES[:-1], "cut short: 21 of 22 bytes"),
        (NUMBERS[:-4], "cut short: 16 of 20 bytes"),
        (LABELS + b"\0", "too long: 12 of 11 bytes"),
        (IMAGES[:15], "not an idx file"),
        (b"", "not an idx file"),
        (b"<!DOCTYPE html>", "not an idx file"),
        (bytes.fromhex("00000d01 00000001 00000000"), "not an idx file"),  # floats
        (struct.pack(">4I", 0x0803, *[2**32 - 1] * 3), f"16 of {16 + (2**32 - 1) ** 3:,} bytes"),
    ],
)
def test_the_size_of_an_incomplete_file(data, problem, tmp_path):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(DataError, match=problem):
        idx.check_size(tmp_path / "file")
