"""Any command line: a documented exit code, messages of bounded length, no input changed, no hang."""

import random
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest
from helpers.cli import TINY, cnn, digit

from cnn_cli.errors import ExitCode
from robustness import fuzz
from robustness.fuzz import LONGEST, NASTY, alarm, generator
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(3600)]

COMMANDS = (
    *(
        "predict one.png -k run",
        "read one.png -k run",
        "predict scans --json -k run",
        "read scans/*.png --csv -k run",
    ),
    *(
        "predict --files-from list.txt -k run --explain",
        "predict - -k run",
        "read one.png -k run --annotate out.png",
    ),
    *(
        "predict one.png -k run --contact-sheet out.png",
        "predict one.png -k run --show-input out.png --strict",
    ),
    *(
        "eval run data.root=. --json",
        "eval run --split validation --min-accuracy 0.5",
        "compare run run --json",
    ),
    *(
        "export run --to out.h",
        "look one.png -k run --out out.html",
        "summary tiny.yaml",
        "summary -k run --json",
    ),
    *(
        "config list --json",
        "config show tiny.yaml",
        "config check tiny.yaml",
        "config copy tiny.yaml out.yaml",
    ),
    *("config schema", "layers", "layers conv", "data check synthetic", "data show synthetic --out out.png"),
    *(
        "train --config tiny.yaml train.epochs=0 --out out",
        "train --resume run",
        "version --json",
        "--help",
        "-q",
    ),
)

WORDS = (
    *(
        "--json",
        "--csv",
        "--strict",
        "--explain",
        "--out",
        "--to",
        "-k",
        "--checkpoint",
        "--min-confidence",
        "-c",
    ),
    *(
        "--config",
        "--plot",
        "--report",
        "--annotate",
        "--contact-sheet",
        "--show-input",
        "--files-from",
        "--split",
    ),
    *(
        "--overwrite",
        "--resume",
        "--int8",
        "--count",
        "--tta",
        "--debug",
        "--",
        "-",
        "-q",
        "-h",
        "--nothing",
        "=",
        "a=b",
    ),
    *(
        "one.png",
        "tiny.yaml",
        "run",
        "run/model.safetensors",
        "scans",
        "list.txt",
        "nowhere",
        ".",
        "*.png",
        "**",
    ),
    *(
        "/dev/null",
        "/dev/full",
        "x" * 5000,
        "one.png#2",
        "a\nb",
        "\x1b[31m",
        "\udcff",
        "~nosuchuser/x",
        "2",
        "-1",
    ),
    *(
        "train.lr=0",
        "train.threads=9",
        "data.root=~nosuchuser/x",
        "data.name=own",
        "seed=18446744073709551616",
    ),
)

BUG = re.compile(r"Traceback|this is a bug in cnn")


def command_line(rng: random.Random) -> list[str]:
    """Return a good command line with one to three words changed, added or left out."""
    words = rng.choice(COMMANDS).split()
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(words) + 1)
        word = rng.choice(WORDS) if rng.random() < 0.9 else str(rng.choice(NASTY)).replace("\0", "")
        words[place : place + rng.choice((0, 0, 1))] = [word]
    return ["" if word == "--debug" else word for word in words]  # it asks for tracebacks


def make_files(folder: Path, run: Path) -> None:
    """Make the files that the command lines name."""
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "run").symlink_to(run)
    (folder / "list.txt").write_text("one.png\nscans/a.png\n")
    (folder / "scans").mkdir()
    for name in ("one.png", "scans/a.png", "scans/b.png"):
        digit(folder / name)


def inputs(folder: Path) -> dict[str, bytes]:
    """Return the content of what the commands read and must never change."""
    files = ("tiny.yaml", "list.txt", "one.png", "scans/a.png", "run/model.safetensors", "run/config.yaml")
    return {name: (folder / name).read_bytes() for name in files}


def test_arguments(
    trials: Trials, workplace: Path, trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any command line ends with a documented exit code and short messages, and changes no input."""
    monkeypatch.setenv("CNN_OFFLINE", "1")
    make_files(workplace, trained_run)
    # The first command that draws 70,000 digits takes longer than a trial may; the others find them.
    assert cnn("data", "check", "synthetic").code == 0
    rng, before = generator("arguments"), inputs(workplace)
    for number in range(scaled(1_000)):
        words = command_line(rng)
        with trials.trial(f"{number}, {words!r}"[:300]), alarm():
            outcome = cnn(*words, stdin=rng.choice((b"", (workplace / "one.png").read_bytes())))
            assert outcome.code in list(ExitCode), outcome.code
            assert not BUG.search(outcome.err), outcome.err[-300:]
            assert outcome.err.replace("\n", "").isprintable(), repr(outcome.err[:300])
            assert max(map(len, outcome.err.splitlines()), default=0) <= 2 * LONGEST, "a long line"
            assert outcome.code in (0, 5) or "error: " in outcome.err, "no message"
            assert inputs(workplace) == before, "an input was changed"


def test_no_handler_of_errors_takes_the_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang() -> None:
        while True:
            with suppress(Exception):
                time.sleep(0)

    monkeypatch.setattr(fuzz, "HANG", 0.05)
    with pytest.raises(TimeoutError, match=r"more than 0.05 s"), alarm():
        hang()
