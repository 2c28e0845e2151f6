"""The sets in MNIST's file format: Fashion-MNIST, KMNIST, EMNIST and QMNIST.

This module only describes them: their files, the web sites that have them, and the MD5 sums of the archives
there. The names of the files are torchvision's. `data.idx_source` finds, fetches and verifies them.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from string import ascii_uppercase

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.data.download import Archive
from cnn_cli.data.source import DIGITS

MAX_IMAGES, MAX_LABELS, MAX_ZIP = 50_000_000, 1_000_000, 600_000_000
"""Upper limits of an archive's bytes. The largest of each kind have 26.4, 0.5 and 561.8 MB."""

MAX_CONTENT = 200_000_000
"""Upper limit of an extracted file's bytes. EMNIST's 240,000 training images of digits have 188 MB."""


@dataclass(frozen=True)
class IdxSplit:
    """The training or the test images of a set: the extracted files of images and labels, below the root."""

    images: str
    labels: str


@dataclass(frozen=True)
class IdxSet:
    """A data set in MNIST's file format.

    Args:
        classes: the class names.
        train: its training images.
        test: its test images.
        archives: the files on its web site: `FILE.gz` for each file, or one zip with all of them.
        mirrors: addresses that an archive's name is appended to, tried in this order.
        preprocessing: what is done to an image before a network reads it.
        transposed: the files hold columns where other sets hold rows.
        first_label: the label of the first class.
    """

    classes: tuple[str, ...]
    train: IdxSplit
    test: IdxSplit
    archives: tuple[Archive, ...]
    mirrors: tuple[str, ...]
    preprocessing: PreprocessingKind = "digit"
    transposed: bool = False
    first_label: int = 0

    @property
    def splits(self) -> dict[str, IdxSplit]:
        """Both splits by name."""
        return {"train": self.train, "test": self.test}

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both splits when extracted."""
        return tuple(file for split in self.splits.values() for file in (split.images, split.labels))

    @property
    def folder(self) -> PurePosixPath:
        """The folder of the archives, below the root."""
        return PurePosixPath(self.archives[0].path).parent

    def archive_of(self, file: str) -> Archive:
        """Return the archive that holds `file`."""
        named = [archive for archive in self.archives if archive.path == f"{file}.gz"]
        return named[0] if named else self.archives[0]


FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
LETTERS = tuple(f"{letter}/{letter.lower()}" for letter in ascii_uppercase)
"""EMNIST's `letters` has the capital and the small letter in one class, as the names say."""


def _split(prefix: str, labels: str = "labels-idx1-ubyte") -> IdxSplit:
    return IdxSplit(f"{prefix}-images-idx3-ubyte", f"{prefix}-{labels}")


def _archives(sums: dict[str, str]) -> tuple[Archive, ...]:
    """Return an archive for each path and MD5."""
    limits = {path: MAX_LABELS if "labels" in path else MAX_IMAGES for path in sums}
    return tuple(Archive(path, md5, limits[path]) for path, md5 in sums.items())


# The archives are listed with the smallest first: a missing network, or a folder that cannot be written, is
# noticed within 5 kB.

_FASHION_MNIST = IdxSet(
    classes=FASHION,
    train=_split("FashionMNIST/raw/train"),
    test=_split("FashionMNIST/raw/t10k"),
    archives=_archives(
        {
            "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
            "FashionMNIST/raw/train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "FashionMNIST/raw/t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "FashionMNIST/raw/train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        }
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    # Clothes fill the image and their shades matter. So the image is used as it is, without looking for ink,
    # and an image to be predicted must look like those of the set: bright on black.
    preprocessing="photo",
)

_KMNIST = IdxSet(
    classes=KUZUSHIJI,
    train=_split("KMNIST/raw/train"),
    test=_split("KMNIST/raw/t10k"),
    archives=_archives(
        {
            "KMNIST/raw/t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
            "KMNIST/raw/train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
            "KMNIST/raw/t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
            "KMNIST/raw/train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
        }
    ),
    mirrors=(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
)

_QMNIST = (
    IdxSet(  # all 60,000 test images that Yadav and Bottou 2019 found again; the first 10,000 are MNIST's
        classes=DIGITS,
        train=_split("QMNIST/raw/qmnist-train", "labels-idx2-int"),
        test=_split("QMNIST/raw/qmnist-test", "labels-idx2-int"),
        archives=_archives(
            {
                "QMNIST/raw/qmnist-train-labels-idx2-int.gz": "0058f8dd561b90ffdd0f734c6a30e5e4",
                "QMNIST/raw/qmnist-test-labels-idx2-int.gz": "5b5b05890a5e13444e108efe57b788aa",
                "QMNIST/raw/qmnist-train-images-idx3-ubyte.gz": "ed72d4157d28c017586c42bc6afe6370",
                "QMNIST/raw/qmnist-test-images-idx3-ubyte.gz": "1394631089c404de565df7b7aeaf9412",
            }
        ),
        mirrors=(
            "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
            "https://github.com/facebookresearch/qmnist/raw/master/",
        ),
    )
)


def _part_of_emnist(part: str, classes: tuple[str, ...], first_label: int = 0) -> IdxSet:
    return IdxSet(
        classes=classes,
        train=_split(f"EMNIST/raw/emnist-{part}-train"),
        test=_split(f"EMNIST/raw/emnist-{part}-test"),
        archives=(Archive("EMNIST/raw/gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e", MAX_ZIP),),
        mirrors=(
            "https://biometrics.nist.gov/cs_links/EMNIST/",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
        ),
        transposed=True,
        first_label=first_label,
    )


IDX_SETS: dict[str, IdxSet] = {
    "fashion-mnist": _FASHION_MNIST,
    "kmnist": _KMNIST,
    "emnist-digits": _part_of_emnist("digits", DIGITS),
    "emnist-letters": _part_of_emnist("letters", LETTERS, first_label=1),  # the only labels counted from 1
    "qmnist": _QMNIST,
}
"""The sets by the names that a config uses."""
