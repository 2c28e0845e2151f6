"""Ctrl-C and SIGTERM at any moment of any command."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.cli import digit, spawn
from helpers.mirror import Handler, serve

from robustness.fuzz import generator
from robustness.runs import leftovers, write_config
from robustness.server import Server
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(1800)]

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}

START = 0.05
"""Seconds in which a process that was forked may still be before its first statement, on a busy machine."""

SLOW_TEST = """
import time
import cnn_cli.training.evaluation as evaluation
real = evaluation.network_input
def slow(*arguments):
    time.sleep(0.2)
    return real(*arguments)
evaluation.network_input = slow
"""
"""Python that makes each batch of an evaluation take longer, as a large network does."""

SLOW_SAVE = """
import os, time
real = os.fsync
def slow(descriptor):
    time.sleep(0.02)
    return real(descriptor)
os.fsync = slow
"""
"""Python that makes each write take longer, as a busy disk does."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, a run in `run`, and images in `images`."""
    folder = tmp_path_factory.mktemp("place")
    server.run(*write_config(folder), "--out", folder / "run").check(0)
    (folder / "images").mkdir()
    for number in range(60):
        digit(folder / "images" / f"{number}.png")
    return folder


def _dripping(handler: Handler, content: bytes) -> None:
    """Answer slowly, and with a file that is none of MNIST's."""
    handler.head(Content_Length=1_000_000)
    for _ in range(100):
        handler.wfile.write(bytes(10_000))
        time.sleep(0.02)


def _commands(place: Path, mirror: str) -> dict[str, tuple[str, Callable[[], tuple[object, ...]]]]:
    """Return Python that runs first, and the arguments, of each command by its name."""
    train = write_config(place)
    fresh = iter(range(10**9))

    def out() -> tuple[str, str]:
        return "--out", str(place / f"run-{next(fresh)}")

    mirrors = ("data.name=mnist", f'data.mirrors=["{mirror}"]', "data.fallback=none")
    digits = (f"data.root={place / 'data'}",)
    return {
        "training": ("", lambda: (*train, "train.epochs=40", *out())),
        "saving": (SLOW_SAVE, lambda: (*train, "train.epochs=3", *out())),
        "test": (SLOW_TEST, lambda: (*train, "train.epochs=0", *out())),
        "plot": ("", lambda: (*train, "train.epochs=1", "output.plot=true", *out())),
        "drawing digits": (
            "",
            lambda: (*train, f"data.root={place}/{next(fresh)}", "data.synthetic.train=3000", *out()),
        ),
        "download": ("", lambda: (*train, f"data.root={place}/{next(fresh)}", *mirrors, *out())),
        "data get": ("", lambda: ("data", "get", f"data.root={place}/{next(fresh)}", *mirrors[:2])),
        "data show": (
            "",
            lambda: ("data", "show", "data.name=synthetic", *digits),
        ),
        "eval": (SLOW_TEST, lambda: ("eval", place / "run", "--plot", place / "plot.png")),
        "predict": ("", lambda: ("predict", place / "images", "-k", place / "run")),
        "read": ("", lambda: ("read", place / "images", "-k", "line")),
        "bench": (
            "",
            lambda: (
                *("bench", "--config", place / "small.yaml", "--seeds", "3", *digits),
                *("--out", place / f"bench-{next(fresh)}.json"),
            ),
        ),
    }


def test_a_signal_ends_a_command_with_its_code(
    trials: Trials, server: Server, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGINT ends any command with 130, SIGTERM with 143, at any moment, in time, without a traceback."""
    monkeypatch.chdir(place)
    draws = generator("signals")
    with serve(place, _dripping) as mirror:
        (place / "train-images-idx3-ubyte.gz").touch()
        for name, (before, arguments) in _commands(place, mirror.url).items():
            whole = server.run(*arguments(), before=before)
            length = whole.seconds
            for number in range(scaled(20)):
                kind = list(SIGNALS)[number % 2]
                moment = draws.uniform(0.005, min(length, 4))
                with trials.trial(f"{name}: {kind.name} after {moment:.3f} s of {length:.1f}"):
                    _one(server, arguments(), before, kind, moment, whole.code)
    assert not leftovers(place)


def _one(
    server: Server,
    arguments: tuple[object, ...],
    before: str,
    kind: signal.Signals,
    moment: float,
    natural: int,
) -> None:
    """Send a signal to a command, which ends with its code, or has ended before with its natural one.

    In its first moments the system ends it; for a shell that is the same code.
    """
    child = server.start(*arguments, before=before)
    time.sleep(moment)
    child.send(kind)
    sent = time.monotonic()
    ended = child.wait()
    ended.check(natural, SIGNALS[kind], *([-kind] if moment < START else []))
    assert time.monotonic() - sent < 10, "took too long"
    if ended.code == natural:  # it had ended before the signal came
        assert "stopping" not in ended.err, ended.err


def test_a_signal_ends_the_start_of_the_program(trials: Trials, place: Path) -> None:
    """A signal in the first moments of a real process ends it, with its code or as the system does it."""
    draws = generator("signals at the start")
    for number in range(scaled(60)):
        kind = list(SIGNALS)[number % 2]
        moment = draws.uniform(0.0, 0.3)
        with trials.trial(f"{kind.name} after {moment:.3f} s"), spawn("config", "list") as process:
            time.sleep(moment)
            process.send_signal(kind)
            _, err = process.communicate(timeout=20)
            if err.endswith("KeyboardInterrupt\n") and ", in main\n" not in err:
                continue  # Python was still starting or importing the package, and had run nothing of it
            assert process.returncode in (0, SIGNALS[kind], -kind), f"{process.returncode}: {err[-300:]}"
            assert "Traceback" not in err, err[-300:]


def test_a_stopped_test_is_done_alone(trials: Trials, server: Server, place: Path) -> None:
    """A run that was stopped in its test says so, and `--resume` does the test alone."""
    train = write_config(place)
    server.run(*train, "--out", place / "reference").check(0)
    for number, (kind, code) in enumerate(SIGNALS.items()):
        run = place / f"tested-{number}"
        with trials.trial(kind.name):
            child = server.start(*train, "--out", run, before=SLOW_TEST.replace("0.2", "2.0"))
            history = run / "history.jsonl"
            while not history.exists() or history.read_text().count("\n") < 2:
                time.sleep(0.01)
            time.sleep(0.5)
            child.send(kind)
            ended = child.wait()
            ended.check(code)
            assert "stopped before the end of the test; the training is complete" in ended.err
            resumed = server.run("train", "--resume", run)
            resumed.check(0)
            assert "epoch" not in resumed.out, "an epoch is trained again"
            assert (run / "model.safetensors").read_bytes() == (
                place / "reference" / "model.safetensors"
            ).read_bytes()


def test_the_second_signal_exits_at_once(trials: Trials, server: Server, place: Path) -> None:
    """A second Ctrl-C ends a training at once, also while it saves, and its checkpoint stays whole."""
    train = write_config(place)
    draws = generator("second signals")
    for number in range(scaled(20)):
        run = place / f"twice-{number}"
        with trials.trial(f"run {number}"):
            child = server.start(*train, "train.epochs=100", "--out", run, before=SLOW_SAVE)
            while not (run / "state.safetensors").exists():
                time.sleep(0.01)
            child.send(signal.SIGINT)
            time.sleep(draws.choice((0, 0.001, 0.01, 0.05)))
            os.kill(child.pid, signal.SIGINT)
            child.wait().check(130)
            server.run("train", "--resume", run).check(0) if number % 10 == 0 else None
