"""Exports of the report site: a folder, a zip or a PDF."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from songgenre.atomic import check_output_file, replacing
from songgenre.errors import UserError
from songgenre.notebook.provenance import SCRIPT, run_logs, script
from songgenre.paths import Project
from songgenre.report.notebook_page import report_names
from songgenre.runtime import children

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

LOGS = f'<script src="{SCRIPT}"></script>'.encode()
"""Element of a page that loads the facts about the runs."""

TITLE = "Song Genre Classification"
"""Title of the joined pages."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of all files in a zip, so that the same site gives the same bytes."""


def export(project: Project, to: Path, force: bool = False) -> None:
    """Copy the site into a folder, or into a zip if the name ends in ``.zip``.

    Parameters
    ----------
    project : Project
        Project whose site is copied.
    to : Path
        A folder, which must be new or empty, or a zip.
    force : bool
        Whether to replace an existing zip.

    Raises
    ------
    UserError
        If the project has no site, the folder is not empty, or the zip exists.
    """
    _check(project)
    files = sorted(path for path in project.html.rglob("*") if path.is_file() and path.name != SCRIPT)
    run_facts = script(project)
    if to.suffix.lower() == ".zip":
        check_output_file(to, ".zip", force=force)
        with replacing(to) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                entry = zipfile.ZipInfo(f"{to.stem}/{file.relative_to(project.html).as_posix()}", EPOCH)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, _content(file, run_facts), zipfile.ZIP_DEFLATED)
    elif to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"{to}: not an empty folder. Name a new or empty folder, or a zip.")
    else:
        with replacing(to) as partial:
            for file in files:
                copy = partial / file.relative_to(project.html)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(_content(file, run_facts))


def print_pdf(project: Project, to: Path, force: bool = False) -> None:
    """Print all pages into one PDF, with Chromium.

    Parameters
    ----------
    project : Project
        Project whose site is printed.
    to : Path
        PDF to write.
    force : bool
        Whether to replace an existing file.

    Raises
    ------
    UserError
        If the project has no site, the file cannot be written, Chromium is not installed, or Chromium fails.
    """
    _check(project)
    check_output_file(to, ".pdf", force=force)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError(
            f"{', '.join(BROWSERS)}: none of these browsers is installed. "
            "On Debian: apt-get install chromium. Or open the pages in any browser and print them there."
        )
    with tempfile.TemporaryDirectory() as folder, replacing(to) as partial:
        book = Path(folder) / "book.html"
        book.write_text(bind_pages(project), "utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={folder}"]
        command = [browser, *options, f"--print-to-pdf={partial.resolve()}", book.as_uri()]
        environment = os.environ | {"TMPDIR": folder}
        process = children.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if not partial.is_file():
            raise UserError(
                f"{to}: not printed. {browser} ended with {process.stderr.strip()[-500:]!r}. "
                "Open the pages in any browser and print them there."
            )


def bind_pages(project: Project) -> str:
    """Join all pages into one, without scripts and players; a last chapter says how they were made.

    Parameters
    ----------
    project : Project
        Project whose site is built.

    Returns
    -------
    str
        HTML; links between pages lead to places within it.
    """
    run_facts = run_logs(project)
    book = BeautifulSoup((project.html / "map.html").read_text("utf-8"), "html.parser")
    for element in book.select("body > *, head > script"):
        element.decompose()
    assert book.title
    assert book.body
    book.title.string = TITLE
    appendix = book.new_tag("main", id="made")
    appendix.append(book.new_tag("h1", string="How the pages were made"))
    for page in _page_names(project):
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
            book.body.append(main)
        for footer in soup.select("footer.made"):
            _shorten(footer, soup.title.get_text() if soup.title else page)
            appendix.append(footer)
    book.body.append(appendix)
    return str(book)


def _shorten(footer: Tag, title: str) -> None:
    """Make the provenance of a page a part of the last chapter: with its title and its parameters."""
    for heading in footer("h2"):
        heading.string = title
    for note in footer.select(".note"):
        note.decompose()
    for parameters in footer("details"):
        parameters["open"] = ""


def _page_names(project: Project) -> list[str]:
    """List the pages of the site in the order of reading."""
    names = ["index", "map", *report_names(project)]
    return names + sorted((page.stem for page in project.html.glob("*_card.html")), reverse=True)


def _check(project: Project) -> None:
    if not (project.html / "index.html").is_file():
        raise UserError(f"{project.html}: report site not found. Run `dvc repro` first.")


def _content(file: Path, run_facts: str) -> bytes:
    """Read a file of the site; in a page, the facts about the runs replace the script that loads them."""
    content = file.read_bytes()
    return content.replace(LOGS, f"<script>\n{run_facts}</script>".encode()) if file.suffix == ".html" else content


def _inner_link(href: str, page: str) -> str:
    """Convert a link of a page to a link within the joined pages."""
    match = re.fullmatch(r"(?:([\w.%-]+)\.html)?(?:#(.+))?", href)
    if not match:
        return href
    target, anchor = match[1] or page, match[2]
    return f"#{target}--{anchor}" if anchor else f"#{target}"
