"""Where the tests find real data; they skip, and say why, where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: set {variable} to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The four files of the real MNIST."""
    return _folder("CNN_TEST_MNIST", "mnist")


@pytest.fixture(scope="session")
def handdrawn_folder() -> Path:
    """Digits that people drew or photographed, with labels.csv."""
    return _folder("CNN_TEST_HANDDRAWN", "handdrawn")
