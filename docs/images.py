"""Makes the images of the README and the docs from the program itself, into docs/images.

    pip install -e ".[docs,browser]" && python docs/images.py    # all of them; trains for a few minutes
    python docs/images.py summary photo                          # only these

`training` trains lenet.yaml on MNIST, which is downloaded unless $CNN_DATA has it; its times are those of
your machine. `report` and `network_page` need Chromium (Debian: apt-get install chromium). The other images
are the same on every run, and show only what this program draws and writes.
"""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyte
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.text import Text

from cnn_cli.data.synthetic import draw

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
SEVEN, PHOTO = DOCS / "seven.jpg", IMAGES / "photo.jpg"
CNN = [sys.executable, "-m", "cnn_cli"]

COLUMNS, ROWS = 112, 60  # of the terminal whose screen is drawn
LARGEST = 150_000  # bytes of one image: the repository carries them, and a page loads them


# ---- the screen of a terminal


def screen(*words: str, folder: Path) -> pyte.Screen:
    """Run `cnn WORDS` in the folder on a terminal of its own, and return what it shows in the end."""
    terminal = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(terminal)
    for part in _output([*CNN, *words], folder):
        stream.feed(part)
    return terminal


def _output(command: list[str], folder: Path) -> Iterator[bytes]:
    """What a command writes to a pseudo-terminal, piece by piece."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | size
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=folder, env=environment
    ) as process:
        os.close(theirs)
        while part := _read(ours):
            yield part
    os.close(ours)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}")


def _read(terminal: int) -> bytes:
    """The next bytes; none where the other side has closed, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def svg(command: str, terminal: pyte.Screen, columns: int) -> str:
    """Draw a prompt with the command, and the screen below it."""
    console = Console(record=True, width=columns, file=io.StringIO(), legacy_windows=False)
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    used = max((row for row in range(ROWS) if terminal.display[row].strip()), default=-1) + 1
    for row in range(used):
        console.print(_line(terminal, row), no_wrap=True, overflow="crop")
    text = console.export_svg(title="", unique_id="terminal")
    # Nothing is loaded from elsewhere: the viewer's own monospace font will do.
    return re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.DOTALL)


def _line(terminal: pyte.Screen, row: int) -> Text:
    """A row of the screen with its colors."""
    line = Text()
    for column in range(terminal.columns):
        cell = terminal.buffer[row][column]
        color = "" if cell.fg == "default" else f"#{cell.fg}" if _is_hex(cell.fg) else cell.fg
        line.append(cell.data, style=" ".join(filter(None, ("bold" if cell.bold else "", color))))
    line.rstrip()
    return line


def _is_hex(color: str) -> bool:
    return re.fullmatch("[0-9a-f]{6}", color) is not None


# ---- the images


def training(folder: Path) -> None:
    """A training run from the first line to the last."""
    command = ("train", "--config", "lenet.yaml", "seed=2")
    _write(
        "training.svg", svg("cnn train --config lenet.yaml seed=2", screen(*command, folder=folder), COLUMNS)
    )


def summary(folder: Path) -> None:
    """The layers of a network."""
    _write("summary.svg", svg("cnn summary lenet", screen("summary", "lenet", folder=folder), 100))


def report(folder: Path) -> None:
    """The top of a run's report, as a browser shows it."""
    data = ("data.name=synthetic", "data.synthetic.train=2500", "data.synthetic.test=1500")
    settings = ("train.epochs=5", "train.threads=1", "output.plot=false")
    _cnn("train", "--config", "lenet.yaml", *data, *settings, "--out", "runs/a", folder=folder)
    _cnn("report", "runs/a", folder=folder)
    _screenshot(folder / "report.html", folder / "report.png")
    _smaller(folder / "report.png", IMAGES / "report.png")


def _screenshot(page: Path, target: Path) -> None:
    """Draw the top of a page as Chromium does."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        window = browser.new_page(viewport={"width": 1100, "height": 1180})
        window.goto(page.as_uri())
        window.screenshot(path=target)
        browser.close()


def photo(folder: Path) -> None:
    """A photo of three handwritten lines, and the same with what the program reads in it."""
    Image.fromarray(page(("3141592653", "5897932384", "6264338327"))).save(PHOTO, quality=80)
    _cnn("read", str(PHOTO), "--annotate", "read.png", folder=folder)
    with Image.open(folder / "read.png") as annotated:
        annotated.convert("RGB").save(IMAGES / "photo-read.jpg", quality=80)


def network_input(folder: Path) -> None:
    """A drawing beside what the network gets of it."""
    _cnn("predict", str(SEVEN), "--show-input", "input.png", folder=folder)
    _smaller(folder / "input.png", IMAGES / "network-input.png")


def augmentation(folder: Path) -> None:
    """Training images beside their augmented copies."""
    config = ("--config", "reader.yaml", "data.name=synthetic", "data.synthetic={train: 500, test: 100}")
    _cnn("data", "show", "--augment", *config, "--count", "30", "--out", "sheet.png", folder=folder)
    _smaller(folder / "sheet.png", IMAGES / "augmentation.png")


def _cnn(*words: str, folder: Path) -> None:
    subprocess.run([*CNN, *words], cwd=folder, check=True, stdin=subprocess.DEVNULL)


def _write(name: str, text: str) -> None:
    (IMAGES / name).write_text(text)


def _smaller(source: Path, target: Path) -> None:
    """The same image in 256 colors, in fewer bytes."""
    with Image.open(source) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)


# ---- handwriting on paper under a lamp

DIGIT = 96  # pixels of a digit's box, whose strokes are drawn at 28
ADVANCE, LEADING = 74, 122  # pixels from digit to digit and from line to line
INK = np.array([38, 52, 120])  # a blue pen
PAPER = np.array([236, 231, 218])  # cream, under light that falls off to one corner


def page(lines: tuple[str, ...]) -> NDArray[np.uint8]:
    """RGB uint8 [H, W, 3]: synthetic digits written in lines, a little uneven, turned by two degrees."""
    random = np.random.default_rng(1)
    ink = np.zeros((LEADING * len(lines) + 110, ADVANCE * max(map(len, lines)) + 150))
    hand = _one_pen(*draw(2000, seed=3))
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            stroke = _enlarged(random.choice(hand[digit]))
            top = 50 + row * LEADING + random.integers(-5, 6)
            left = 75 + column * ADVANCE + random.integers(-4, 5)
            here = ink[top : top + DIGIT, left : left + DIGIT]
            np.maximum(here, stroke, out=here)
    turned = Image.fromarray((255 * ink).astype(np.uint8)).rotate(2, Image.Resampling.BICUBIC)
    return _lit(np.asarray(turned) / 255, random)


def _one_pen(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """By its label, the fifth of each digit's images that have about as much ink as is usual for it."""
    hand = {}
    for label in range(10):
        drawn = images[labels == label]
        order = drawn.sum(axis=(1, 2)).argsort()
        hand[str(label)] = drawn[order[2 * len(order) // 5 : 3 * len(order) // 5]]
    return hand


def _enlarged(digit: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A digit with sharp edges at four times its size, 0 = paper and 1 = ink."""
    large = np.asarray(Image.fromarray(digit).resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)) / 255
    return np.clip((large - 0.35) / 0.3, 0, 1)


def _lit(ink: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.uint8]:
    """Ink on paper with its grain, lit from the top left, with a camera's noise."""
    y, x = np.mgrid[0 : 1 : ink.shape[0] * 1j, 0 : 1 : ink.shape[1] * 1j]
    light = 1.04 - 0.22 * x - 0.16 * y * y
    grain = random.normal(0, 1, (ink.shape[0] // 3 + 1, ink.shape[1] // 3 + 1)).repeat(3, 0).repeat(3, 1)
    light += 0.006 * grain[: ink.shape[0], : ink.shape[1]]
    color = PAPER + 0.92 * ink[..., None] * (INK - PAPER)
    pixels = color * light[..., None] + random.normal(0, 1.5, (*ink.shape, 1))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


# ---- pages in a browser

SCREEN = {"width": 1120, "height": 900}  # pixels of the window


def network_page(folder: Path) -> None:
    """The page of `cnn look` in light and dark: the desk, the layers, a number, the reasons."""
    _cnn("look", str(SEVEN), "-k", "lenet", folder=folder)
    for scheme, parts in PAGE_PARTS.items():
        _photograph(folder / "look.html", scheme, parts, folder)


PAGE_PARTS = {"light": ("draw", "number"), "dark": ("why", "network")}
"""Which sections of the page are shown in which colors."""


def _photograph(page: Path, scheme: str, parts: tuple[str, ...], folder: Path) -> None:
    """Open the page in Chromium, choose an example and a layer, and keep images of its sections."""
    sys.path.insert(0, str(DOCS.parent / "tests"))
    from helpers.browser import launched, opened

    with launched() as browser, opened(browser, page, viewport=SCREEN, color_scheme=scheme) as tab:
        tab.get_by_role("button", name="Example 5").click()
        tab.locator("#strip").get_by_role("button", name="conv1").click()
        tab.locator("#reasons[data-done]").wait_for(state="attached")
        for part in parts:
            tab.locator(f"#{part}").screenshot(path=folder / f"{part}.png")
            _smaller(folder / f"{part}.png", IMAGES / f"look-{part}.png")


MAKERS: dict[str, Callable[[Path], None]] = {
    make.__name__: make
    for make in (training, summary, report, photo, network_input, augmentation, network_page)
}


def main(names: list[str] | None = None) -> None:
    """Make the named images; without names, all of them."""
    IMAGES.mkdir(exist_ok=True)
    for name in names or MAKERS:
        with tempfile.TemporaryDirectory() as folder:
            MAKERS[name](Path(folder))
    too_large = [path.name for path in IMAGES.iterdir() if path.stat().st_size > LARGEST]
    if too_large:
        sys.exit(f"larger than {LARGEST:,} bytes: {', '.join(too_large)}")


if __name__ == "__main__":
    main(sys.argv[1:])
