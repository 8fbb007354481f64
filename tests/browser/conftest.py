"""A real browser, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

AXE = "4.14.1"
OFFLINE = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


def chromium() -> str | None:
    named = os.environ.get("SONGGENRE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("No Chromium found: install one or name it in SONGGENRE_CHROMIUM")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=OFFLINE.split())
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


@pytest.fixture
def requests(page: Page) -> list[str]:
    """Addresses that the page asked for."""
    asked: list[str] = []

    def record(request: Request) -> None:
        if not request.url.startswith("data:"):
            asked.append(request.url)

    page.on("request", record)
    return asked


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """Errors and warnings that the page left in the console."""
    heard: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            heard.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of axe-core, which knows what makes a page hard to use for some."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("No npm found, with which axe-core is installed")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), f"axe-core@{AXE}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        pytest.skip(f"npm could not install axe-core: {ended.stderr.strip()[-200:]}")
    return folder / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def barriers(axe: Path) -> Callable[[Page], list[dict[str, Any]]]:
    """What axe-core finds on a page that is serious or critical, and where."""

    def find(page: Page) -> list[dict[str, Any]]:
        page.evaluate(axe.read_text("utf-8"))
        found = page.evaluate(
            "axe.run().then(result => result.violations.map(({id, impact, nodes}) => "
            "({id, impact, where: nodes.map(node => node.html)})))"
        )
        return [each for each in found if each["impact"] in ("serious", "critical")]

    return find
