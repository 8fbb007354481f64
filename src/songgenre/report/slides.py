"""Slides: one self-contained file with the title, a figure and the conclusion of each page of the site."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from songgenre.atomic import GENERATOR, check_output_file, replacing
from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.notebook_page import report_names
from songgenre.report.rendering import render, write_html


class Slide(NamedTuple):
    """Summary of a notebook.

    Parameters
    ----------
    name, title, question : str
        Name, first heading and first paragraph of the notebook.
    image : Markup
        First figure; empty if there is none.
    conclusion : Markup
        Last text of the page after the question; empty if there is none.
    """

    name: str
    title: str
    question: str
    image: Markup
    conclusion: Markup


def write_slides(project: Project, to: Path, force: bool = False) -> None:
    """Write the slides.

    Parameters
    ----------
    project : Project
        Project whose site is built.
    to : Path
        HTML file to write; earlier slides are replaced.
    force : bool
        Whether to replace any other file, too.

    Raises
    ------
    UserError
        If the project has no site, or the file cannot be written.
    """
    check_output_file(to, ".html", GENERATOR, force)
    front = project.html / "index.html"
    if not front.is_file():
        raise UserError(f"{project.html}: report site not found. Run `dvc repro` first.")
    soup = BeautifulSoup(front.read_text("utf-8"), "html.parser")
    answer = _without_links(soup.select_one(".answer")) + _without_links(soup.select_one(".demo"))
    slides = [_slide(project.html / f"{name}.html") for name in report_names(project)]
    with replacing(to) as partial:
        write_html(partial, render("slides.html.j2", title=_text(soup.h1), answer=answer, slides=slides))


def _slide(page: Path) -> Slide:
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    texts = soup.select(".cells > .text")
    return Slide(
        page.stem,
        _text(soup.h1),
        _text(soup.select_one(".question p")),
        _without_links(soup.select_one(".cells figure img")),
        _without_links(texts[-1] if texts else None),
    )


def _text(tag: Tag | None) -> str:
    return tag.get_text() if tag else ""


def _without_links(tag: Tag | None) -> Markup:
    """Remove the links from a part of a page, because they lead to other pages."""
    for link in tag("a") if tag else []:
        link.unwrap()
    return Markup(tag or "")
