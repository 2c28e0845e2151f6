"""What `data.root` means: your own data, or a published data set; and what is never written there."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from helpers import forms, mirror
from helpers.albums import album

from cnn_cli.config.schema import Data
from cnn_cli.data import mnist
from cnn_cli.data.own.forms import is_own
from cnn_cli.data.sources import open_source, with_name
from cnn_cli.errors import DataError

pytestmark = pytest.mark.usefixtures("cache")


def name_of(root: Path | None, **options) -> str:
    return with_name(Data(root=None if root is None else str(root), **options)).name


@pytest.mark.parametrize(
    "form", ["class folders", "names that begin with the label", "zip", "csv", "idx in folders"]
)
def test_data_of_your_own_is_found(form, tmp_path):
    root = forms.FORMS[form](tmp_path / "form", *forms.digits(30))
    assert is_own(root)
    assert name_of(root) == "own"
    assert name_of(root, name="kmnist") == "kmnist"


@pytest.mark.parametrize("folder", ["MNIST/raw", "raw", "."])
def test_a_root_with_mnist_in_it_means_mnist(folder, tmp_path, mnist_folder):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for path in mnist_folder.glob("*.gz"):
        (tmp_path / folder / path.name).symlink_to(path)
    assert name_of(tmp_path) == "mnist"
    album(tmp_path / "MNIST" / "images")
    assert name_of(tmp_path) == "mnist"


def test_other_files_of_the_names_of_mnist_are_your_own(tmp_path):
    for file in mnist.FILES:
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(forms.idx(np.arange(10))))
    assert name_of(tmp_path) == "own"


def test_an_empty_or_missing_root_means_mnist(tmp_path):
    assert name_of(None) == name_of(tmp_path) == name_of(tmp_path / "new") == "mnist"
    assert name_of(tmp_path / "mistyped.csv") == "own"


def test_nothing_is_downloaded_into_a_folder_of_images(tmp_path, mnist_folder):
    root = album(tmp_path / "mine")
    before = sorted(root.rglob("*"))
    with mirror.serve(mnist_folder, mirror.good) as site:
        for name in ("mnist", "fashion-mnist"):
            with pytest.raises(DataError, match=f"mine: holds data of your own, and {name} is not there"):
                open_source(Data(name=name, root=str(root), mirrors=(site.url,)))
    assert site.requests == []
    assert sorted(root.rglob("*")) == before


def test_drawn_digits_are_not_kept_in_a_folder_of_images(tmp_path, cache):
    root = album(tmp_path / "mine")
    before = sorted(root.rglob("*"))
    source = open_source(Data(name="synthetic", root=str(root), synthetic={"train": 10, "test": 10}))
    assert len(source.train()) == 10
    assert sorted(root.rglob("*")) == before
    assert list((cache / "synthetic").iterdir())
