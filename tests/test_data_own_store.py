"""The cache of decoded images: what is done again, and that a half or a wrong one never counts."""

import logging
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from helpers.albums import Work, album, cache_folder, cached, image, opened, print_pixels, stored
from helpers.forks import SERVER, Forked
from PIL import Image

from cnn_cli.data.own import digests, store
from cnn_cli.errors import DataError

ALL = 15
"""Images of an album."""


pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def root(tmp_path) -> Path:
    return album(tmp_path / "album")


@pytest.fixture
def work(monkeypatch) -> Work:
    return Work(monkeypatch)


@pytest.fixture
def later(monkeypatch) -> None:
    """The images have lain there for a minute."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 60 * 10**9)


def overwrite(path: Path, content: bytes) -> None:
    """Other bytes in the same file, of the same size, with the time of the old ones put back."""
    status = path.stat()
    assert status.st_size == len(content)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flipped(path: Path, place: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    return bytes(content)


# ---- repeated starts


@pytest.mark.usefixtures("later")
def test_the_second_start_reads_no_image(root, work):
    first = stored(opened(root))
    assert work.done() == (ALL, ALL)
    for path in root.rglob("*.png"):
        assert path.stat().st_size  # its status is read, not its content
    np.testing.assert_array_equal(stored(opened(root)), first)
    assert work.done() == (0, 0)


def test_images_that_have_just_changed_are_read_but_not_decoded(root, work):
    """Within the resolution of a file's times a change may not show, so such times are not trusted."""
    opened(root)
    work.done()
    opened(root)
    assert work.done() == (ALL, 0)


@pytest.mark.usefixtures("later")
def test_a_change_of_the_same_size_with_the_old_time_is_noticed(root, work, tmp_path):
    for name, tone in (("a", 10), ("b", 200)):
        Image.new("L", (8, 8), tone).save(tmp_path / f"{name}.bmp")
    changing = root / "cat" / "changing.bmp"
    shutil.copy(tmp_path / "a.bmp", changing)
    opened(root)
    work.done()
    overwrite(changing, (tmp_path / "b.bmp").read_bytes())
    source = opened(root)
    assert work.done() == (1, ALL + 1)
    everything = np.concatenate([stored(source), stored(source, "test")])
    assert (everything == 200).all(axis=(1, 2, 3)).sum() == 1
    assert not (everything == 10).all(axis=(1, 2, 3)).any()


@pytest.mark.usefixtures("later")
def test_added_and_removed_images_are_noticed(root, work):
    opened(root)
    work.done()
    image(root / "dog" / "new.png", 77)
    source = opened(root)
    assert len(source.train()) + len(source.test()) == ALL + 1
    assert work.done() == (1, ALL + 1)
    (root / "dog" / "new.png").unlink()
    (root / "dog" / "001.png").unlink()
    source = opened(root)
    assert len(source.train()) + len(source.test()) == ALL - 1
    assert work.done() == (0, ALL - 1)


@pytest.mark.usefixtures("later")
def test_renamed_and_relabeled_images_keep_their_pixels(root, work):
    before = opened(root)
    work.done()
    (root / "cat" / "000.png").rename(root / "dog" / "zzz.png")
    after = opened(root)
    assert work.done() == (1, 0)
    counts = [
        np.bincount(np.concatenate([source.train().labels, source.test().labels])).tolist()
        for source in (before, after)
    ]
    assert counts == [[5, 5, 5], [4, 6, 5]]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("change", ["moved", "copied", "touched"])
def test_equal_content_is_not_decoded_again(root, work, tmp_path, change):
    first = stored(opened(root))
    work.done()
    other = tmp_path / "other"
    if change == "moved":
        root.rename(other)
    elif change == "copied":
        shutil.copytree(root, other)
    else:
        for path in root.rglob("*.png"):
            os.utime(path, (1e9, 1e9))
        other = root
    np.testing.assert_array_equal(stored(opened(other)), first)
    assert work.done() == (ALL, 0)
    opened(other)
    assert work.done() == (0, 0)


@pytest.mark.usefixtures("later")
def test_other_settings_are_another_store(root, work, monkeypatch):
    opened(root, 8, 3)
    for size, channels in ((9, 3), (8, 1)):
        work.done()
        assert opened(root, size, channels).train().store.shape == (ALL, channels, size, size)
        assert work.done() == (0, ALL)
    opened(root, 8, 3)
    assert work.done() == (0, 0)
    for again in (False, True):  # digits do not depend on the input's size
        opened(root, 28 + 4 * again, broken="skip", preprocessing="digit")
        assert work.done() == (0, 0 if again else ALL)
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    opened(root, 8, 3)
    assert work.done() == (0, ALL)


# ---- damage


DAMAGES = {
    "pixels cut short": lambda pixels, table: os.truncate(pixels, pixels.stat().st_size - 1),
    "pixels cut to nothing": lambda pixels, table: os.truncate(pixels, 0),
    "one bit of the pixels": lambda pixels, table: overwrite(pixels, flipped(pixels, -100)),
    "the pixels' header": lambda pixels, table: overwrite(pixels, flipped(pixels, 2)),
    "pixels of another shape": lambda pixels, table: np.save(pixels, np.zeros((ALL, 3, 9, 8), np.uint8)),
    "no pixels": lambda pixels, table: pixels.unlink(),
    "no table": lambda pixels, table: table.unlink(),
    "table cut short": lambda pixels, table: os.truncate(table, table.stat().st_size // 2),
    "one bit of the table": lambda pixels, table: overwrite(table, flipped(table, table.stat().st_size // 2)),
    "an empty table": lambda pixels, table: os.truncate(table, 0),
    "a table of something else": lambda pixels, table: np.savez(table, record=np.zeros(3, np.uint8)),
}


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_made_again(root, work, damage, caplog):
    first = stored(opened(root)).copy()
    work.done()
    pixels, table = (cache_folder() / name for name in cached())
    assert (pixels.suffix, table.suffix) == (".npy", ".npz")
    DAMAGES[damage](pixels, table)
    np.testing.assert_array_equal(stored(opened(root)), first)
    assert work.done() == (0, ALL)
    assert ("is damaged" in caplog.text) == (not damage.startswith("no "))
    np.testing.assert_array_equal(stored(opened(root)), first)
    assert work.done() == (0, 0)


@pytest.mark.usefixtures("later")
def test_a_copy_of_the_cache_is_verified_by_its_checksum(root, work):
    opened(root)
    work.done()
    shutil.copytree(cache_folder(), root.parent / "copy")
    shutil.rmtree(cache_folder())
    (root.parent / "copy").rename(cache_folder())
    opened(root)
    assert work.done() == (0, 0)


@pytest.mark.usefixtures("later")
def test_untouched_pixels_are_not_read_to_verify_them(root, monkeypatch):
    first = stored(opened(root))
    monkeypatch.delattr(store, "_sha256")
    np.testing.assert_array_equal(stored(opened(root)), first)


@pytest.mark.usefixtures("later")
def test_a_store_of_another_shape_under_this_name(root, work):
    """It is intact, but not the store that its name describes."""
    first = stored(opened(root, 8))
    small = cached()
    opened(root, 9)
    large = [name for name in cached() if name not in small]
    for source, target in zip(large, small, strict=True):
        (cache_folder() / source).rename(cache_folder() / target)
    work.done()
    np.testing.assert_array_equal(stored(opened(root, 8)), first)
    assert work.done() == (0, ALL)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_a_damaged_file_of_digests_is_written_again(root, work, content, caplog):
    opened(root)
    (memory,) = cache_folder().glob("files-*")
    work.done()
    memory.write_bytes(memory.read_bytes()[:-40] if content is None else content)
    opened(root)
    assert work.done() == (ALL, 0)
    assert "cannot be read" in caplog.text
    opened(root)
    assert work.done() == (0, 0)


# ---- during the making


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_start_leaves_nothing_behind(root, stop, monkeypatch):
    monkeypatch.setattr(store, "JOB_IMAGES", 4)

    def interrupt(doing: str, done: int, total: int) -> None:
        if doing.startswith("decoding") and done >= 8:
            assert [name for name in cached() if name.endswith(".tmp")]
            raise stop

    with pytest.raises(stop):
        opened(root, progress=interrupt)
    assert cached() == []
    assert len(opened(root).train()) == 12


def test_images_that_change_meanwhile_are_an_error(root, monkeypatch):
    made = store.obtain

    def meddle(*arguments):
        image(root / "dog" / "002.png", 99)
        return made(*arguments)

    monkeypatch.setattr("cnn_cli.data.own.source.obtain", meddle)
    with pytest.raises(DataError, match=r"dog/002\.png: was changed while images were read"):
        opened(root)
    assert cached() == []


def test_two_processes_make_the_same_store(root):
    """They start together; both have the right pixels, and one complete store is left."""
    ready = SERVER.Barrier(2)
    processes = [Forked(print_pixels, root, ready) for _ in range(2)]
    outputs = {process.outcome().out.strip() for process in processes}
    assert outputs == {stored(opened(root)).tobytes().hex()}
    assert [Path(name).suffix for name in cached()] == [".npy", ".npz"]


def test_a_cache_that_cannot_be_written(root):
    cache_folder().write_text("a file is in the way")
    with pytest.raises(DataError, match=f"decoded images cannot be stored in {cache_folder()}") as caught:
        opened(root)
    assert "CNN_CACHE" in str(caught.value.hint)


def test_a_disk_without_room_is_noticed_before_any_image_is_decoded(root, work, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 100))
    with pytest.raises(DataError, match=r"they need 0\.0 GB, and 0\.0 GB are free"):
        opened(root)
    assert work.done() == (ALL, 0)


# ---- removal


def test_the_previous_store_of_a_folder_is_removed(root, tmp_path):
    album(tmp_path / "another", seed=5)
    for folder, size in ((root, 8), (root, 9), (tmp_path / "another", 8)):
        opened(folder, size)
    before = set(cached())
    assert len(before) == 6
    image(root / "cat" / "new.png", 50)
    opened(root, 8)
    after = set(cached())
    assert len(after) == 6
    assert len(after & before) == 4
    work = len(before)
    opened(root, 9)
    opened(tmp_path / "another", 8)
    assert len(cached()) == work


def test_a_moved_folder_takes_its_store_with_it(root, tmp_path):
    opened(root)
    root.rename(tmp_path / "moved")
    opened(tmp_path / "moved")
    before = cached()
    image(tmp_path / "moved" / "cat" / "new.png", 50)
    opened(tmp_path / "moved")
    assert len(cached()) == 2
    assert not set(cached()) & set(before)


def test_files_of_a_killed_process_are_removed_after_a_day(root):
    cache_folder().mkdir(parents=True)
    old, young = (cache_folder() / f".{name}.npy.x.tmp" for name in ("old", "young"))
    for path, age in ((old, 2 * 86_400), (young, 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    opened(root)
    assert not old.exists()
    assert young.exists()


# ---- the map


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_the_pixels_are_mapped_not_loaded(root):
    source = opened(root)
    (pixels,) = cache_folder().glob("*.npy")
    (line,) = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(pixels) in line]
    start, end = (int(place, 16) for place in line.split()[0].split("-"))
    assert start <= source.train().store.data_ptr() < end
    assert line.split()[1] == "r--s"  # shared and read-only: it needs no memory of its own


def test_a_map_far_larger_than_memory_is_not_refused(tmp_path):
    """The system refuses a private, writable map that is larger than memory."""
    from cnn_cli.data.own.source import _tensor

    with (tmp_path / "sparse").open("wb") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            pytest.skip("no sparse files here")
    assert _tensor(np.memmap(tmp_path / "sparse", np.uint8, "r")).shape == (1 << 40,)


def test_digests_that_cannot_be_stored_are_no_error(root, monkeypatch, caplog):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(digests, "atomic_write", refuse)
    with caplog.at_level(logging.INFO, logger=digests.__name__):
        assert len(opened(root).train()) == 12
    assert "the next start reads all images" in caplog.text
