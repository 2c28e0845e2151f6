"""A result never replaces what a command reads, a checkpoint or a config."""

import shutil
from pathlib import Path

import pytest
from helpers.albums import album
from helpers.cli import cnn, digit

from cnn_cli.errors import ExitCode


@pytest.fixture
def place(workplace: Path, trained_run: Path) -> Path:
    """A working folder with images below scans/, a list of them, and a link to a run."""
    (workplace / "run").symlink_to(trained_run)
    (workplace / "scans").mkdir()
    digit(workplace / "scans" / "a.png")
    (workplace / "link.png").symlink_to("one.png")
    for name in ("list.txt", "list.png", "list.csv"):
        (workplace / name).write_text("scans/a.png\n")
    for name in ("net.png", "net.html", "net.csv"):
        shutil.copy(trained_run / "model.safetensors", workplace / name)
    return workplace


def content_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder with their content."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("predict one.png -k run --contact-sheet one.png", "--contact-sheet one.png: would replace a file"),
        ("predict one.png -k run --show-input link.png", "--show-input link.png: would replace a file"),
        (
            "predict scans -k run --contact-sheet scans/a.png",
            "scans/a.png: would replace a file that is read",
        ),
        ("predict scans/*.png -k run --contact-sheet scans/a.png", "would replace a file that is read"),
        (
            "predict --files-from list.txt -k run --show-input scans/a.png",
            "would replace a file that is read",
        ),
        ("read one.png -k run --annotate one.png", "--annotate one.png: would replace a file that is read"),
        (
            "read one.png -k run --annotate new.png --show-input ./new.png",
            "--annotate and --show-input are the",
        ),
        ("read one.png -k run --annotate run/model.safetensors", "the name must end in .png"),
        ("read one.png -k run --contact-sheet tiny.yaml", "the name must end in .png"),
        ("predict one.png -k run --show-input input.svg", "hint: --show-input input.png"),
        ("eval run --plot run/model.safetensors", "--plot run/model.safetensors: the name must end in .png"),
        ("eval run --report tiny.yaml", "the name must end in .html"),
        ("look one.png -k run --out one.png", "--out one.png: the name must end in .html"),
        ("report run --out run/config.yaml", "the name must end in .html"),
        ("bench --config tiny.yaml --seeds 1 --out tiny.yaml", "the name must end in .json"),
        ("data show synthetic --out tiny.yaml", "the name must end in .png"),
        ("export run --to run/model.safetensors", "would replace a file that is read"),
        ("export run --to run/config.yaml", "name a file .onnx"),
        ("data check synthetic --labels --out tiny.yaml", "the name must end in .png"),
        # a checkpoint may have any name, and a list, too
        *(
            (command, f"{command.split()[-1]}: would replace a file that is read")
            for command in (
                "predict one.png -k net.png --contact-sheet net.png",
                "predict one.png -k net.csv --submission net.csv",
                "predict one.png -k run -k net.png --show-input net.png",
                "predict --files-from list.png -k run --show-input list.png",
                "predict --files-from list.csv -k run --submission list.csv",
                "read --files-from list.png --contact-sheet list.png",
                "eval net.png --plot net.png",
                "eval net.html --report net.html",
                "compare run net.png --contact-sheet net.png",
                "compare net.html run --report net.html",
                "look one.png -k net.html --out net.html",
                "report net.html --out net.html",
                "export net.png --to net.png",
                "data check synthetic --labels --with net.png --out net.png",
            )
        ),
    ],
)
def test_an_input_is_never_replaced(place: Path, command: str, message: str) -> None:
    before = content_of(place)
    outcome = cnn(*command.split())
    assert outcome.code == ExitCode.USAGE, outcome.err
    assert message in outcome.err
    assert content_of(place) == before


def test_images_of_a_data_set_are_never_replaced(place: Path) -> None:
    album(place / "animals", 3)
    image = str(next((place / "animals").rglob("*.png")).relative_to(place))
    before = content_of(place / "animals")
    outcome = cnn("data", "show", "data.root=animals", "--out", image)
    assert outcome.code == ExitCode.USAGE
    assert "would replace a file that is read" in outcome.err
    assert content_of(place / "animals") == before


def test_the_config_of_a_new_run_is_never_replaced(place: Path) -> None:
    """`--overwrite` replaces a run's config.yaml, which may be the one that somebody wrote by hand."""
    config = place / "project" / "config.yaml"
    config.parent.mkdir()
    config.write_text("# by hand\n" + (place / "tiny.yaml").read_text())
    before = config.read_text()
    outcome = cnn("train", "--config", config, "--out", config.parent, "--overwrite")
    assert outcome.code == ExitCode.USAGE
    assert "would replace a file that is read" in outcome.err
    assert config.read_text() == before


def test_an_earlier_result_is_replaced(place: Path) -> None:
    for _ in range(2):
        assert cnn("predict", "one.png", "-k", "run", "--contact-sheet", "sheet.png").code == 0
        assert cnn("eval", "run", "--plot", "plot.png").code == 0
    assert (place / "sheet.png").read_bytes().startswith(b"\x89PNG")
