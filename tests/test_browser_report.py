"""Reports in a real browser: no error, no request, usable by keyboard, accessible, also on a phone."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.cli import TINY, cnn
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
HOSTILE = "<img src=x onerror=document.title='hacked'><script>document.title='hacked'"
"""A name of a folder, which can have no slash."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, trained_run: Path) -> dict[str, Path]:
    """A report of each kind, of a run in a folder with a hostile name."""
    folder = tmp_path_factory.mktemp("reports")
    run = folder / HOSTILE
    run.symlink_to(trained_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        network = _network_with_hostile_classes(folder)
        for command in (
            ["report", run, "--out", "one.html"],
            ["report", run, trained_run, "--out", "two.html"],
            ["compare", run, trained_run, "--report", "ab.html"],
            ["report", network, "--out", "classes.html"],
            ["report", run, "data.name=mnist", "data.root=no", "data.download=false", "--out", "bare.html"],
        ):
            outcome = cnn(*command)
            assert outcome.code == 0, outcome.err
    return {path.stem: path for path in folder.glob("*.html")}


def _network_with_hostile_classes(folder: Path) -> Path:
    """Return an untrained run on images whose classes have hostile names."""
    for label in (f"0{HOSTILE}", f"1{HOSTILE}"):
        for number in range(10):
            path = folder / "images" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (16, 16), 25 * number).save(path)
    (folder / "tiny.yaml").write_text(TINY)
    settings = ("data.name=own", f"data.root={folder / 'images'}", "data.size=16", "data.validation=null")
    layers = "model.layers=[flatten, {linear: classes}]"
    outcome = cnn("train", "--config", "tiny.yaml", *settings, layers, "train.epochs=0", "--out", "network")
    assert outcome.code == 0, outcome.err
    return folder / "network"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["one", "two", "ab", "bare", "classes"])
def test_a_report_opens_without_an_error(
    browser: "Browser", reports: dict[str, Path], name: str, scheme: str
) -> None:
    from helpers.browser import accessibility_problems, opened

    with opened(browser, reports[name], viewport=PHONE, color_scheme=scheme, offline=True) as page:
        assert page.title() != "hacked"
        assert "onerror=" in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert accessibility_problems(page) == []


def test_a_count_opens_its_images_with_the_keyboard(browser: "Browser", reports: dict[str, Path]) -> None:
    from helpers.browser import accessibility_problems, opened

    with opened(browser, reports["one"]) as page:
        button = page.locator("table.matrix button").first
        button.focus()
        page.keyboard.press("Enter")
        name = button.get_attribute("popovertarget")
        images = page.locator(f"#{name}")
        assert images.is_visible()
        assert images.locator("img").count() >= 1
        assert accessibility_problems(page) == []
        page.keyboard.press("Escape")
        assert images.is_hidden()


def test_a_report_can_be_printed(browser: "Browser", reports: dict[str, Path]) -> None:
    from helpers.browser import opened

    with opened(browser, reports["one"], color_scheme="dark") as page:
        assert page.pdf().startswith(b"%PDF")
