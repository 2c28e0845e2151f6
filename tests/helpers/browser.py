"""A real Chromium for tests of pages: errors and requests are collected; axe-core checks accessibility."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""Commands that are looked for where CNN_TEST_BROWSER names none."""


def executable() -> str:
    """Return the path of a Chromium; skip the test where there is none."""
    named = os.environ.get("CNN_TEST_BROWSER")
    found = named or next((path for path in map(shutil.which, NAMES) if path), None)
    if not found:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium) or set CNN_TEST_BROWSER")
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless Chromium; root must switch its sandbox off."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=["--no-sandbox"] if is_root else []
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, file: Path, **context: Any) -> Iterator[Page]:
    """Open a file as a page. At the end: no error on the console, and no request but that of the file.

    `context` holds options of Playwright's `new_context`, such as `viewport` and `color_scheme`.
    """
    address = file.resolve().as_uri()
    problems: list[str] = []
    with browser.new_context(**context) as window:
        page = window.new_page()
        page.set_default_timeout(30_000)  # ms
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if is_foreign(request.url) else None)

        def is_foreign(url: str) -> bool:
            return url.split("#")[0] != address and not url.startswith(("data:", "blob:"))

        page.goto(address)
        yield page
    assert not problems, problems


def accessibility_problems(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical: the rule, what it says, and where."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes']]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
