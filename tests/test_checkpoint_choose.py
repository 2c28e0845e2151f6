"""Which checkpoint a command uses: the named one, the environment's, the newest run's, the shipped one."""

import os
from pathlib import Path

import pytest

from cnn_cli.checkpoint.choose import (
    SHIPPED,
    choose_checkpoint,
    newest_run,
    run_folders,
    shipped,
    shipped_names,
)
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import DataError
from cnn_cli.resources import packaged


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """An empty working folder, and nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNN_CHECKPOINT", raising=False)
    return tmp_path


def make_run(name: str, finished_at: int | None, checkpoint: bool = True) -> RunFolder:
    """Make a run below ./checkpoints; `finished_at` is a time in seconds, None for an unfinished run."""
    folder = RunFolder(Path("checkpoints") / name)
    folder.path.mkdir(parents=True)
    if checkpoint:
        folder.checkpoint.touch()
    if finished_at is not None:
        folder.metrics.touch()
        os.utime(folder.metrics, (finished_at, finished_at))
    return folder


def test_the_named_one_comes_first(work, monkeypatch):
    make_run("lenet", 100)
    monkeypatch.setenv("CNN_CHECKPOINT", "other.safetensors")
    assert choose_checkpoint(Path("my.safetensors")) == Path("my.safetensors")


def test_a_run_stands_for_its_checkpoint(work):
    folder = make_run("lenet", None)
    assert choose_checkpoint(folder.path) == folder.checkpoint


def test_the_environments_comes_second(work, monkeypatch):
    folder = make_run("lenet", 100)
    monkeypatch.setenv("CNN_CHECKPOINT", "other.safetensors")
    assert choose_checkpoint(None) == Path("other.safetensors")
    monkeypatch.setenv("CNN_CHECKPOINT", str(folder.path))
    assert choose_checkpoint(None) == folder.checkpoint


def test_the_run_that_finished_last_comes_third(work, monkeypatch):
    monkeypatch.setenv("CNN_CHECKPOINT", "")
    make_run("a", 100)
    newest = make_run("b", 300)
    make_run("c", 200)
    make_run("unfinished", None)
    make_run("emptied", 400, checkpoint=False)
    (Path("checkpoints") / "file").touch()
    assert choose_checkpoint(None) == newest.checkpoint


def test_the_shipped_one_comes_last(work):
    make_run("unfinished", None)
    assert choose_checkpoint(None) == shipped() == packaged("pretrained") / f"{SHIPPED}.safetensors"
    assert choose_checkpoint(None).is_file()


def test_a_network_that_ships_can_be_named(work):
    assert choose_checkpoint(Path("lenet")) == packaged("pretrained") / "lenet.safetensors"
    assert choose_checkpoint(Path("unknown")) == Path("unknown")  # which is not found later
    run = make_run("lenet", 100)
    assert choose_checkpoint(run.path) == run.checkpoint
    Path("lenet").touch()
    assert choose_checkpoint(Path("lenet")) == Path("lenet")


def test_each_kind_of_images_has_its_own_default(work):
    assert choose_checkpoint(None, lines=True) == shipped("line")
    images, lines = make_run("images", 100), make_run("lines", 200)
    lines.metrics.write_text('{"test": {"character_error_rate": 0.01}}')
    os.utime(lines.metrics, (200, 200))
    assert choose_checkpoint(None) == choose_checkpoint(None, lines=True) == lines.checkpoint
    assert choose_checkpoint(None, lines=False) == images.checkpoint
    os.utime(images.metrics, (300, 300))
    assert choose_checkpoint(None, lines=True) == lines.checkpoint
    assert choose_checkpoint(None) == choose_checkpoint(None, lines=False) == images.checkpoint


def test_names_for_completion(work):
    assert run_folders(Path("checkpoints")) == []
    make_run("b", None)
    make_run("a", 100)
    make_run("empty", None, checkpoint=False)
    assert run_folders(Path("checkpoints")) == [Path("checkpoints/a"), Path("checkpoints/b")]
    assert {SHIPPED, "lenet"} <= set(shipped_names())
    assert all(choose_checkpoint(Path(name)).is_file() for name in shipped_names())


def test_no_runs(work):
    assert newest_run(Path("checkpoints")) is None
    Path("checkpoints").mkdir()
    assert newest_run(Path("checkpoints")) is None


def test_a_run_without_a_checkpoint_is_refused_by_name(work):
    folder = make_run("new", None, checkpoint=False)
    with pytest.raises(DataError, match=r"checkpoints.new: has no model\.safetensors"):
        choose_checkpoint(folder.path)
