"""The same labeled images in every form of your own data, written with other libraries than ours."""

import csv
import gzip
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_cli.data.synthetic import draw

Images = np.ndarray
Labels = np.ndarray


def digits(count: int = 120, seed: int = 5) -> tuple[Images, Labels]:
    """Return drawn digits uint8 [N, 28, 28] with labels, every class among them, and two equal images."""
    images, labels = draw(count, seed)
    images[-1], labels[-1] = images[0], labels[0]
    return images, labels


def class_folders(root: Path, images: Images, labels: Labels) -> Path:
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / str(label) / f"{number:04}.png")
    return root


def flat_with_list(root: Path, images: Images, labels: Labels) -> Path:
    root.mkdir(parents=True)
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "kind"])
        for number, (image, label) in reversed(list(enumerate(zip(images, labels, strict=True)))):
            Image.fromarray(image).save(root / f"image {number}.bmp")
            writer.writerow([f"image {number}.bmp", label, "drawn"])
    return root


def flat_with_prefix(root: Path, images: Images, labels: Labels) -> Path:
    root.mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(root / f"{label}_{len(images) - number:04}.png")
    return root


def zipped(root: Path, images: Images, labels: Labels) -> Path:
    folder = class_folders(root / "digits", images, labels)
    with zipfile.ZipFile(root / "digits.zip", "w") as archive:  # without entries for the folders
        for path in sorted(folder.rglob("*.png"), reverse=True):
            archive.write(path, path.relative_to(folder).as_posix())
    return root / "digits.zip"


def zipped_flat(root: Path, images: Images, labels: Labels) -> Path:
    folder = flat_with_list(root, images, labels)
    return Path(shutil.make_archive(str(root.parent / "flat"), "zip", folder.parent, folder.name))


def tarred(root: Path, images: Images, labels: Labels) -> Path:
    folder = class_folders(root / "digits", images, labels)
    with tarfile.open(root / "digits.tar.gz", "w:gz") as archive:
        archive.add(folder, "digits")
    return root / "digits.tar.gz"


def table(root: Path, images: Images, labels: Labels) -> Path:
    """Kaggle's form: a header, and the label in the first column."""
    root.mkdir(parents=True)
    header = ",".join(["label", *(f"pixel{number}" for number in range(images[0].size))])
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    np.savetxt(root / "train.csv", rows, fmt="%d", delimiter=",", header=header, comments="")
    return root / "train.csv"


def bare_table(root: Path, images: Images, labels: Labels) -> Path:
    """No header, Windows' ends of lines."""
    root.mkdir(parents=True)
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    np.savetxt(root / "digits.csv", rows, fmt="%d", delimiter=",", newline="\r\n")
    return root / "digits.csv"


def named_table(root: Path, images: Images, labels: Labels) -> Path:
    """Quoted cells, an id, the label in the last column, and shares instead of bytes."""
    root.mkdir(parents=True)
    with (root / "digits.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["id", *(f"{row}x{column}" for row in range(28) for column in range(28)), "Label"])
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            writer.writerow([number, *(image.reshape(-1) / 255).tolist(), label])
    return root / "digits.csv"


def packed_table(root: Path, images: Images, labels: Labels) -> Path:
    path = table(root, images, labels)
    (root / "train.csv.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    return root


def keras(root: Path, images: Images, labels: Labels) -> Path:
    root.mkdir(parents=True)
    np.savez_compressed(root / "mnist.npz", x_train=images, y_train=labels)
    return root / "mnist.npz"


def scikit_learn(root: Path, images: Images, labels: Labels) -> Path:
    root.mkdir(parents=True)
    data = images.reshape(len(images), -1).astype(np.float64)
    np.savez(root / "digits.npz", data=data, images=images.astype(np.float64), target=labels.astype(str))
    return root / "digits.npz"


def images_last(root: Path, images: Images, labels: Labels) -> Path:
    """Axes as MATLAB has them, channels, and one-hot labels, each in an .npy file."""
    root.mkdir(parents=True)
    np.save(root / "X.npy", images[..., None].transpose(1, 2, 3, 0))
    np.save(root / "y.npy", np.eye(10)[labels])
    return root


def channels_first(root: Path, images: Images, labels: Labels) -> Path:
    root.mkdir(parents=True)
    shares = images[:, None].astype(np.float32) / 255
    np.savez(root / "digits.npz", images=shares, labels=labels[:, None].astype(np.int32))
    return root


def idx(values: np.ndarray) -> bytes:
    """Return the bytes of an IDX file: the magic number, the sides, the values."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def _idx_form(images_name: str, labels_name: str) -> Callable[[Path, Images, Labels], Path]:
    def write(root: Path, images: Images, labels: Labels) -> Path:
        for name, values in ((images_name, images), (labels_name, labels)):
            content = idx(values)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
        return root

    return write


def parquet(root: Path, images: Images, labels: Labels) -> Path:
    """As data hubs store it: encoded images in a struct, in two files."""
    import io

    import pyarrow as pa
    from pyarrow import parquet as pq

    root.mkdir(parents=True)
    half = len(images) // 2
    for number, part in enumerate((slice(half), slice(half, None))):
        contents = []
        for image in images[part]:
            Image.fromarray(image).save(stream := io.BytesIO(), "PNG")
            contents.append({"bytes": stream.getvalue(), "path": None})
        rows = pa.table({"image": contents, "label": labels[part].astype(np.int64)})
        pq.write_table(rows, root / f"train-0000{number}-of-00002.parquet")
    return root


FORMS: dict[str, Callable[[Path, Images, Labels], Path]] = {
    "class folders": class_folders,
    "labels.csv": flat_with_list,
    "names that begin with the label": flat_with_prefix,
    "zip": zipped,
    "zip of a flat folder": zipped_flat,
    "tar.gz": tarred,
    "csv": table,
    "csv without a header": bare_table,
    "csv with a named label": named_table,
    "csv.gz": packed_table,
    "npz of keras": keras,
    "npz of scikit-learn": scikit_learn,
    "npz, channels first": channels_first,
    "npy, images last": images_last,
    "idx": _idx_form("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "idx.gz": _idx_form("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "idx with a point": _idx_form("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
    "idx in folders": _idx_form(
        "train-images-idx3-ubyte/train-images-idx3-ubyte", "train-labels-idx1-ubyte/train-labels-idx1-ubyte"
    ),
    "parquet": parquet,
}
"""Each form with a function that writes it into a folder that does not exist, and returns the data root."""
