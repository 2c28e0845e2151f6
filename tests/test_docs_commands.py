"""Every command of the README and of the docs runs, with the exit code and the output that the page shows.

A page is run from top to bottom in a folder of its own, as a reader would do it; only training is made small.
A block that does not run here has a comment before it: `<!-- not run: reason -->`. The exit code of a command
is 0 unless a comment says otherwise: `<!-- exit code: 2 -->` before its block, `# exit code 4 ...` beside it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import forms
from helpers.cli import Outcome, cnn, digit, environment
from helpers.odd_hand import write_photos
from PIL import Image, ImageDraw

from cnn_cli.data.synthetic.strokes import DIGITS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SMALL = ("data.synthetic.train=200", "data.synthetic.test=50", "train.threads=1")
SHORT = (*SMALL, "train.epochs=1", "output.plot=false")
"""Settings that make a run of a second out of one of minutes."""

PLAIN_HAND = tuple(ways[:1] for ways in DIGITS)
"""The most frequent way of writing each digit, which the included network reads."""

INCLUDED, ROUNDED = ("cnn predict", "cnn read"), 0.11
"""What the included networks answer is the same everywhere, up to the last digit of a percentage."""

MOST_NOT_RUN = 10
"""Blocks that do not run here, of all pages together."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Args:
        language: `bash` has commands, `console` has commands behind `$` with their output.
        title: the name of the file that the block shows; empty if it shows none.
        text: its lines.
        not_run: why its commands do not run here; empty if they do.
        code: the exit code of its commands.
    """

    language: str
    title: str
    text: str
    not_run: str
    code: int


@dataclass(frozen=True)
class Command:
    """A command line with what the page says of it."""

    line: str
    code: int
    output: tuple[str, ...] | None
    """Lines that it prints; None where the page does not show them."""


FENCE = re.compile(
    r"^(?P<comments>(?:<!--[^\n]*-->\n)*)```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page."""
    for match in FENCE.finditer(page.read_text()):
        reason = re.search(r"<!-- not run: (.*?) -->", match["comments"])
        code = re.search(r"<!-- exit code: (\d+) -->", match["comments"])
        title = re.search(r'title="(.*?)"', match["options"])
        yield Block(
            match["language"],
            title[1] if title else "",
            match["text"],
            reason[1] if reason else "",
            int(code[1]) if code else 0,
        )


def commands(block: Block) -> list[Command]:
    """The commands of a block; those of `console` with their output."""
    if block.language == "console":
        parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
        return [Command(line, block.code, tuple(output)) for line, *output in map(str.splitlines, parts)]
    found, remark = [], ""
    for line in filter(None, block.text.splitlines()):
        words, _, beside = line.partition("  #")
        if line.startswith("#"):
            remark = line
        else:
            code = re.search(r"exit code (\d+)", remark + beside)
            found.append(Command(words.strip(), int(code[1]) if code else block.code, None))
            remark = ""
    return found


def shortened(words: list[str]) -> list[str]:
    """The same command on little data and for one epoch."""
    kind = " ".join(words[:2]) if words[0] == "data" else words[0]
    few = {
        "train": SHORT,
        "bench": SHORT,
        **dict.fromkeys(("eval", "compare", "report"), SMALL),
        **dict.fromkeys(("data show", "export"), SMALL[:2]),
    }
    settings = few.get(kind, ()) if kind != "export" or "--int8" in words else ()
    own_data = any(word.startswith(("data.name=", "data.root=")) for word in words)
    if not settings or "--resume" in words:
        return words
    return [*words, *settings, *([] if own_data else ["data.name=synthetic"])]


def execute(line: str, folder: Path) -> Outcome:
    """Run `cnn ...` in this process, and everything with a pipe or a redirection in a shell."""
    words = shlex.split(line)
    if words[0] == "cnn" and not re.search(r"[|<>]", line):
        return cnn(*shortened(words[1:]))
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    shell = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment() | {"PATH": path}, check=False
    )
    return Outcome(shell.returncode, shell.stdout, shell.stderr)


@pytest.fixture
def desk(workplace: Path) -> Path:
    """A working folder with the files that the pages name, and with `cnn` for a shell."""
    for name in ("docs/seven.jpg", "docs/images/photo.jpg"):
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, workplace / name)
    for name in ("scans/1.png", "scans/old/2.png", "a.png", "b.jpg"):
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        digit(workplace / name)
    pages = [Image.open(workplace / name).convert("L") for name in ("docs/seven.jpg", "a.png")]
    pages[0].save(workplace / "scan.tif", save_all=True, append_images=pages[1:])
    for number in range(20):
        for kind, color in (("daisy", "white"), ("tulip", "red")):
            (workplace / "flowers" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32 + number, 32), color).save(workplace / "flowers" / kind / f"{number}.jpg")
    for number in range(10):
        for name, lean in (("1", 0), ("7", 40)):
            (workplace / "digits" / name).mkdir(parents=True, exist_ok=True)
            image = Image.new("L", (100, 100), 255)
            stroke = [(60 - lean, 15), (60, 15), (60 - lean, 80 + number)]
            ImageDraw.Draw(image).line(stroke, fill=0, width=8)
            image.save(workplace / "digits" / name / f"{number}.png")
    for part, seed in (("learn", 1), ("test", 2)):
        write_photos(workplace / "photos" / part, 3, seed, PLAIN_HAND)
    _write_tables(workplace)
    (workplace / "bin").mkdir()
    (workplace / "bin" / "cnn").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnn_cli "$@"\n')
    (workplace / "bin" / "cnn").chmod(0o755)
    return workplace


def _write_tables(workplace: Path) -> None:
    for write, name in ((forms.zipped, "digits.zip"), (forms.table, "train.csv")):
        write(workplace / "forms" / name, *forms.digits(60)).rename(workplace / name)
    lines = (workplace / "train.csv").read_text().splitlines()
    (workplace / "test.csv").write_text("".join(f"{line.partition(',')[2]}\n" for line in lines[:5]))
    (workplace / "broken.csv").write_text("label,a,b,c,d\n5,0,0,0,0\n7,seven,0,0,0\n")


def masked(lines: list[str]) -> list[str]:
    """Lines without their fractions, which processors round differently."""
    return [re.sub(r"\d+\.\d+", "#", line).rstrip() for line in lines]


def fractions(lines: list[str]) -> list[float]:
    """The fractions of lines, from top to bottom."""
    return [float(number) for number in re.findall(r"\d+\.\d+", "\n".join(lines))]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(map(commands, blocks(page)))], ids=lambda page: page.stem
)
def test_every_command_of_a_page_runs(page: Path, desk: Path) -> None:
    for block in blocks(page):
        if block.title:
            (desk / block.title).write_text(block.text)
        if block.language not in ("bash", "console") or block.not_run:
            continue
        for command in commands(block):
            assert "cnn " in command.line, f"{command.line}: not one of our commands"
            outcome = execute(command.line, desk)
            assert outcome.code == command.code, f"{command.line}\n{outcome.err}"
            if command.output is not None:
                errors = [line for line in outcome.err.splitlines() if line.startswith(("error: ", "hint: "))]
                lines, expected = [*outcome.out.splitlines(), *errors], [*command.output]
                assert masked(lines) == masked(expected), command.line
                if command.line.startswith(INCLUDED) and "--checkpoint" not in command.line:
                    assert fractions(lines) == pytest.approx(fractions(expected), abs=ROUNDED), command.line


def test_few_blocks_do_not_run_and_each_has_a_reason() -> None:
    not_run = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert len(not_run) <= MOST_NOT_RUN
    assert all(len(block.not_run) >= 20 for block in not_run)


def test_the_pages_show_many_commands() -> None:
    """A page whose blocks are no longer found would pass every other test."""
    run = [
        command
        for page in PAGES
        for block in blocks(page)
        if not block.not_run
        for command in commands(block)
    ]
    assert len([command for command in run if command.line.startswith("cnn ")]) >= 40


CONFIGS = [
    pytest.param(block.text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page))
    if block.language == "yaml" and not block.title
]


@pytest.mark.parametrize("yaml", CONFIGS)
def test_every_config_of_a_page_trains(yaml: str, workplace: Path) -> None:
    """As a reader would try it, on few images."""
    (workplace / "my.yaml").write_text(yaml)
    assert cnn("config", "check", "my.yaml").code == 0
    outcome = cnn(*shortened(["train", "--config", "my.yaml"]))
    assert outcome.code == 0, outcome.err
    assert len(yaml.splitlines()) <= 17
