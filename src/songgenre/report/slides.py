"""Slides: one self-contained file with the answer, the map, figures and the conclusion of each page, and the scores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
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
    """Content of a slide.

    Parameters
    ----------
    title, question : str
        Heading, and the sentence below it.
    figure : Markup
        Figure; empty if there is none.
    text : Markup
        Text beside the figure; empty if there is none.
    """

    title: str
    question: str = ""
    figure: Markup = Markup("")
    text: Markup = Markup("")


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
    pages = chain.from_iterable(_notebook_slides(project.html / f"{name}.html") for name in report_names(project))
    slides = [*_map_slide(soup), *pages, *_score_slide(soup)]
    with replacing(to) as partial:
        write_html(partial, render("slides.html.j2", title=_text(soup.h1), answer=answer, slides=slides))


def _map_slide(front: BeautifulSoup) -> Iterator[Slide]:
    for teaser in front.select(".teaser"):
        picture, key = teaser.select_one(".thumbnail svg"), teaser.select_one(".genre-key")
        yield Slide(str(teaser["aria-label"]), _text(teaser.p), Markup(picture), Markup(key))


def _score_slide(front: BeautifulSoup) -> Iterator[Slide]:
    for table in front.select("table.models"):
        yield Slide(_text(table.find_previous("h2")), text=_without_links(table) + Markup(front.select_one(".legend")))


def _notebook_slides(page: Path) -> list[Slide]:
    """Make a slide for each figure of a cell with the tag ``slide``, or for the first figure; the last concludes."""
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    title, question = _text(soup.h1), _text(soup.select_one(".question p"))
    images = soup.select(".cells figure.slide img") or soup.select(".cells figure img")[:1]
    texts = soup.select(".cells > .text")
    *others, last = [Markup(image) for image in images] or [Markup("")]
    conclusion = _without_links(texts[-1] if texts else None)
    return [*(Slide(title, question, image) for image in others), Slide(title, question, last, conclusion)]


def _text(tag: Tag | None) -> str:
    return tag.get_text() if tag else ""


def _without_links(tag: Tag | None) -> Markup:
    """Remove the links from a part of a page, because they lead to other pages."""
    for link in tag("a") if tag else []:
        link.unwrap()
    return Markup(tag or "")
