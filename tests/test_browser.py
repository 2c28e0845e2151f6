"""The browser tests' own checks: a page with an error, a request or a missing label must fail."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

GOOD = "<!doctype html><html lang=en><title>A page</title><main><h1>A page</h1></main>"


def write(folder: Path, html: str) -> Path:
    file = folder / "page.html"
    file.write_text(html)
    return file


def test_a_good_page_passes(browser, tmp_path: Path) -> None:
    from helpers.browser import accessibility_problems, opened

    with opened(browser, write(tmp_path, GOOD)) as page:
        assert page.title() == "A page"
        assert not accessibility_problems(page)


@pytest.mark.parametrize(
    "bad",
    [
        "<script>console.error('wrong')</script>",
        "<script>missing()</script>",
        "<img alt='' src=other.png>",
        "<script>fetch('http://127.0.0.1:9/')</script>",
    ],
)
def test_an_error_or_a_request_fails(browser, tmp_path: Path, bad: str) -> None:
    from helpers.browser import opened

    with pytest.raises(AssertionError), opened(browser, write(tmp_path, GOOD + bad)) as page:
        page.wait_for_load_state("networkidle")


def test_a_missing_label_is_found(browser, tmp_path: Path) -> None:
    from helpers.browser import accessibility_problems, opened

    with opened(browser, write(tmp_path, GOOD + "<button></button>")) as page:
        assert any(problem.startswith("button-name") for problem in accessibility_problems(page))
