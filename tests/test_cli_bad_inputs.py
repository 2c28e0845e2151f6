"""Mistakes of users: one message that says what and where, the right exit code, no file written."""

import errno
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from helpers.cli import TINY, Outcome, cnn, digit
from PIL import Image
from safetensors.torch import load_file, save_file

from cnn_cli.checkpoint import tensorfile
from cnn_cli.errors import ExitCode

USAGE, DATA = ExitCode.USAGE, ExitCode.DATA

CONFIGS = {
    "empty.yaml": "",
    "list.yaml": "- conv\n",
    "typo.yaml": TINY + "train_: {epochs: 3}\n",
    "typo_below.yaml": TINY.replace("epochs:", "epoch:"),
    "wrong_type.yaml": TINY.replace("epochs: 2", "epochs: many"),
    "twice.yaml": TINY + "model: {layers: [flatten]}\n",
    "bomb.yaml": "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"{c}: &{c} [{', '.join(9 * [f'*{b}'])}]\n" for b, c in pairwise("abcdefghi")),
    "huge.yaml": "# padding\n" * 1_000_000,
    "no_model.yaml": "train: {epochs: 1}\n",
    "no_layers.yaml": "model: {layers: []}\n",
    "misfit.yaml": "model:\n  layers:\n    - pool: 16\n    - conv: {out: 6, kernel: 5}\n",
    "nine.yaml": TINY.replace("linear: 10", "linear: 9"),
    "unknown_layer.yaml": TINY.replace("flatten", "flaten"),
    "unknown_base.yaml": "base: lenett\n",
    "circle.yaml": "base: circle2.yaml\n",
    "circle2.yaml": "base: circle.yaml\n",
}
"""File name to text."""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory, trained_run: Path) -> Path:
    """Return a folder of bad files of all kinds, beside tiny.yaml, one.png and a good run."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "tiny.yaml").write_text(TINY)
    digit(folder / "one.png")
    (folder / "run").symlink_to(trained_run)
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    (folder / "latin1.yaml").write_bytes("# café\n".encode("latin-1"))
    _bad_images(folder)
    _bad_checkpoints(folder, trained_run)
    _bad_data(folder)
    for name in ("a folder", "a folder.png"):
        (folder / name).mkdir()
    return folder


def _bad_images(folder: Path) -> None:
    (folder / "zero.png").touch()
    (folder / "page.png").write_text("<!DOCTYPE html><html><body>404</body></html>")
    for name in ("cut.png", "cut.jpg"):
        whole = digit(folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    (folder / "bomb.png").write_bytes(_png(20_000, 10_000))
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "text.png").write_text("this is no image")
    for name, size, value in (("white.png", 64, 255), ("black.png", 64, 0), ("pixel.png", 1, 0)):
        Image.new("L", (size, size), value).save(folder / name)


def _png(width: int, height: int) -> bytes:
    """Return a PNG that claims this size and has one byte of pixels; the size is checked before decoding."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")))
    )


def _bad_checkpoints(folder: Path, run: Path) -> None:
    good = (run / "model.safetensors").read_bytes()
    (folder / "zero.safetensors").touch()
    (folder / "cut.safetensors").write_bytes(good[: len(good) // 2])
    (folder / "junk.safetensors").write_bytes(b"\xff" * 100)
    torch.save({"weight": torch.zeros(3)}, folder / "pickle.safetensors")
    save_file({"weight": torch.zeros(3)}, folder / "foreign.safetensors")
    _edited(run, folder / "format.safetensors", lambda header, tensors: header.update(format=99))
    _edited(run, folder / "headless.safetensors", lambda header, tensors: header.pop("config"))
    _edited(
        run,
        folder / "shapes.safetensors",
        lambda header, tensors: tensors.update({"linear1.weight": torch.zeros(10, 48)}),
    )
    _edited(run, folder / "names.safetensors", lambda header, tensors: tensors.pop("linear1.bias"))
    for name, state in (("stateless", None), ("damaged", good[:500]), ("mistaken", good)):
        (folder / name).mkdir()
        if state is not None:
            (folder / name / "state.safetensors").write_bytes(state)


def _edited(run: Path, target: Path, edit: Callable[[dict, dict], object]) -> None:
    """Write a checkpoint like the run's after `edit` has changed its header or its tensors."""
    source = run / "model.safetensors"
    tensors = load_file(source)
    data = source.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["cnn"])
    edit(header, tensors)
    del header[tensorfile.DIGEST]
    tensorfile.write(target, {name: tensor.numpy() for name, tensor in tensors.items()}, header)


def _bad_data(folder: Path) -> None:
    (folder / "no mnist").mkdir()
    (folder / "broken mnist").mkdir()
    (folder / "broken mnist" / "t10k-labels-idx1-ubyte").write_bytes(b"\0" * 10_008)


# Each: an identifier, the arguments, the exit code, and parts of the message.
Case = tuple[str, list[str], ExitCode, list[str]]


def _train(*arguments: str, config: str = "tiny.yaml") -> list[str]:
    return ["train", "--config", config, *arguments]


FEW = ("data.name=synthetic", "data.synthetic.train=20")
NO_DOWNLOAD = ("data.name=mnist", "data.download=false")

COMMAND_LINES: list[Case] = [
    ("unknown command", ["tarin"], USAGE, ["tarin"]),
    ("no image", ["predict"], USAGE, ["IMAGE"]),
    ("many", ["predict", "--many", "one.png"], USAGE, ["--many", "hint: ", "cnn read IMAGE..."]),
    ("two data sets", ["data", "get", "mnist", "usps"], USAGE, ["one data set at a time"]),
    ("unknown data set", ["data", "get", "kmnits"], USAGE, ["'kmnits'", "kmnist"]),
    ("unknown layer", ["layers", "convv"], USAGE, ["there is no layer 'convv' (did you mean 'conv'?)"]),
    ("config without option", ["train", "my.yaml"], USAGE, ["hint: cnn train --config my.yaml"]),
    ("no config", ["train"], USAGE, ["needs a config", "hint: cnn train --config lenet.yaml"]),
    *(
        (f"{option} {value}", [*command, option, value], USAGE, [option, f"{wrong}, not '{value}'"])
        for command, option, value, wrong in (
            (("predict", "one.png"), "--min-confidence", "90", "must be at most 1"),
            (("read", "one.png"), "--min-confidence", "x", "must be a number"),
            (("eval", "run"), "--min-accuracy", "nan", "must be at most 1"),
            (("data", "show", "mnist"), "--count", "0", "must be at least 1"),
            (("data", "show", "mnist"), "--count", "1.5", "must be a whole number"),
        )
    ),
    ("unknown option", _train("--nonsense"), USAGE, ["--nonsense", "hint: see: cnn train --help"]),
    ("setting as an option", _train("--epochs", "3"), USAGE, ["--epochs", "hint: ", "train.epochs=..."]),
    ("setting as --x=y", _train("--batch-size=3"), USAGE, ["hint: ", "train.batch_size=..."]),
    ("option without value", ["train", "--config"], USAGE, ["--config"]),
    ("accuracy of 2", ["eval", "run", "--min-accuracy", "2"], USAGE, ["--min-accuracy"]),
    ("accuracy in words", ["eval", "run", "--min-accuracy", "good"], USAGE, ["--min-accuracy"]),
    ("unknown split", ["eval", "run", "--split", "rest"], USAGE, ["--split", "rest"]),
    ("a second that is not one", ["eval", "run", "one.png"], DATA, ["one.png: is not a checkpoint"]),
    ("no copies", ["eval", "run", "--tta", "0"], USAGE, ["--tta"]),
    ("no seeds", ["bench", "--config", "tiny.yaml", "--seeds", "0"], USAGE, ["--seeds"]),
    ("bench without config", ["bench"], USAGE, ["--config"]),
    ("results that are not JSON", ["bench", "--config", "tiny.yaml", "--out", "a.txt"], USAGE, ["a.json"]),
    ("eval retrains", ["eval", "run", "train.epochs=3"], USAGE, ["train.epochs=3", "hint: "]),
    ("copy over a file", ["config", "copy", "lenet", "tiny.yaml"], USAGE, ["tiny.yaml exists already"]),
    ("no images", ["data", "show", "--count", "0"], USAGE, ["--count"]),
    ("out is a file", _train("--out", "one.png"), USAGE, ["one.png: is a file", "--out"]),
    ("out below a file", _train("--out", "one.png/run"), USAGE, ["one.png/run", "--out"]),
    ("resume with config", _train("--resume", "run"), USAGE, ["--resume", "takes no --config"]),
    (
        "resume with a start",
        ["train", "--resume", "run", "--start", "reader"],
        USAGE,
        ["--resume", "--start"],
    ),
    ("resume with another seed", ["train", "--resume", "run", "seed=3"], USAGE, ["cannot change seed"]),
    ("resume for fewer", ["train", "--resume", "run", "train.epochs=1"], USAGE, ["not shorter"]),
    ("resume for as many", ["train", "--resume", "run", "train.epochs=2"], USAGE, ["add none", "epochs=3"]),
    ("resume of nothing", ["train", "--resume", "nowhere"], DATA, ["nowhere: there is no such run"]),
    ("resume of a file", ["train", "--resume", "one.png"], DATA, ["one.png", "no such run"]),
    ("resume without state", ["train", "--resume", "stateless"], DATA, ["stateless: has no state"]),
    ("resume of damage", ["train", "--resume", "damaged"], DATA, ["damaged/state.safetensors"]),
    ("resume of a checkpoint", ["train", "--resume", "mistaken"], DATA, ["checkpoint, not a training state"]),
]

BAD_CONFIGS: list[Case] = [
    ("missing", _train(config="nowhere.yaml"), USAGE, ["there is no config 'nowhere.yaml'"]),
    ("misspelled", _train(config="lenett"), USAGE, ["there is no config 'lenett' (did you mean 'lenet'"]),
    ("folder", _train(config="a folder"), USAGE, ["'a folder' is a folder"]),
    ("empty", _train(config="empty.yaml"), USAGE, ["empty.yaml:1:1: there is nothing"]),
    ("not UTF-8", _train(config="latin1.yaml"), USAGE, ["latin1.yaml:1:6", "not UTF-8"]),
    ("image", _train(config="one.png"), USAGE, ["one.png:1:1"]),
    ("list", _train(config="list.yaml"), USAGE, ["list.yaml:1:1", "a list"]),
    ("unknown section", _train(config="typo.yaml"), USAGE, [":9:1: unknown key 'train_' (did you mean"]),
    (
        "unknown key",
        _train(config="typo_below.yaml"),
        USAGE,
        [":7:9 train: unknown key 'epoch'", "did you mean 'epochs'?"],
    ),
    ("wrong type", _train(config="wrong_type.yaml"), USAGE, [":7:17 train.epochs: must be a whole number"]),
    ("duplicate key", _train(config="twice.yaml"), USAGE, ["twice.yaml:9:1: there is a key 'model' already"]),
    ("alias bomb", _train(config="bomb.yaml"), USAGE, ["bomb.yaml:", "aliases repeat this"]),
    ("10 MB", _train(config="huge.yaml"), USAGE, ["huge.yaml: longer than 256 KiB"]),
    ("no model", _train(config="no_model.yaml"), USAGE, ["no_model.yaml:1:1 model: is missing"]),
    ("no layers", _train(config="no_layers.yaml"), USAGE, [":1:9 model.layers: must be a list of"]),
    ("layer does not fit", _train(config="misfit.yaml"), USAGE, [":4:7 model.layers[1].conv: ", "1x1x1"]),
    ("nine outputs", _train(config="nine.yaml"), USAGE, [":6:41 model.layers[2].linear: ", "10 classes"]),
    ("unknown layer", _train(config="unknown_layer.yaml"), USAGE, [":6:23", "'flatten'?"]),
    ("unknown base", _train(config="unknown_base.yaml"), USAGE, [":1:7 base: there is no config"]),
    ("circle", _train(config="circle.yaml"), USAGE, ["circle2.yaml:1:7 base: ", "in a circle"]),
    ("show of nothing", ["config", "show", "nowhere"], USAGE, ["there is no config 'nowhere'"]),
    ("summary of a misfit", ["summary", "misfit.yaml"], USAGE, ["misfit.yaml:4:7 model.layers[1].conv: "]),
    ("check of a misfit", ["config", "check", "misfit.yaml"], USAGE, [":4:7 model.layers[1].conv: "]),
]

BAD_OVERRIDES: list[Case] = [
    ("no equals sign", _train("epochs"), USAGE, ["'epochs'", "key=value"]),
    ("unknown key", _train("train.epoch=3"), USAGE, ["'train.epoch=3'", "did you mean 'epochs'?"]),
    ("bad value", _train("train.epochs=many"), USAGE, ["'train.epochs=many'", "must be a whole number"]),
    ("out of range", _train("train.lr=-1"), USAGE, ["'train.lr=-1'", "greater than 0"]),
    ("index out of range", _train("model.layers[9].linear=10"), USAGE, ["model.layers has 3 items, 0 to 2"]),
    ("unknown device", _train("train.device=tpu"), USAGE, ["'train.device=tpu'", "'tpu'"]),
    ("no such GPU", _train("train.device=cuda:99"), USAGE, ["there is no cuda:99", "train.device=cpu"]),
    ("momentum of adam", _train("train.momentum=0.5"), USAGE, ["momentum", "sgd"]),
    ("layer does not fit", _train("model.layers[0].pool=99"), USAGE, ["model.layers[0].pool=99"]),
    ("validation takes all", _train("data.validation=300"), DATA, ["validation set of 300"]),
    ("data of a folder", ["data", "check", "root=x"], USAGE, ["'root=x'"]),
]

BAD_IMAGES: list[Case] = [
    ("missing", ["nowhere.png"], DATA, ["nowhere.png: no such file"]),
    ("0 bytes", ["zero.png"], DATA, ["zero.png: is empty"]),
    ("web page", ["page.png"], DATA, ["page.png: is a web page"]),
    ("truncated PNG", ["cut.png"], DATA, ["cut.png: is damaged or cut short"]),
    ("truncated JPEG", ["cut.jpg"], DATA, ["cut.jpg: is damaged or cut short"]),
    ("200 megapixels", ["bomb.png"], DATA, ["bomb.png: is too large"]),
    ("folder without images", ["a folder"], DATA, ["a folder: a folder without images"]),
    ("loop of links", ["loop.png"], DATA, ["loop.png: cannot be read"]),
    ("long name", [300 * "x" + ".png"], DATA, ["too long"]),
    ("text", ["text.png"], DATA, ["text.png: is not an image"]),
    ("white", ["white.png"], DATA, ["white.png: no ink found"]),
    ("black", ["black.png"], DATA, ["black.png: no ink found"]),
    ("one pixel", ["pixel.png"], DATA, ["pixel.png: no ink found"]),
    ("empty stdin", ["-"], DATA, ["-: is empty"]),
]

BAD_CHECKPOINTS: list[Case] = [
    ("missing", ["nowhere.safetensors"], DATA, ["nowhere.safetensors: no such file"]),
    ("empty", ["zero.safetensors"], DATA, ["zero.safetensors: is empty"]),
    ("truncated", ["cut.safetensors"], DATA, ["cut.safetensors: ", "damaged"]),
    ("junk", ["junk.safetensors"], DATA, ["junk.safetensors: ", "damaged"]),
    ("pickle", ["pickle.safetensors"], DATA, ["pickle.safetensors: is a pickle", "not read"]),
    ("of another program", ["foreign.safetensors"], DATA, ["not one that cnn wrote"]),
    ("other format", ["format.safetensors"], DATA, ["has format 99"]),
    ("header incomplete", ["headless.safetensors"], DATA, ["headless.safetensors: ", "config"]),
    ("wrong shapes", ["shapes.safetensors"], DATA, ["linear1.weight"]),
    ("weights missing", ["names.safetensors"], DATA, ["linear1.bias"]),
    ("training state", ["run/state.safetensors"], DATA, ["is a training state, not a checkpoint"]),
    ("folder without checkpoint", ["a folder"], DATA, ["a folder: has no model.safetensors"]),
    ("image", ["one.png"], DATA, ["one.png: "]),
    ("below a file", ["one.png/x"], DATA, ["one.png/x"]),
    ("long name", [300 * "x"], DATA, ["xxx: no such file"]),
]

BAD_DATA: list[Case] = [
    ("no MNIST", _train(*NO_DOWNLOAD, "data.root=no mnist"), DATA, ["MNIST is not in no mnist", "hint: "]),
    ("eval without MNIST", ["eval", "run", *NO_DOWNLOAD, "data.root=no mnist"], DATA, ["is not in no mnist"]),
    ("root is a file", _train(*NO_DOWNLOAD, "data.root=one.png"), DATA, ["one.png"]),
    ("data get", ["data", "get", "data.download=false", "data.root=no mnist"], DATA, ["is not in no mnist"]),
    ("sheet below a file", ["data", "show", *FEW, "--out", "one.png/a.png"], DATA, ["one.png/a.png"]),
]

CASES = [
    *COMMAND_LINES,
    *BAD_CONFIGS,
    *BAD_OVERRIDES,
    *[(name, ["predict", "--json", "-k", "run", *rest], *end) for name, rest, *end in BAD_IMAGES],
    *[(name, ["predict", "one.png", "-k", *rest], *end) for name, rest, *end in BAD_CHECKPOINTS],
    *[(name, ["eval", *rest], *end) for name, rest, *end in BAD_CHECKPOINTS],
    *BAD_DATA,
]


@pytest.mark.parametrize(
    ("arguments", "code", "pieces"),
    [pytest.param(*rest, id=f"{rest[0][0]}-{name}".replace(" ", "_")) for name, *rest in CASES],
)
def test_bad_input(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: ExitCode, pieces: list[str]
) -> None:
    monkeypatch.chdir(zoo)
    monkeypatch.setenv("CNN_DATA", str(zoo / "run" / ".."))
    monkeypatch.delenv("CNN_CHECKPOINT", raising=False)
    before = files_of(zoo)
    outcome = cnn(*arguments)
    assert outcome.code == code, outcome.err
    assert_one_error(outcome)
    for piece in pieces:
        assert piece in outcome.err
    assert files_of(zoo) == before


def files_of(folder: Path) -> list[Path]:
    """Return what is in the folder. The lock of a run's folder stays there when it is released."""
    return sorted(path for path in folder.rglob("*") if path.name != ".lock")


@pytest.mark.parametrize("path", ["one.png/a.png", "a folder.png"])
def test_the_figures_are_shown_before_a_plot_that_cannot_be_written(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(zoo)
    outcome = cnn("eval", "run", "--plot", path, f"data.root={zoo}", "data.name=synthetic")
    assert outcome.code == DATA
    assert outcome.out.startswith("accuracy ")
    assert f"{path}: cannot be" in outcome.err


def assert_one_error(outcome: Outcome) -> None:
    """Assert one line `error: ...`, at most one `hint: ...` below it, and no data on stdout."""
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert "bug in cnn" not in outcome.err
    words = [line.split(":")[0] for line in outcome.err.splitlines()]
    assert words.count("error") == 1, outcome.err
    assert words.count("hint") <= 1
    assert words[-1] == ("hint" if "hint" in words else "error")


def test_all_problems_are_reported_at_once(workplace: Path) -> None:
    text = TINY.replace("epochs: 2", "epochs: many").replace("flatten", "flaten")
    (workplace / "my.yaml").write_text(text)
    outcome = cnn("config", "check", "my.yaml", "tiny.yaml")
    assert outcome.code == USAGE
    assert outcome.out == "tiny.yaml: ok\n"
    first, second = outcome.err.splitlines()
    assert first.startswith("error: my.yaml:6:23 model.layers[1]: unknown key 'flaten'")
    assert second.startswith("error: my.yaml:7:17 train.epochs: ")


def test_the_environments_checkpoint_must_exist(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_CHECKPOINT", "nowhere.safetensors")
    outcome = cnn("predict", "one.png")
    assert outcome.code == DATA
    assert_one_error(outcome)
    assert "nowhere.safetensors" in outcome.err


def test_damaged_mnist_is_named_and_not_used(zoo: Path, workplace: Path) -> None:
    root = zoo / "broken mnist"
    named = ("data.name=mnist", f"data.root={root}")
    outcome = cnn("train", "--config", "tiny.yaml", *NO_DOWNLOAD, *named)
    assert outcome.code == DATA
    assert outcome.err.startswith(f"warning: {root}/t10k-labels-idx1-ubyte is damaged and not used: ")
    assert "error: MNIST is not in " in outcome.err


def test_data_check_reports_the_state_of_every_file(zoo: Path) -> None:
    outcome = cnn("data", "check", "--json", "mnist", f"data.root={zoo / 'broken mnist'}")
    assert outcome.code == DATA
    states = [json.loads(line)["state"] for line in outcome.out.splitlines()]
    assert sorted(states) == ["damaged", "missing", "missing", "missing"]
    assert "mnist is not complete" in outcome.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu(workplace: Path) -> None:
    outcome = cnn("train", "--config", "tiny.yaml", "train.device=cuda")
    assert outcome.code == USAGE
    assert_one_error(outcome)
    assert "there is no cuda here" in outcome.err


@pytest.fixture
def forbidden(workplace: Path) -> Iterator[Path]:
    """Return a folder that may be read but not written, with an image that may not be read."""
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("permissions do not bind this user")
    folder = workplace / "forbidden"
    folder.mkdir()
    digit(folder / "secret.png").chmod(0)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_may_not_be_written(forbidden: Path) -> None:
    outcome = cnn("train", "--config", "tiny.yaml", "--out", forbidden / "run")
    assert outcome.code == USAGE
    assert_one_error(outcome)
    assert "Permission denied" in outcome.err


def test_an_image_that_may_not_be_read(forbidden: Path, trained_run: Path) -> None:
    outcome = cnn("predict", forbidden / "secret.png", "-k", trained_run)
    assert outcome.code == DATA
    assert "secret.png: may not be read" in outcome.err


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 7])
def test_a_full_disk_stops_the_run_and_leaves_only_whole_files(
    workplace: Path, trained_run: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The disk fills up after that many syncs; with free space again the run continues to the same bytes."""
    arguments = ("train", "--config", "tiny.yaml", f"data.root={trained_run.parent}")
    with monkeypatch.context() as patch:
        patch.setattr("cnn_cli.files.os.fsync", _fills_up(after))
        outcome = cnn(*arguments, "--out", "run")
    assert outcome.code == ExitCode.FAILURE
    assert "Traceback" not in outcome.err
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: run/")
    assert errors[0].endswith(": No space left on device")
    assert not list(workplace.rglob("*.tmp"))
    if (workplace / "run" / "state.safetensors").exists():
        assert cnn("train", "--resume", "run").code == 0
        weights = [(run / "model.safetensors").read_bytes() for run in (workplace / "run", trained_run)]
        assert weights[0] == weights[1]


def _fills_up(after: int) -> Callable[[int], None]:
    """Return an fsync that fails after `after` calls."""
    calls = iter(range(after))

    def fsync(_: int) -> None:
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fsync


def test_a_full_disk_leaves_the_earlier_file(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "sheet.png").write_text("earlier")
    monkeypatch.setattr("cnn_cli.files.os.fsync", _fills_up(0))
    outcome = cnn("data", "show", *FEW, "--out", "sheet.png")
    assert outcome.code == DATA
    assert "sheet.png: cannot be written: No space left on device" in outcome.err
    assert (workplace / "sheet.png").read_text() == "earlier"


def test_a_command_that_needs_torch_says_so_where_it_is_not_installed(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --no-deps` with what reading needs is a supported installation."""

    def build(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("cnn_cli.training.start.build_network_of", build)
    outcome = cnn("train", "--config", "lenet")
    assert outcome.code == 1
    assert outcome.err.startswith("error: this command needs torch, which is not installed\nhint: ")
