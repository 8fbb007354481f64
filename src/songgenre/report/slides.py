"""The story as slides: one self-contained file, made of what the pages of the site hold."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.notebook_page import report_names
from songgenre.report.rendering import render, write_html


class Slide(NamedTuple):
    """A notebook in short.

    Parameters
    ----------
    name, title, question : str
    image : Markup
        Its first figure; empty if it has none.
    conclusion : Markup
        The last text of its page.
    """

    name: str
    title: str
    question: str
    image: Markup
    conclusion: Markup


def write_slides(project: Project, to: Path) -> None:
    """Write the slides.

    Parameters
    ----------
    project : Project
        Whose site is built.
    to : Path

    Raises
    ------
    UserError
        If there is no site.
    """
    front = project.html / "index.html"
    if not front.is_file():
        raise UserError(f"Expected the report site in {project.html}, but it is not there. Run `dvc repro` first.")
    soup = BeautifulSoup(front.read_text("utf-8"), "html.parser")
    answer = _without_links(soup.select_one(".answer"))
    slides = [_slide(project.html / f"{name}.html") for name in report_names(project)]
    with replacing(to) as partial:
        write_html(partial, render("slides.html.j2", title=_text(soup.h1), answer=answer, slides=slides))


def _slide(page: Path) -> Slide:
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    texts = soup.select(".cells > .text")
    return Slide(
        page.stem,
        _text(soup.h1),
        _text(soup.select_one(".cells .text p")),
        _without_links(soup.select_one(".cells figure img")),
        _without_links(texts[-1] if len(texts) > 1 else None),
    )


def _text(tag: Tag | None) -> str:
    return tag.get_text() if tag else ""


def _without_links(tag: Tag | None) -> Markup:
    """A part of a page, without its links, which lead to other pages."""
    for link in tag("a") if tag else []:
        link.unwrap()
    return Markup(tag or "")
