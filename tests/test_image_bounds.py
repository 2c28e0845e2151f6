"""The memory and the time that an image takes, whatever its format, its mode and its shape."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import cnn, digit, environment
from helpers.large import encoded, gray, png, read_each
from PIL import Image, ImageDraw

from cnn_cli.errors import DataError
from cnn_cli.image import cost
from cnn_cli.image.decode import decode

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to measure each image alone")

LARGEST = 13_300
"""Pixels per side of a square image that is just below the limit."""

SMALLER = 3000

ALL_WAYS = ("digit", "text", "photo", "sheet")


def floats(side: int) -> Image.Image:
    return Image.fromarray(np.tile(np.linspace(-1, 1e9, side, dtype=np.float32), (side, 1)))


def inks(side: int) -> Image.Image:
    return Image.new("CMYK", (side, side), (9, 0, 0, 0))


KINDS = {
    "RGBA": lambda side: png(side, side, "RGBA"),
    "LA": lambda side: png(side, side, "LA"),
    "RGB 16": lambda side: png(side, side, "RGB", bits=16),
    "L 16": lambda side: png(side, side, "L", bits=16),
    "P with transparency": lambda side: png(side, side, "P"),
    "interlaced": lambda side: png(side, side, "RGBA", interlaced=True),
    "CMYK": lambda side: encoded(inks(side), "TIFF", compression="tiff_lzw"),
    "F": lambda side: encoded(floats(side), "TIFF", compression="tiff_adobe_deflate"),
    "progressive": lambda side: encoded(gray(side), "JPEG", progressive=True),
    "GIF": lambda side: encoded(gray(side).convert("P"), "GIF"),
}
"""Image files of every kind of decoding that can hold the largest size, for each side in pixels."""


def saved(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def test_memory_is_that_of_one_decoded_image(tmp_path):
    """Besides the image, 4 bytes for each pixel, blocks of a fixed size are held: 60 MB with some reserve."""
    one_pixel, *files = saved(
        tmp_path, {"one pixel": png(1, 1, "L")} | {kind: make(SMALLER) for kind, make in KINDS.items()}
    )
    ((_, base, _),) = read_each([one_pixel], ["sheet"])
    for (code, peak, _), file in zip(read_each(files, ["photo"]), files, strict=True):
        assert code == 0, file.name
        assert peak - base < 4 * SMALLER**2 + 60e6, file.name


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_of_any_kind_takes_less_than_1_gb(kind, tmp_path):
    file = tmp_path / kind
    file.write_bytes(KINDS[kind](LARGEST))
    results = read_each([file], ALL_WAYS)
    for way, (code, peak, seconds) in zip(ALL_WAYS, results, strict=True):
        print(f"{kind:20} {way:6} {peak / 1e6:6.0f} MB {seconds:5.1f} s")
        assert code == 0, way
        assert peak < 1e9, way


@pytest.mark.slow
def test_a_command_that_reads_the_largest_image_takes_less_than_1_gb(tmp_path):
    file = tmp_path / "huge.png"
    file.write_bytes(png(LARGEST, LARGEST, "RGBA"))
    command = [sys.executable, "-m", "cnn_cli", "predict", file, "-k", "reader"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) as process:
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        assert b"no ink found" in process.stderr.read()
    assert usage.ru_maxrss * 1024 < 1e9


HUNGRY = {
    "JPEG444": (lambda image: encoded(image, "JPEG", progressive=True, subsampling=0), 6.1),
    "JPEG420": (lambda image: encoded(image, "JPEG", progressive=True, subsampling=2), 3.1),
    "WEBP": (lambda image: encoded(image, "WEBP", method=0), 16.4),
    "AVIF": (lambda image: encoded(image, "AVIF", speed=10, subsampling="4:4:4"), 13.6),
    "JPEG2000": (lambda image: encoded(image, "JPEG2000"), 20.0),
    "TIFF": (lambda image: encoded(image, "TIFF", compression="tiff_lzw", strip_size=2**30), 7.1),
}
"""Decoders that hold more than the image, and the most bytes for each pixel of an RGB image."""


@pytest.mark.parametrize("kind", HUNGRY)
def test_the_estimate_of_a_hungry_decoder_is_what_it_takes(kind, tmp_path):
    """Besides the image, blocks of a fixed size are held."""
    encode, most = HUNGRY[kind]
    ramp = gray(2000)
    file = tmp_path / "image"
    file.write_bytes(encode(Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_90), ramp))))
    (tmp_path / "one pixel").write_bytes(png(1, 1, "L"))
    with Image.open(file) as image:
        image.draft("RGB", (112, 112))
        estimate = cost.check_cost(image, (2000, 2000), 1, file.stat().st_size) / 2000**2
    (_, base, _), (code, peak, _) = read_each([tmp_path / "one pixel", file], ["photo"])
    assert code == 0
    assert estimate <= most
    assert (peak - base - 20e6) / 2000**2 < estimate


@pytest.mark.parametrize("kind", HUNGRY)
def test_what_would_take_too_much_is_refused_by_its_header(kind, tmp_path, monkeypatch):
    file = tmp_path / "image"
    file.write_bytes(HUNGRY[kind][0](Image.new("RGB", (300, 300))))
    decode(file, name="x")
    monkeypatch.setattr(cost, "MAX_BYTES", 3.5 * 300**2)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it is decoded"))
    with pytest.raises(DataError, match=r"x: is too large: 300x300 pixels in this format take"):
        decode(file, name="x", max_side=1600)


def test_a_baseline_jpeg_is_decoded_at_reduced_size(tmp_path):
    """It may have any size below the limit: nothing is held of it but the reduced image."""
    file = tmp_path / "photo.jpg"
    Image.new("RGB", (6000, 6000), (200, 100, 50)).save(file)
    (tmp_path / "one pixel").write_bytes(png(1, 1, "L"))
    (_, base, _), (code, peak, _) = read_each([tmp_path / "one pixel", file], ["digit"])
    assert code == 0
    assert peak - base < 10e6


@pytest.mark.parametrize(
    ("header", "row"), [(b"P5 1500 1500 100\n", b"\x32" * 1500), (b"P2 1500 1500 255\n", b"255 " * 1500)]
)
def test_a_large_file_that_pillow_decodes_in_python_is_refused(header, row):
    with pytest.raises(DataError, match="in an encoding of which 1,500,000 are the limit"):
        decode(header + row * 1500, name="x")
    small = header.replace(b"1500 1500", b"15 15") + row * 15
    assert decode(small, name="x").size == (15, 15)


SHAPES = [(1, 1), (2, 1), (1, 100_000), (100_000, 1), (3, 100_000), (1_000_000, 20)]


def shapes() -> dict[str, bytes]:
    """Return images of extreme shapes and content; the first two have no ink."""
    random = np.random.default_rng(0)
    checks = (np.add.outer(np.arange(1600) // 6, np.arange(1600) // 6) % 2 * 255).astype(np.uint8)
    dots = np.where(np.logical_and.outer(np.arange(1600) % 8 < 4, np.arange(1600) % 8 < 4), 0, 255)
    drawn = Image.new("L", (1600, 1600), 255)
    for top in range(10, 1580, 14):
        ImageDraw.Draw(drawn).text((5, top), "The quick 0123456789 brown fox jumps over the dog. " * 5)
    arrays = {f"{w}x{h}": random.integers(0, 256, (h, w), np.uint8) for w, h in SHAPES}
    arrays |= {"noise": random.integers(0, 2, (2000, 2000), np.uint8) * 255, "checks": checks}
    arrays |= {"dots": dots.astype(np.uint8), "page": np.asarray(drawn)}
    return {name: encoded(Image.fromarray(array), "PNG", compress_level=1) for name, array in arrays.items()}


def test_no_shape_and_no_content_takes_two_seconds(tmp_path):
    files = saved(tmp_path, shapes())
    for result, file in zip(read_each(files, ["input"]), files, strict=True):
        if isinstance(result, str):
            assert "no ink found" in result, file.name
        else:
            code, peak, seconds = result
            assert (code, file.name) == (0, file.name)
            assert seconds < 2, file.name
            assert peak < 300e6, file.name


def test_an_endless_pipe_is_refused(workplace, trained_run):
    outcome = cnn("predict", "/dev/zero", "one.png", "-k", trained_run)
    assert outcome.code == 3
    assert "error: /dev/zero: is larger than 100 MB" in outcome.err
    assert outcome.out.startswith("one.png: ")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak that Linux reports")
def test_damaged_large_images_do_not_add_up(tmp_path):
    """The error of each image is kept until its batch is done; its pixels must not be."""
    (tmp_path / "cut.png").write_bytes(png(SMALLER, SMALLER, "RGBA")[:-4000])
    code = (
        "from pathlib import Path\n"
        "from cnn_cli.image.preprocess import InputFormat, preprocess_all\n"
        f"results = preprocess_all([('x', Path({str(tmp_path / 'cut.png')!r}))] * 8, InputFormat())\n"
        # Not getrusage: its peak counts the process that started this one as well.
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
        "print(len({str(result) for result in results}), peak)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    messages, peak = map(int, run.stdout.split())
    assert messages == 1
    assert peak * 1024 < 3 * 4 * SMALLER**2 + 100e6


def test_large_images_are_decoded_by_one_worker_at_a_time(tmp_path, monkeypatch):
    from helpers import jobs

    from cnn_cli import workers

    monkeypatch.setattr(workers, "cores", lambda: 3)
    spans = sorted(workers.map_ordered(jobs.alone, [0.05] * 9))
    assert len({process for _, _, process in spans}) > 1
    for (_, end, _), (start, _, _) in pairwise(spans):
        assert end <= start


def test_a_digit_is_read_in_any_shape_of_file(workplace, trained_run):
    """The largest sizes change nothing about the answer: the same digit, ten times as large."""
    image = Image.open(digit(workplace / "small.png"))
    image.resize((3000, 3000)).convert("RGBA").save("large.png", compress_level=1)
    small, large = (cnn("predict", name, "-k", trained_run).out for name in ("small.png", "large.png"))
    assert small.split(": ")[1].split(" ")[0] == large.split(": ")[1].split(" ")[0]
