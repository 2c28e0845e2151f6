"""Data of your own that cannot be used: one clear error each, exit code 3, and nothing is written."""

import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import forms
from helpers.albums import cached
from helpers.cli import cnn
from PIL import Image

PIXELS = ",".join(["0"] * 4)
HEADER = "label,a,b,c,d\n"
GOOD = f"{HEADER}0,{PIXELS}\n1,{PIXELS}\n"


def png(tone: int = 9) -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8), tone).save(content, "PNG")
    return content.getvalue()


def table(text: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "train.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def packed(
    members: dict[str, bytes], twice: str | None = None, link: str | None = None
) -> Callable[[Path], Path]:
    """A zip of two good images and these."""

    def write(folder: Path) -> Path:
        path = folder / "digits.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in ({"0/a.png": png(), "1/b.png": png(7)} | members).items():
                archive.writestr(name, content)
            if twice:
                archive.writestr(twice, png())
            if link:
                info = zipfile.ZipInfo(link)
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, "/etc/passwd")
        return path

    return write


def tarred(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "digits.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for member, content in (("0/a.png", png()), ("1/b.png", png(7)), (name, png(5))):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                if member == name:
                    info.type, info.linkname = kind, target
                    info.size = len(content) if kind == tarfile.REGTYPE else 0
                archive.addfile(info, io.BytesIO(content))
        return path

    return write


def arrays(**values: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "digits.npz", **values)
        return folder / "digits.npz"

    return write


def listed(text: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for name in ("a.png", "b.png"):
            (folder / name).write_bytes(png())
        (folder / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    return write


def idx_files(images: bytes, labels: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "train-images-idx3-ubyte").write_bytes(images)
        (folder / "train-labels.idx1-ubyte").write_bytes(labels)
        return folder

    return write


def too_deep(folder: Path, name: str = "digits") -> Path:
    for label in "01":
        (folder / "data" / name / label).mkdir(parents=True)
        for tone in range(2):
            (folder / "data" / name / label / f"{tone}.png").write_bytes(png(tone + 7 * int(label)))
    return folder / "data"


def too_deep_twice(folder: Path) -> Path:
    """As some archives are unpacked: train/train/0 and test/test/0."""
    for split in ("train", "test"):
        too_deep(folder, split).rename(folder / split)
    return folder


def cut_short(folder: Path) -> Path:
    path = packed({})(folder)
    path.write_bytes(path.read_bytes()[:-30])
    return path


def cut_gzip(folder: Path) -> Path:
    path = forms.packed_table(folder / "table", *forms.digits(30)) / "train.csv.gz"
    path.write_bytes(path.read_bytes()[:-100])
    return path


TWO = np.array([0, 1])
SQUARES = np.zeros((2, 8, 8), np.uint8)
BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "ragged row": (table(f"{GOOD}1,{PIXELS},0\n"), "train.csv: line 4 has 6 cells, not 5 as the first line"),
    "short last row": (table(f"{GOOD}1,0\n"), "train.csv: line 4 has 2 cells, not 5"),
    "label that is text": (table(f"{GOOD}seven,{PIXELS}\n"), "line 4, column 1: 'seven' is no number"),
    "label that is missing": (table(f"{GOOD},{PIXELS}\n"), "line 4, column 1: is empty"),
    "label that is no whole number": (table(f"{GOOD}1.5,{PIXELS}\n"), "label 1.5 is no whole number"),
    "pixel that is missing": (table(f"{GOOD}1,0,,0,0\n"), "line 4, column 3: is empty"),
    "wrong number of pixels": (table("label,a,b,c\n0,1,2,3\n"), "4 columns are no square image"),
    "16-bit values": (table(f"{GOOD}1,0,0,0,4096\n"), "values from 0 to 4096, and a pixel is 0..255"),
    "17 bits in a cell": (table(f"{GOOD}1,0,0,0,65536\n"), "values from 0 to 65536, and a pixel is 0..255"),
    "negative values": (table(f"{GOOD}1,0,0,0,-1\n"), "values from -1 to 0, and a pixel is 0..255"),
    "NaN": (table(f"{GOOD}1,0,0,0,nan\n"), "has a value that is no number"),
    "two header lines": (table(HEADER + GOOD), "line 2, column 1: 'label' is no number"),
    "Latin-1": (table("label,a,b,c,d\n0,é,0,0,0\n".encode("latin-1")), "train.csv: line 2 is not UTF-8"),
    "UTF-16": (table(GOOD.encode("utf-16")), "train.csv: line 1 is not UTF-8"),
    "quotes without an end": (table(f'{GOOD}1,"0,0,0,0\n'), "train.csv: is not CSV"),
    "empty table": (table(""), "train.csv: is empty"),
    "header alone": (table(HEADER), "train.csv: has a header, but no row"),
    "table without labels": (table(f"a,b,c,d\n{PIXELS}\n"), "train.csv: has no column of labels"),
    "table of one class": (table(f"0,{PIXELS}\n0,{PIXELS}\n"), "has only one class, 0"),
    "gzip that is cut short": (cut_gzip, "is not a gzip file, or is cut short"),
    "pickled array": (arrays(images=SQUARES, labels=np.array([None, 1])), "holds pickled objects"),
    "arrays of other lengths": (
        arrays(images=SQUARES, labels=np.arange(3)),
        "no axis of [2, 8, 8] has as many",
    ),
    "array of 16 bits": (
        arrays(images=SQUARES.astype(np.uint16) + 999, labels=TWO),
        "values from 999 to 999",
    ),
    "array with NaN": (arrays(images=np.full((2, 8, 8), np.nan), labels=TWO), "a value that is no number"),
    "labels that are text": (
        arrays(images=SQUARES, labels=np.array(["a", "b"])),
        "labels are text, not numbers",
    ),
    "axes that cannot be known": (
        arrays(images=np.zeros((2, 3, 8, 3)), labels=TWO),
        "which axis of [2, 3, 8, 3]",
    ),
    "images without labels": (arrays(images=SQUARES), "has no images with labels, but 'images'"),
    "zip slip": (packed({"../evil.png": png()}), "../evil.png leads out of the archive"),
    "zip slip of Windows": (packed({"..\\evil.png": png()}), "evil.png leads out of the archive"),
    "absolute name": (packed({"/tmp/evil.png": png()}), "/tmp/evil.png leads out of the archive"),
    "zip bomb": (
        packed({"1/bomb.png": bytes(200_000_000)}),
        "bytes or more, which images do not: a zip bomb",
    ),
    "link in a zip": (packed({}, link="1/link.png"), "1/link.png is a link, and links are not followed"),
    "name twice in a zip": (packed({}, twice="1/b.png"), "1/b.png is in it twice"),
    "zip that is cut short": (cut_short, "is not an archive that can be read"),
    "zip without images": (packed({"0/a.png": b"", "1/b.png": b""}), "a.png: is empty (0 bytes)"),
    "tar slip": (tarred("../../evil.png"), "../../evil.png leads out of the archive"),
    "link in a tar": (tarred("1/c.png", tarfile.SYMTYPE, "/etc/passwd"), "1/c.png is a link"),
    "hard link in a tar": (tarred("1/c.png", tarfile.LNKTYPE, "../../x"), "1/c.png is a link"),
    "device in a tar": (tarred("1/c.png", tarfile.CHRTYPE), "1/c.png is a link"),
    "list without a header": (listed("a.png,0\nb.png,1\n"), "names no column `file` and `label`"),
    "list with a row too long": (
        listed("file,label\na.png,0\nb.png,1,2\n"),
        "labels.csv: line 3 has 3 cells",
    ),
    "list without a label": (listed("file,label\na.png,0\nb.png,\n"), "line 3 has no label for b.png"),
    "list with a file twice": (
        listed("file,label\na.png,0\na.png,1\n"),
        "line 3 names a.png, as line 2 does",
    ),
    "list with a file that is not there": (
        listed("file,label\nc.png,0\n"),
        "line 2 names c.png, which is not",
    ),
    "list that leads out": (
        listed("file,label\n../a.png,0\n"),
        "line 2 names ../a.png, which is not an image",
    ),
    "list in Latin-1": (listed("file,label\né.png,0\n".encode("latin-1")), "labels.csv: line 2 is not UTF-8"),
    "empty list": (listed(""), "labels.csv: is empty"),
    "one level too deep": (too_deep, "the folders of the classes are one level deeper, in"),
    "both splits one level too deep": (
        too_deep_twice,
        "train: the folders of the classes are one level deeper",
    ),
    "idx that is cut short": (idx_files(forms.idx(SQUARES)[:-1], forms.idx(TWO)), "but 127 follow it"),
    "idx of other lengths": (idx_files(forms.idx(SQUARES), forms.idx(np.arange(3))), "has 2 images, but"),
    "idx of 32 bits": (
        idx_files(struct.pack(">BBBB3I", 0, 0, 12, 3, 1, 2, 2) + bytes(16), forms.idx(TWO)),
        "begins with 0x00000c03",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_is_one_error_and_nothing_is_written(case, workplace):
    write, message = BROKEN[case]
    (workplace / "mine").mkdir()
    root = write(workplace / "mine")
    before = sorted(workplace.rglob("*"))
    layers = "model.layers=[flatten, {linear: classes}]"
    outcome = cnn("train", "-c", "tiny.yaml", "data.name=own", f"data.root={root}", "data.size=8", layers)
    assert (outcome.code, outcome.out) == (3, ""), outcome.err
    (error,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert message in error
    assert [line for line in outcome.err.splitlines() if line.startswith("hint: ")]
    assert [
        path for path in sorted(workplace.rglob("*")) if path not in before and "decoded" not in path.parts
    ] == []
    assert cached() == []


def test_one_level_too_deep_gives_the_right_root(workplace):
    root = too_deep(workplace)
    outcome = cnn("data", "get", f"data.root={root}")
    assert f"hint: data.root={root / 'digits'}, or move its folders up" in outcome.err
    assert cnn("data", "get", f"data.root={root / 'digits'}", "data.own.test=0.5").code == 0


def test_a_folder_train_in_a_folder_is_its_training_split(workplace):
    outcome = cnn("data", "get", f"data.root={too_deep(workplace, 'train')}", "data.own.test=0.5")
    assert "2 train, 2 test images; 2 classes" in outcome.err, outcome.err
