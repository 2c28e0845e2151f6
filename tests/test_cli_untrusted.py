"""An untrusted checkpoint, and settings and names that nobody means: one line, and nothing else happens."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import Outcome, cnn, environment
from helpers.mirror import serve, status
from safetensors.numpy import load

from cnn_cli.checkpoint import tensorfile
from cnn_cli.errors import ExitCode

EVIL = "\x1b]0;title\x07\x1b[31m\nerror: forged"


def forged(path: Path, run: Path, change: Callable[[dict], object]) -> Path:
    """Write a run's checkpoint with a changed header, and the checksum of that, as anybody can."""
    content = (run / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["cnn"])
    header.pop(tensorfile.DIGEST)
    change(header)
    tensorfile.write(path, load(content), header)
    return path


def assert_clean(outcome: Outcome, most: int = 1) -> None:
    """Assert that a terminal shows the messages as they are, and that there are at most `most` errors."""
    assert outcome.err.replace("\n", "").isprintable()
    assert outcome.out.replace("\n", "").isprintable()
    assert sum(line.startswith("error:") for line in outcome.err.splitlines()) <= most
    assert all(len(line) < 3000 for line in outcome.err.splitlines())


# ---- what a checkpoint decides


def test_no_address_of_a_checkpoint_is_asked(workplace: Path, trained_run: Path) -> None:
    with serve(workplace, status(404)) as mirror:
        data = {"name": "mnist", "root": "elsewhere", "mirrors": [f"{mirror.url}/latest/"], "download": True}
        path = forged(
            Path("s.safetensors"), trained_run, lambda header: header["config"]["data"].update(data)
        )
        chosen = f"data.mirrors=[{mirror.url}/mine/]"
        outcome = cnn("eval", path, chosen)
        assert outcome.code == ExitCode.DATA
        assert mirror.requests
        assert all(request.startswith("/mine/") for request in mirror.requests)
    assert not Path("elsewhere").exists()


def test_no_folder_of_a_checkpoint_is_read_or_written(workplace: Path, trained_run: Path) -> None:
    def to_folder(header: dict) -> None:
        header["config"]["data"].update(name="own", root="private")
        header["config"]["output"]["folder"] = "private"

    path = forged(Path("s.safetensors"), trained_run, to_folder)
    Path("private/a").mkdir(parents=True)
    for command in ("eval", "report"):
        outcome = cnn(command, path)
        assert_clean(outcome)
        if command == "eval":
            assert outcome.code == ExitCode.DATA
            assert "trained on the images in private; a path in a checkpoint is not used" in outcome.err
            assert "hint: name the folder of the images: data.root=private" in outcome.err
    assert not any(Path("private/a").iterdir())
    assert cnn("eval", path, "data.name=synthetic").code == 0


def test_an_onnx_file_names_no_other_file(workplace: Path, trained_run: Path) -> None:
    onnx = pytest.importorskip("onnx")
    assert cnn("export", trained_run, "--to", "model.onnx").code == 0
    model = onnx.load("model.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    Path("secret.bin").write_bytes(bytes(10_000))
    Path("model.onnx").write_bytes(model.SerializeToString())
    outcome = cnn("predict", "one.png", "-k", "model.onnx")
    assert outcome.code == ExitCode.DATA
    assert "model.onnx: its weights are in another file" in outcome.err


# ---- what a checkpoint says


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(data=EVIL),
        lambda header: header.update(kind=EVIL),
        lambda header: header.update(format=EVIL),
        lambda header: header.update(classes=[EVIL + str(i) for i in range(10)]),
        lambda header: header["config"]["train"].update({EVIL * 10_000: 1}),
        lambda header: header["config"].update(name=EVIL),
        lambda header: header["versions"].update({EVIL: EVIL}),
    ],
    ids=["data", "kind", "format", "classes", "key", "name", "versions"],
)
def test_a_terminal_shows_the_text_of_a_header_as_it_is(
    workplace: Path, trained_run: Path, change: Callable[[dict], object]
) -> None:
    path = forged(Path("s.safetensors"), trained_run, change)
    for command in (("predict", "one.png", "-k"), ("read", "one.png", "-k"), ("summary",), ("eval",)):
        outcome = cnn(*command, path)
        assert outcome.code in (0, 3)
        assert_clean(outcome)


def test_html_shows_the_text_of_a_header_as_it_is(workplace: Path, trained_run: Path) -> None:
    classes = [f"<script>alert({i})</script>" for i in range(10)]
    path = forged(
        Path("s.safetensors"), trained_run, lambda header: header.update(data="<img src=x>", classes=classes)
    )
    assert cnn("report", path, "--out", "r.html").code == 0
    assert cnn("look", "one.png", "-k", path, "--out", "l.html").code == 0
    for page in ("r.html", "l.html"):
        text = Path(page).read_text()
        assert "<script>alert" not in text
        assert "<img src=x>" not in text


# ---- settings that cannot be


@pytest.mark.parametrize(
    "setting",
    [
        "train.threads=100000",
        "train.threads=9223372036854775807",
        "data.root=~nosuchuser/x",
        "data.root=\0",
        ".".join(["a"] * 1000) + "=1",
        ".".join(["model"] * 100_000) + "=1",
        "tra\nin.lr=1",
        "train.l\nr=1",
        "model.layers[999999999999]=1",
        "model.layers[" + "9" * 10_000 + "]=1",
        "train.lr=" + "9" * 10_000,
        "train.lr=\x1b[31m",
        f"name={EVIL}",
    ],
    ids=lambda setting: setting[:25].encode("unicode_escape").decode(),
)
def test_a_setting_that_cannot_be(workplace: Path, setting: str) -> None:
    outcome = cnn("train", "--config", "tiny.yaml", "train.epochs=0", setting)
    assert outcome.code in (ExitCode.USAGE, ExitCode.DATA), outcome.err
    assert_clean(outcome)


@pytest.mark.parametrize(
    "text", ['"train\\nx": 1\n', '"\\e[31m": 1\n', "? |\n  a\n  b\n: 1\n", "!<a\x07b> x: 1\n"]
)
def test_a_key_that_cannot_be(workplace: Path, text: str) -> None:
    Path("odd.yaml").write_text(text)
    outcome = cnn("config", "check", "odd.yaml")
    assert outcome.code == ExitCode.USAGE
    assert_clean(outcome, most=2)  # the model is missing, too


def test_a_file_name_with_a_line_break(workplace: Path) -> None:
    Path("a\nb.yaml").write_text("train: {epochs: many}\nmodel: {layers: [flatten]}\n")
    outcome = cnn("config", "check", "a\nb.yaml", "no\nthing.yaml")
    assert outcome.err.count("error:") == 2
    assert outcome.err.count("\n") == 3  # two errors and a hint
    assert "a\\nb.yaml:1:17" in outcome.err


def test_a_network_beyond_the_budget(workplace: Path) -> None:
    Path("big.yaml").write_text(
        "model: {layers: [repeat: {times: 1000, layers: [conv: {out: 4096, kernel: 3, padding: same}]}]}\n"
    )
    outcome = cnn("config", "check", "big.yaml")
    assert outcome.code == ExitCode.USAGE
    assert "1,208,033,280 weights up to here (4.8 GB as float32), more than the limit" in outcome.err


# ---- the system says no


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((10**9,), np.dtype("f8")),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: 10 bytes"
        ),
        OSError(12, "Cannot allocate memory"),
        ImportError("libx.so: failed to map segment: Cannot allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    "command", ["predict one.png", "eval reader", "config check tiny.yaml", "summary tiny.yaml"]
)
def test_memory_that_runs_out(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, command: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    for target in (
        "cnn_cli.checkpoint.file.read",
        "cnn_cli.reading.reader.open_reader",
        "cnn_cli.config.load.load_config",
    ):
        monkeypatch.setattr(target, fail)
    outcome = cnn(*command.split())
    assert outcome.code == ExitCode.FAILURE
    assert outcome.err.startswith("error: out of memory\nhint: ")


@pytest.mark.parametrize(
    "command", ["train --config lenet", "predict image.png", "eval reader data.root=x", "config list"]
)
def test_a_working_folder_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.setenv("CNN_DATA", str(tmp_path))
    monkeypatch.setenv("CNN_OFFLINE", "1")
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    outcome = cnn(*command.split(), "-q")
    os.chdir(tmp_path)
    assert outcome.code in (0, ExitCode.USAGE, ExitCode.DATA), outcome.err
    assert_clean(outcome)


@pytest.mark.skipif(os.name != "posix", reason="removes the folder of a process that runs")
def test_a_real_process_in_a_working_folder_that_was_removed(tmp_path: Path) -> None:
    """The library MKL, which this process has loaded already, would write an error of its own."""
    (tmp_path / "gone").mkdir()
    settings = "data.name=synthetic data.synthetic.train=100 data.synthetic.test=10 train.epochs=1"
    command = (
        f"rmdir ../gone; {sys.executable} -m cnn_cli train --config tiny {settings} --out {tmp_path}/run"
    )
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path / "gone",
        env=environment() | {"CNN_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.startswith("error: the working folder does not exist any more\nhint: ")
    assert not (tmp_path / "run").exists()


def _relative(name: str) -> Path:
    return Path("~/.cache") / name


def _refused(name: str) -> Path:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("user_cache_path", [_relative, _refused])
def test_a_user_without_a_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user_cache_path: Callable[[str], Path]
) -> None:
    """Versions of platformdirs differ in what they do then."""
    from cnn_cli import user_folders
    from cnn_cli.config.schema import Data
    from cnn_cli.data.own.cache import cache_folder
    from cnn_cli.data.source import data_root
    from cnn_cli.errors import ConfigError

    for name in ("CNN_DATA", "CNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(user_folders.platformdirs, "user_cache_path", user_cache_path)
    monkeypatch.setattr(user_folders.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = data_root(Data())
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert data_root(Data()) == folder
    assert cache_folder() == folder / "decoded"
    uid = folder.lstat().st_uid
    monkeypatch.setattr(user_folders.os, "getuid", lambda: uid + 1)  # the folder is ours: another's
    with pytest.raises(ConfigError, match="another user made it"):
        data_root(Data())
