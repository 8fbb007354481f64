"""The report site to take along: a copy, a zip to mail, a PDF to print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from bs4 import BeautifulSoup

from songgenre import children
from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.notebook.provenance import run_logs, script
from songgenre.paths import Project
from songgenre.report.notebook_page import report_names

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

LOGS = b'<script src="../logs/provenance.js"></script>'
"""By what a page knows how the runs went."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of all files in a zip, so that the same site gives the same bytes."""


def export(project: Project, to: Path) -> None:
    """Copy the site into a new folder, or into a zip if that is how the name ends.

    Parameters
    ----------
    project : Project
    to : Path
        A zip is replaced; a folder must not be there yet, or be empty.

    Raises
    ------
    UserError
        If there is no site, or the folder holds something.
    """
    _check(project)
    files = sorted(path for path in project.html.rglob("*") if path.is_file())
    run_facts = script(project)
    if to.suffix.lower() == ".zip":
        with replacing(to) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                entry = zipfile.ZipInfo(f"{to.stem}/{file.relative_to(project.html).as_posix()}", EPOCH)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, _content(file, run_facts), zipfile.ZIP_DEFLATED)
    elif to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"Expected {to} to be a new or empty folder, but something is there. Name another.")
    else:
        with replacing(to) as partial:
            for file in files:
                copy = partial / file.relative_to(project.html)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(_content(file, run_facts))


def print_pdf(project: Project, to: Path) -> None:
    """Print all pages into one PDF, with Chromium.

    Parameters
    ----------
    project : Project
    to : Path

    Raises
    ------
    UserError
        If there is no site, no Chromium, or it fails.
    """
    _check(project)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError(
            f"Expected one of {', '.join(BROWSERS)} to print with, but none is installed. "
            "On Debian: apt-get install chromium. Or open the pages in any browser and print them there."
        )
    with tempfile.TemporaryDirectory() as folder, replacing(to) as partial:
        book = Path(folder) / "book.html"
        book.write_text(bind_pages(project), "utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={folder}"]
        command = [browser, *options, f"--print-to-pdf={partial.resolve()}", book.as_uri()]
        environment = os.environ | {"TMPDIR": folder}
        ended = children.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if not partial.is_file():
            raise UserError(f"Expected {browser} to print {to}, but it ended with {ended.stderr.strip()[-500:]!r}.")


def bind_pages(project: Project) -> str:
    """All pages as one, whose links lead to each other.

    Parameters
    ----------
    project : Project

    Returns
    -------
    str
        HTML.
    """
    pages, run_facts = ["index", *report_names(project), "map"], run_logs(project)
    book = BeautifulSoup((project.html / "map.html").read_text("utf-8"), "html.parser")
    for element in book.select("body > *"):
        element.decompose()
    for page in pages:
        soup = BeautifulSoup((project.html / f"{page}.html").read_text("utf-8"), "html.parser")
        for element in soup(["script", "audio"]):
            element.decompose()
        for place in soup.select("[data-run][data-fact]"):
            place.string = run_facts.get(str(place["data-run"]), {}).get(str(place["data-fact"]), place.get_text())
        for element in soup(id=True):
            element["id"] = f"{page}--{element['id']}"
        for link in soup("a", href=True):
            link["href"] = _inner_link(str(link["href"]), page)
        for main in soup("main"):
            main["id"] = page
            main["style"] = "" if page == pages[0] else "break-before: page"
            main.extend(soup.select("footer.made"))
            book.body.append(main)  # type: ignore[union-attr]
    return str(book)


def _check(project: Project) -> None:
    if not (project.html / "index.html").is_file():
        raise UserError(f"Expected the report site in {project.html}, but it is not there. Run `dvc repro` first.")


def _content(file: Path, run_facts: str) -> bytes:
    """What is in a file of the site; a page has in it what it otherwise reads from the logs."""
    content = file.read_bytes()
    return content.replace(LOGS, f"<script>\n{run_facts}</script>".encode()) if file.suffix == ".html" else content


def _inner_link(href: str, page: str) -> str:
    """Where a link of a page leads when all pages are one."""
    match = re.fullmatch(r"(?:([\w.%-]+)\.html)?(?:#(.+))?", href)
    if not match:
        return href
    target, anchor = match[1] or page, match[2]
    return f"#{target}--{anchor}" if anchor else f"#{target}"
