"""Streams: stdout holds only data, stderr is for people, and a pipe gets nothing that is for terminals."""

import csv
import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from helpers.cli import SLOWER, cnn, cnn_process, digit, environment, screen, spawn
from helpers.forks import fork_cnn
from helpers.streams import assert_streams_hold, with_streams
from PIL import Image

from cnn_cli import console
from cnn_cli.cli.app import run
from cnn_cli.errors import ExitCode

TRAIN = ("train", "--config", "tiny.yaml")
EPOCH_LINE = re.compile(
    r"epoch +\d+/\d+  train loss \d\.\d{4}  validation loss \d\.\d{4}  accuracy \d+\.\d\d%"
    r"  lr \d\.\d\de[-+]\d\d  [\d,]+ images/s(  best)?"
)


def objects(text: str) -> list[dict]:
    """Return every line as a JSON object."""
    values = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(value, dict) for value in values)
    return values


# ---- JSON


def test_train_writes_an_object_for_each_epoch_and_one_for_the_result(workplace: Path) -> None:
    outcome = cnn(*TRAIN, "--json", "--out", "run")
    assert outcome.code == 0
    *epochs, result = objects(outcome.out)
    assert [(record["event"], record["epoch"]) for record in epochs] == [("epoch", 1), ("epoch", 2)]
    assert epochs == [
        {"event": "epoch", **json.loads(line), "data": "synthetic"}
        for line in Path("run/history.jsonl").read_text().splitlines()
    ]
    assert result["event"] == "result"
    assert (result["n"], result["split"]) == (100, "test")
    assert (result["data"], result["fallback"]) == ("synthetic", False)
    assert (result["run"], result["checkpoint"]) == ("run", "run/model.safetensors")
    test = json.loads(Path("run/metrics.json").read_text())["test"]
    assert (result["accuracy"], result["loss"]) == (test["accuracy"], test["loss"])


def test_eval_writes_one_object_that_agrees_with_the_run(workplace: Path, trained_run: Path) -> None:
    outcome = cnn("eval", trained_run, "--json")
    assert outcome.code == 0
    (figures,) = objects(outcome.out)
    test = json.loads((trained_run / "metrics.json").read_text())["test"]
    for name in ("accuracy", "n", "loss", "per_class", "confusion_matrix", "calibration_error"):
        assert figures[name] == test[name]
    assert sum(map(sum, figures["confusion_matrix"])) == figures["n"] == 100
    assert 0 <= figures["accuracy"] <= 1
    assert (figures["data"], figures["split"]) == ("synthetic", "test")
    assert figures["checkpoint"] == str(trained_run / "model.safetensors")


@pytest.mark.parametrize(("split", "count"), [("train", 250), ("validation", 50), ("test", 100)])
def test_eval_reads_the_split_that_it_is_told(trained_run: Path, split: str, count: int) -> None:
    (figures,) = objects(cnn("eval", trained_run, "--json", "--split", split).out)
    assert (figures["split"], figures["n"]) == (split, count)


def test_predict_writes_an_object_for_each_image(workplace: Path, trained_run: Path) -> None:
    digit(workplace / "two.bmp")
    outcome = cnn("predict", "--json", "one.png", "two.bmp", "-k", trained_run)
    assert outcome.code == 0
    first, second = objects(outcome.out)
    assert (first["path"], second["path"]) == ("one.png", "two.bmp")
    assert list(first["probabilities"]) == list("0123456789")
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert (
        first["confidence"] == first["probabilities"][first["label"]] == max(first["probabilities"].values())
    )
    assert first["probabilities"] == pytest.approx(second["probabilities"], rel=1e-6)
    assert first["checkpoint"] == str(trained_run / "model.safetensors")


def test_summary_writes_the_network(workplace: Path) -> None:
    (network,) = objects(cnn("summary", "tiny.yaml", "--json").out)
    assert [layer["parameters"] for layer in network["layers"]] == [0, 0, 49 * 10 + 10]
    assert (network["parameters"], network["multiply_adds"]) == (500, 490)


def test_config_list_writes_an_object_for_each_config(workplace: Path) -> None:
    (workplace / "configs").mkdir()
    (workplace / "configs" / "own.yaml").write_text("# Über own\nbase: lenet\n")
    entries = {entry["name"]: entry for entry in objects(cnn("config", "list", "--json").out)}
    assert {"lenet", "lenet-1998", "own"} <= set(entries)
    assert entries["own"] | {"path": ""} == {
        "name": "own",
        "title": "Über own",
        "origin": "./configs",
        "path": "",
    }


def test_data_check_writes_an_object_for_each_file(mnist_folder: Path) -> None:
    outcome = cnn("data", "check", "--json", f"data.root={mnist_folder}")
    assert outcome.code == 0
    assert [entry["state"] for entry in objects(outcome.out)] == 4 * ["ok"]


def test_the_schema_is_json() -> None:
    assert json.loads(cnn("config", "schema").out)["type"] == "object"


# ---- pipes


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "train --help",
        "config list",
        "config show tiny.yaml",
        "config check tiny.yaml nowhere.yaml",
        "summary tiny.yaml",
        "train --config tiny.yaml",
        "eval RUN",
        "predict one.png nowhere.png -k RUN",
        "read one.png nowhere.png",
        "version",
        "data check",
    ],
)
def test_a_pipe_gets_no_escape_code(workplace: Path, trained_run: Path, command: str) -> None:
    outcome = cnn(*(str(trained_run) if word == "RUN" else word for word in command.split()))
    assert outcome.out
    assert "\x1b" not in outcome.out + outcome.err
    assert "\r" not in outcome.out + outcome.err


def test_training_in_a_pipe_writes_one_line_an_epoch(workplace: Path) -> None:
    outcome = cnn_process(*TRAIN, "train.epochs=3")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert all(EPOCH_LINE.fullmatch(line) for line in lines[:3])
    assert [line.split("  ")[0] for line in lines[3:]] == ["test accuracy", "test loss", "data", "checkpoint"]
    assert "\x1b" not in outcome.out + outcome.err
    first, *next_steps = outcome.err.splitlines()
    assert first.startswith("training tiny on synthetic: 250 images, 50 for validation; cpu, float32, 1 ")
    assert next_steps[0] == "next: cnn eval checkpoints/tiny"


def test_a_closed_stdout_is_no_error(workplace: Path) -> None:
    """As in `cnn config show lenet | head -1`, but stdout is closed for certain."""
    reader, writer = os.pipe()
    os.close(reader)
    with spawn("config", "show", "lenet", stdout=writer) as process:
        os.close(writer)
        _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(
    ("out", "err"), [("full", "ok"), ("ok", "full"), ("ok", "closed"), ("closed", "closed")]
)
def test_streams_that_are_full_or_closed(workplace: Path, out: str, err: str) -> None:
    """All combinations are in tests/robustness/test_streams.py."""
    assert_streams_hold(with_streams(["config", "list", "--json"], out, err), out, err, ExitCode.OK)


@pytest.mark.parametrize("err", ["full", "unread"])
def test_a_message_that_cannot_be_written_changes_no_exit_code(workplace: Path, err: str) -> None:
    """It became 120: Python tries again to write what stderr still holds while it shuts down."""
    result = with_streams(["predict", "nowhere.png", "-k", "lenet"], "ok", err)
    assert result.returncode == ExitCode.DATA


def test_what_c_code_prints_does_not_reach_stdout(workplace: Path) -> None:
    code = (
        "import os; from cnn_cli.cli.streams import set_up; set_up(); os.write(1, b'noise\\n'); print('{}')"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    assert (result.stdout, result.stderr) == ("{}\n", "noise\n")


def test_warnings_of_libraries_are_lines_of_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure()
    warnings.warn("first\nsecond \x1b[31m", UserWarning, stacklevel=1)
    assert logging.lastResort is not None  # what a logger without handlers uses; pytest gives it one
    logging.lastResort.handle(logging.makeLogRecord({"msg": "third", "levelno": logging.WARNING}))
    assert capsys.readouterr().err == "warning: first second \\x1b[31m\nwarning: third\n"


def test_training_stops_and_says_so_when_stdout_is_closed(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed, redirect_stdout(closed):
        assert run([*TRAIN, "--out", "run"]) == ExitCode.FAILURE  # it was not trained to the end
    assert "cnn train --resume run" in capsys.readouterr().err
    assert Path("run/state.safetensors").is_file()


def test_the_accuracy_is_checked_although_stdout_is_closed(workplace: Path, trained_run: Path) -> None:
    """As in `cnn eval run --min-accuracy 1 | head -1` under `set -o pipefail`."""
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ("eval", str(trained_run), f"data.root={trained_run.parent}", "--min-accuracy", "1", "--json")
    with os.fdopen(writer, "w") as closed, redirect_stdout(closed):
        assert run(arguments) == ExitCode.BELOW_BAR


def test_undecodable_names_are_escaped(workplace: Path) -> None:
    """Linux allows any bytes in a name. In JSON the escape is JSON's own."""
    (workplace / "configs").mkdir()
    name = os.fsencode(workplace / "configs") + b"/\xff.yaml"
    try:
        Path(os.fsdecode(name)).write_text("# odd\n")
    except OSError:
        pytest.skip("this file system allows only names in UTF-8")
    (entry,) = (e for e in objects(cnn_process("config", "list", "--json").out) if e["title"] == "odd")
    assert entry["name"] == "\udcff"
    plain = cnn_process("config", "list")
    assert plain.code == 0
    assert "\\udcff" in plain.out


# ---- terminals


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """Return what a terminal of 100 columns receives from a command, stdout and stderr together."""
    ours, theirs = pty.openpty()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ({"TERM": "xterm", "COLUMNS": "100", "LINES": "40"} | variables).items():
            patch.setenv(name, value)
        process = fork_cnn(*arguments, terminal=theirs)
    os.close(theirs)
    text = b"".join(_received(ours)).decode()
    os.close(ours)
    process.outcome()
    return text


def _received(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux's end of a terminal's stream
            return
        if not data:
            return
        yield data


def test_training_on_a_terminal_has_a_bar_and_whole_lines(workplace: Path) -> None:
    text = on_a_terminal(*TRAIN, "train.epochs=2", *SLOWER[1:])
    assert "━" in text  # the bar
    assert "/63" in text  # its steps
    output = [line.rstrip() for line in screen(text)]
    epochs = [line for line in output if line.startswith("epoch")]
    assert len(epochs) == 2
    assert all(EPOCH_LINE.fullmatch(line) for line in epochs)
    assert not [line for line in output if "━" in line or "/63" in line]  # the bar has gone


def test_an_error_is_red_on_a_terminal_unless_no_color_is_set(workplace: Path) -> None:
    red = re.compile(r"\x1b\[[\d;]*31m")
    colored, plain = (on_a_terminal("config", "show", "x", **env) for env in ({}, {"NO_COLOR": "1"}))
    assert red.search(colored)
    assert not red.search(plain)
    assert screen(colored) == screen(plain)
    assert screen(plain)[0] == "error: there is no config 'x'"


# ---- quiet and verbose


@pytest.mark.parametrize("option", ["-q", "--quiet"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_quiet_leaves_only_errors_and_warnings(workplace: Path, option: str, place: str) -> None:
    arguments = (option, *TRAIN) if place == "before" else (*TRAIN, option)
    quiet, plain = cnn(*arguments, "--out", "a"), cnn(*TRAIN, "--out", "b")
    assert (quiet.code, quiet.err) == (0, "")
    assert len(quiet.out.splitlines()) == len(plain.out.splitlines())
    assert plain.err
    failed = cnn("train", option, "--config", "nowhere")
    assert failed.err.startswith("error: there is no config 'nowhere'")


def test_quiet_draws_no_bar(workplace: Path) -> None:
    text = on_a_terminal("-q", *TRAIN, "train.epochs=1", *SLOWER[1:])
    assert "━" not in text
    assert EPOCH_LINE.match(text)


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_verbose_writes_the_log(workplace: Path, option: str) -> None:
    for number in range(4):
        digit(_made(workplace / "images" / str(number % 2)) / f"{number}.png")
    settings = ("data", "get", "own", "data.root=images")
    plain, verbose = cnn(*settings), cnn(*settings, option)
    assert verbose.out == plain.out
    added = set(verbose.err.splitlines()) - set(plain.err.splitlines())
    assert added
    assert not [line for line in added if line.startswith(("warning: ", "error: "))]


def test_after_two_dashes_words_are_images(workplace: Path, trained_run: Path) -> None:
    digit(workplace / "a.png").rename(workplace / "-q")
    outcome = cnn("predict", "-k", trained_run, "--", "-q")
    assert outcome.code == 0
    assert outcome.out.startswith("-q: ")
    assert "using " in outcome.err


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# ---- stdin


def test_an_image_comes_through_stdin(workplace: Path, trained_run: Path) -> None:
    with (workplace / "one.png").open("rb") as image:
        outcome = cnn_process("predict", "--json", "-", "one.png", "-k", trained_run, stdin=image)
    assert outcome.code == 0, outcome.err
    piped, named = objects(outcome.out)
    assert (piped["path"], named["path"]) == ("-", "one.png")
    assert piped["probabilities"] == pytest.approx(named["probabilities"], rel=1e-6)


def test_the_pages_on_stdin_are_numbered(workplace: Path, trained_run: Path) -> None:
    image = Image.open(workplace / "one.png")
    image.save("two.tif", save_all=True, append_images=[image.rotate(90)])
    content = (workplace / "two.tif").read_bytes()
    outcome = cnn("predict", "--json", "-", "-k", trained_run, stdin=content)
    assert [answer["path"] for answer in objects(outcome.out)] == ["-#1", "-#2"]
    lines = cnn("read", "-", "-k", "line", stdin=content).out.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["-#1", "-#2"]


def test_names_are_escaped_in_text_and_kept_in_json_and_csv(workplace: Path, trained_run: Path) -> None:
    name = "a\x1b]0;title\x07\n\x1b[31m.png"
    digit(workplace / "b.png").rename(workplace / name)
    (workplace / "bad\x1b[31m.png").write_text("no image")
    for command in (["predict", "--explain"], ["read", "--explain", "--min-confidence", "1"]):
        outcome = cnn(*command, ".", "-k", trained_run if command[0] == "predict" else "line")
        assert r"a\x1b]0;title\x07\n\x1b[31m.png: " in outcome.out
        assert r"error: ./bad\x1b[31m.png: is not an image".replace("./", "") in outcome.err
        assert "\x1b" not in outcome.out + outcome.err
        assert len(outcome.out.splitlines()) == 2
    records = objects(cnn("predict", "--json", ".", "-k", trained_run).out)
    assert [record["path"] for record in records] == [name, "one.png"]
    rows = csv.reader(io.StringIO(cnn("predict", "--csv", ".", "-k", trained_run).out))
    assert [row[0] for row in rows] == ["path", name, "one.png"]


def test_a_closed_stdin_is_an_empty_image(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # what Python makes of `cnn predict - <&-`
    assert run(["predict", "-", "-k", str(trained_run)]) == ExitCode.DATA
    assert "error: -: is empty" in capsys.readouterr().err


# ---- several images


def test_a_bad_image_does_not_stop_the_others(workplace: Path, trained_run: Path) -> None:
    (workplace / "bad.png").write_text("no image")
    digit(workplace / "two.png")
    outcome = cnn("predict", "--json", "one.png", "bad.png", "two.png", "nowhere.png", "-k", trained_run)
    assert outcome.code == ExitCode.DATA
    assert [answer["path"] for answer in objects(outcome.out)] == ["one.png", "two.png"]
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert [error.split(":")[1] for error in errors] == [" bad.png", " nowhere.png"]


def test_folders_are_read_in_the_order_of_names(workplace: Path, trained_run: Path) -> None:
    for name in ("b.png", "a.PNG", "sub/c.jpg"):
        (workplace / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        digit(workplace / "folder" / name)
    (workplace / "folder" / "labels.csv").write_text("a,1\n")
    outcome = cnn("predict", "one.png", "folder", "-k", trained_run)
    assert outcome.code == 0
    names = [line.split(": ")[0] for line in outcome.out.splitlines()]
    assert names == ["one.png", "folder/a.PNG", "folder/b.png", "folder/sub/c.jpg"]


def test_more_images_than_fit_into_a_batch_keep_their_order(workplace: Path, trained_run: Path) -> None:
    outcome = cnn("predict", *(70 * ["one.png", "nowhere.png"]), "-k", trained_run)
    assert outcome.code == ExitCode.DATA
    assert len(set(outcome.out.splitlines())) == 1
    assert outcome.out.count("\n") == 70
    assert outcome.err.count("error: nowhere.png: no such file\n") == 70


def test_a_wide_table_loses_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """A table of 26 letters is wider than the default line."""
    letters = [f"{letter}/{letter.lower()}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    console.table("letters", ["", *letters], [[name, *(26 * ["1,000"])] for name in letters])
    lines = capsys.readouterr().out.splitlines()
    assert "…" not in "".join(lines)
    assert [line.split() for line in lines[-27:-1]] == [[name, *(26 * ["1,000"])] for name in letters]
