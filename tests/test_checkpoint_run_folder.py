"""The run's folder: each run gets a new one, and no file of a user is lost."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.cli import environment

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.checkpoint.run_writer import continued_run, new_run
from cnn_cli.errors import ConfigError, DataError

FILES = ("checkpoint", "state", "history", "config", "metrics", "curve")


def create(requested: Path, *, overwrite: bool = False) -> RunFolder:
    """Return the folder that a new run gets, which ends before it writes a file."""
    with new_run(requested, overwrite=overwrite) as folder:
        return folder


def visible(folder: Path) -> set[str]:
    """Return the names of the files in a folder, except those of the lock."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def fill(path: Path) -> RunFolder:
    """Make a finished run at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path)
    for name in FILES:
        getattr(folder, name).write_text(name)
    return folder


def test_a_new_folder_and_those_above_it_are_made(tmp_path):
    folder = create(tmp_path / "runs" / "lenet")
    assert folder.path == tmp_path / "runs" / "lenet"
    assert folder.path.is_dir()
    assert not folder.finished


def test_the_next_runs_get_numbered_names(tmp_path):
    names = [fill(create(tmp_path / "lenet").path).path.name for _ in range(3)]
    assert names == ["lenet", "lenet-2", "lenet-3"]
    assert all(RunFolder(tmp_path / name).metrics.read_text() == "metrics" for name in names)


def test_a_new_folder_is_not_given_again_even_before_its_run_writes(tmp_path):
    with new_run(tmp_path / "lenet") as first, new_run(tmp_path / "lenet") as second:
        assert [first.path.name, second.path.name] == ["lenet", "lenet-2"]


def test_a_gap_in_the_names_is_used(tmp_path):
    for name in ("lenet", "lenet-3"):
        fill(tmp_path / name)
    assert create(tmp_path / "lenet").path.name == "lenet-2"


def test_an_empty_folder_of_the_user_is_used(tmp_path):
    (tmp_path / "empty").mkdir()
    assert create(tmp_path / "empty").path == tmp_path / "empty"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_file_in_its_place_stays(tmp_path, overwrite):
    (tmp_path / "lenet").write_text("a letter")
    with pytest.raises(ConfigError, match="lenet: is a file"):
        create(tmp_path / "lenet", overwrite=overwrite)
    assert (tmp_path / "lenet").read_text() == "a letter"


@pytest.mark.parametrize(("requested", "created"), [(".", "work-2"), ("..", "top-2"), ("../work", "work-2")])
def test_the_working_folder_and_the_one_above(tmp_path, monkeypatch, requested, created):
    work = tmp_path / "top" / "work"
    fill(work)
    monkeypatch.chdir(work)
    assert create(Path(requested)).path.resolve().name == created
    assert RunFolder(work).config.read_text() == "config"


def test_overwrite_keeps_the_run_until_the_new_one_is_published(tmp_path):
    old = fill(tmp_path / "lenet")
    (old.path / "notes.txt").write_text("notes")
    with new_run(old.path, overwrite=True) as folder:
        assert folder.home == old.path != folder.path
        assert [getattr(old, name).read_text() for name in FILES] == list(FILES)
        for name in set(FILES) - {"curve"}:
            folder.path.mkdir(exist_ok=True)
            getattr(folder, name).write_text(f"new {name}")
        assert folder.publish() == old
    assert [getattr(old, name).read_text() for name in FILES[:-1]] == [f"new {name}" for name in FILES[:-1]]
    assert visible(old.path) == {"notes.txt", *(getattr(old, name).name for name in FILES[:-1])}


def test_overwrite_without_a_checkpoint_starts_anew(tmp_path):
    old = fill(tmp_path / "lenet")
    old.checkpoint.unlink()
    with new_run(old.path, overwrite=True) as folder:
        assert folder == old
        assert visible(old.path) == set()


@pytest.mark.parametrize("moves", range(6))
def test_a_publishing_that_is_killed_is_finished_by_the_next_start(tmp_path, monkeypatch, moves):
    """After each number of moved files, which is what a kill leaves."""
    old = fill(tmp_path / "lenet")
    new = fill(old.replacement.path)
    replace, done = Path.replace, []

    def killed(path: Path, target: Path) -> Path:
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(path)
        return replace(path, target)

    for name in FILES:
        getattr(new, name).write_text(f"new {name}")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            old.replacement.publish()
    assert old.checkpoint.is_file()
    assert not old.finished
    with continued_run(old.path) as folder:
        assert folder == old
    assert [getattr(old, name).read_text() for name in FILES] == [f"new {name}" for name in FILES]
    assert not new.path.exists()


def test_a_stopped_replacement_is_continued_and_one_without_a_state_is_dropped(tmp_path):
    old = fill(tmp_path / "lenet")
    old.replacement.path.mkdir()
    old.replacement.state.write_text("state")
    with continued_run(old.path) as folder:
        assert folder == old.replacement
    old.replacement.state.unlink()
    with continued_run(old.path) as folder:
        assert folder == old
    assert not old.replacement.path.exists()


@pytest.mark.parametrize("other", ["overwrite", "resume"])
def test_another_process_is_refused_and_told_who_writes(tmp_path, other):
    old = fill(tmp_path / "lenet")
    old.metrics.unlink()
    again = new_run(old.path, overwrite=True) if other == "overwrite" else continued_run(old.path)
    with continued_run(old.path), pytest.raises(ConfigError) as caught, again:
        pass
    assert f"another process trains this run (process {os.getpid()} on " in caught.value.message
    with continued_run(old.path):  # the lock is free again
        pass


KILLED = """
import os, sys, time
from pathlib import Path
from cnn_cli.checkpoint.run_writer import continued_run
with continued_run(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_the_lock_and_the_temporary_files_of_a_killed_process_are_no_obstacle(tmp_path):
    folder = fill(tmp_path / "lenet")
    folder.metrics.unlink()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder.path)], stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(ConfigError, match=f"process {process.pid} on "), continued_run(folder.path):
            pass
        process.kill()
    leftover = folder.path / ".state.safetensors.abcd1234.tmp"
    leftover.touch()
    (folder.path / ".notes.txt.abcd1234.tmp").touch()  # of another program
    with continued_run(folder.path):
        assert not leftover.exists()
        assert (folder.path / ".notes.txt.abcd1234.tmp").exists()


def test_overwrite_of_a_missing_folder_creates_it(tmp_path):
    assert create(tmp_path / "lenet", overwrite=True).path.is_dir()


def test_a_folder_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        create(tmp_path / "file" / "run")
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
            create(tmp_path / "runs" / "lenet", overwrite=overwrite)
    finally:
        (tmp_path / "runs").chmod(0o700)
        (tmp_path / "runs" / "lenet").chmod(0o700)


@pytest.mark.parametrize("exists", [True, False])
def test_runs_that_start_at_the_same_time_get_different_folders(tmp_path, exists):
    for trial in range(10):
        requested, start = tmp_path / f"run{trial}", threading.Barrier(4)
        if exists:
            requested.mkdir()

        def hold(requested=requested, start=start) -> Path:
            start.wait()
            with new_run(requested) as folder:
                start.wait()
                return folder.path

        with ThreadPoolExecutor(4) as pool:
            created = [future.result() for future in [pool.submit(hold) for _ in range(4)]]
        assert len(set(created)) == 4
        assert requested in created


def test_metrics(tmp_path):
    folder = create(tmp_path / "lenet")
    assert not folder.finished
    folder.metrics.write_text('{"test": 1}')
    assert folder.finished
    assert folder.read_metrics() == {"test": 1}


@pytest.mark.parametrize("content", ["", "{", "{}}", "[" * 100_000], ids=len)
def test_damaged_metrics(tmp_path, content):
    folder = create(tmp_path / "lenet")
    folder.metrics.write_text(content)
    with pytest.raises(DataError, match=r"metrics\.json: cannot be read"):
        folder.read_metrics()
