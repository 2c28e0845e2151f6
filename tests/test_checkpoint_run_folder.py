"""The run's folder: each run gets a new one, and no file of a user is lost."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnn_cli.checkpoint.run_folder import RunFolder, create_run_folder
from cnn_cli.errors import ConfigError, DataError

FILES = ("checkpoint", "state", "history", "config", "metrics", "curve")


def fill(path: Path) -> RunFolder:
    """Make a finished run at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path)
    for name in FILES:
        getattr(folder, name).write_text(name)
    return folder


def test_a_new_folder_and_those_above_it_are_made(tmp_path):
    folder = create_run_folder(tmp_path / "runs" / "lenet")
    assert folder.path == tmp_path / "runs" / "lenet"
    assert folder.path.is_dir()
    assert not folder.finished


def test_the_next_runs_get_numbered_names(tmp_path):
    names = [fill(create_run_folder(tmp_path / "lenet").path).path.name for _ in range(3)]
    assert names == ["lenet", "lenet-2", "lenet-3"]
    assert all(RunFolder(tmp_path / name).metrics.read_text() == "metrics" for name in names)


def test_a_new_folder_is_not_given_again_even_before_its_run_writes(tmp_path):
    assert [create_run_folder(tmp_path / "lenet").path.name for _ in range(2)] == ["lenet", "lenet-2"]


def test_a_gap_in_the_names_is_used(tmp_path):
    for name in ("lenet", "lenet-3"):
        fill(tmp_path / name)
    assert create_run_folder(tmp_path / "lenet").path.name == "lenet-2"


def test_an_empty_folder_of_the_user_is_used(tmp_path):
    (tmp_path / "empty").mkdir()
    assert create_run_folder(tmp_path / "empty").path == tmp_path / "empty"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_file_in_its_place_stays(tmp_path, overwrite):
    (tmp_path / "lenet").write_text("a letter")
    with pytest.raises(ConfigError, match="lenet: is a file"):
        create_run_folder(tmp_path / "lenet", overwrite=overwrite)
    assert (tmp_path / "lenet").read_text() == "a letter"


@pytest.mark.parametrize(("requested", "created"), [(".", "work-2"), ("..", "top-2"), ("../work", "work-2")])
def test_the_working_folder_and_the_one_above(tmp_path, monkeypatch, requested, created):
    work = tmp_path / "top" / "work"
    fill(work)
    monkeypatch.chdir(work)
    assert create_run_folder(Path(requested)).path.resolve().name == created
    assert RunFolder(work).config.read_text() == "config"


def test_overwrite_removes_the_run_and_nothing_else(tmp_path):
    folder = fill(tmp_path / "lenet")
    (folder.path / "notes.txt").write_text("notes")
    assert create_run_folder(folder.path, overwrite=True) == folder
    assert [path.name for path in folder.path.iterdir()] == ["notes.txt"]
    assert not folder.finished


def test_overwrite_of_a_missing_folder_creates_it(tmp_path):
    assert create_run_folder(tmp_path / "lenet", overwrite=True).path.is_dir()


def test_a_folder_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        create_run_folder(tmp_path / "file" / "run")
    assert str(tmp_path / "file" / "run") in caught.value.message
    assert "--out" in caught.value.hint


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0,
    reason="modes do not bind root or Windows",
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_that_cannot_be_written_to(tmp_path, overwrite):
    fill(tmp_path / "runs" / "lenet")
    (tmp_path / "runs" / "lenet").chmod(0o500)
    (tmp_path / "runs").chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="Permission denied"):
            create_run_folder(tmp_path / "runs" / "lenet", overwrite=overwrite)
    finally:
        (tmp_path / "runs").chmod(0o700)
        (tmp_path / "runs" / "lenet").chmod(0o700)


@pytest.mark.parametrize("exists", [True, False])
def test_runs_that_start_at_the_same_time_get_different_folders(tmp_path, exists):
    for trial in range(10):
        requested, start = tmp_path / f"run{trial}", threading.Barrier(4)
        if exists:
            requested.mkdir()

        def create(requested=requested, start=start) -> Path:
            start.wait()
            return create_run_folder(requested).path

        with ThreadPoolExecutor(4) as pool:
            created = [future.result() for future in [pool.submit(create) for _ in range(4)]]
        assert len(set(created)) == 4
        assert requested in created


def test_metrics(tmp_path):
    folder = create_run_folder(tmp_path / "lenet")
    assert not folder.finished
    folder.metrics.write_text('{"test": 1}')
    assert folder.finished
    assert folder.read_metrics() == {"test": 1}


@pytest.mark.parametrize("content", ["", "{", "{}}"])
def test_damaged_metrics(tmp_path, content):
    folder = create_run_folder(tmp_path / "lenet")
    folder.metrics.write_text(content)
    with pytest.raises(DataError, match=r"metrics\.json: cannot be read"):
        folder.read_metrics()
