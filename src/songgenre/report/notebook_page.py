"""An executed notebook as one self-contained page of the report site."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import nbformat
import nh3
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.html_table import tidy, visible_text

TEMPLATES = Path(__file__).parent / "templates"

HEADINGS = ["h2", "h3", "h4"]
LAYOUT_IDS = {"content", "made", "menu"}
"""Ids of elements around the cells."""

_TAGS = """
    a abbr audio b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre q s samp small source span strong sub summary sup
    table tbody td tfoot th thead tr u ul var
"""
_ATTRIBUTES = """
    alt aria-label class colspan controls height href id rowspan scope src title type width
"""


_PERCENTAGE = re.compile(r"(?<=\d) (?=%)")
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


class Navigation(NamedTuple):
    """Links of every page.

    Parameters
    ----------
    pages : sequence of str
        Names of the reports, see `report_names`.
    documents : sequence of str
        Names of the cards, such as ``model_card``.
    demo : bool
        Whether the pages say that the songs are invented.
    """

    pages: Sequence[str]
    documents: Sequence[str] = ()
    demo: bool = False


@dataclass(frozen=True)
class Section:
    """A heading of the second level.

    Parameters
    ----------
    anchor : str
        Id of the heading.
    title : str
        Text of the heading.
    """

    anchor: str
    title: str


@dataclass(frozen=True)
class ReportPage:
    """Content of a notebook.

    Parameters
    ----------
    title : str
        Text of the first heading of the first level; empty if there is none.
    question : str
        Text of the first paragraph; empty if there is none.
    lead : Markup
        The first paragraph, if a text begins the page; empty otherwise.
    sections : tuple of Section
        Headings of the second level, in order.
    body : Markup
        Cells without the title and the lead.
    """

    title: str
    question: str
    lead: Markup
    sections: tuple[Section, ...]
    body: Markup


def report_names(project: Project) -> list[str]:
    """List the names of the site's reports, one for each notebook of the project.

    Parameters
    ----------
    project : Project
        Project whose notebooks are listed.

    Returns
    -------
    list of str
        Names such as ``06_cnn``, in order.
    """
    return sorted(path.stem for path in project.notebooks.glob("*.ipynb"))


def render_notebook(notebook: Path, navigation: Navigation) -> str:
    """Render an executed notebook.

    Parameters
    ----------
    notebook : Path
        Executed notebook. The name of the page is the name of this file without its suffix.
    navigation : Navigation
        What the navigation bar lists.

    Returns
    -------
    str
        HTML that loads nothing from other hosts. The same input gives the same text.

    Raises
    ------
    UserError
        If the file is missing, or is not a notebook.
    """
    resources = {"name": notebook.stem, **navigation._asdict()}
    html, _ = _exporter().from_notebook_node(_read(notebook), resources)
    return f"{html}\n"


def read_notebook(notebook: Path) -> ReportPage:
    """Read the text of a notebook, without its code.

    Parameters
    ----------
    notebook : Path
        Notebook, executed or not.

    Returns
    -------
    ReportPage
        Title, question, sections and the rendered Markdown.

    Raises
    ------
    UserError
        If the file is missing, or is not a notebook.
    """
    cells = [cell for cell in _read(notebook).cells if cell.cell_type == "markdown"]
    return postprocess(Markup("\n").join(render_markdown(cell.source, cell.get("attachments", {})) for cell in cells))


def render_markdown(source: str, attachments: dict[str, dict[str, str]]) -> Markup:
    """Render the text of a Markdown cell.

    Parameters
    ----------
    source : str
        Markdown.
    attachments : dict
        Images of the cell: from name to MIME type to content in base64.

    Returns
    -------
    Markup
        Sanitised HTML.
    """
    known = attachments if isinstance(attachments, dict) else {}
    renderer = _Renderer(escape=False, attachments=known, exclude_anchor_links=True)
    return sanitize(MarkdownWithMath(renderer).render(source))


def sanitize(html: str) -> Markup:
    """Remove from HTML all that is not inert content: scripts, styles, event handlers, anything loaded from elsewhere.

    Parameters
    ----------
    html : str
        Rendered Markdown, or the ``text/html`` output of a cell.

    Returns
    -------
    Markup
        The same HTML with the elements and attributes that describe content; the text of other elements stays,
        except that of scripts and style sheets.
    """
    return Markup(
        nh3.clean(
            html,
            tags=set(_TAGS.split()),
            attributes={"*": set(_ATTRIBUTES.split())},
            attribute_filter=_keep_harmless,
            url_schemes={"data", "http", "https", "mailto"},
            link_rel=None,
        )
    )


def postprocess(html: str) -> ReportPage:
    """Add anchors, text alternatives, captions and scrollable tables to the rendered cells of a notebook.

    Parameters
    ----------
    html : str
        Rendered and sanitised cells.

    Returns
    -------
    ReportPage
        Title, question, sections and the cells.
    """
    soup = BeautifulSoup(html, "html.parser")
    heading, paragraph = soup.find("h1"), soup.find("p")
    title, question = _text(heading), _text(paragraph)
    if heading:
        heading.decompose()
    lead = _extract_lead(soup, paragraph)
    for image in soup("img", alt=False):
        image["alt"] = title or "Figure"
    for number, image in enumerate(soup.select("figure > img"), start=1):
        _caption(soup, image, number)
    for text in soup.find_all(string=_PERCENTAGE):
        if not text.find_parent(["code", "pre"]):
            text.replace_with(_PERCENTAGE.sub(NO_BREAK_SPACE, text))
    for block in soup("pre"):
        block["tabindex"] = "0"
    for number, table in enumerate(soup("table"), start=1):
        if not table.find("table"):
            tidy(table)
        table.wrap(_scroll_region(soup, f"Table {number}"))
    for corner in soup("th"):
        corner.name = "th" if _text(corner) else "td"
    sections = tuple(_add_anchors(soup))
    return ReportPage(title, question, lead, sections, Markup(soup))


def anchor(text: str) -> str:
    """Convert a text to the id of an element.

    Parameters
    ----------
    text : str
        Heading or name of a genre.

    Returns
    -------
    str
        Lower-case letters, digits, underscores and hyphens, such as ``hip-hop``.
    """
    return re.sub(r"\W+", "-", text.lower()).strip("-") or "section"


def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        extra_template_basedirs=[str(TEMPLATES.parent)],
        template_name=TEMPLATES.name,
        filters={
            "markdown": render_markdown,
            "sanitize": sanitize,
            "postprocess": postprocess,
            "percent_encode": partial(quote, safe=" !$()*+,-./:;=?@[]^_{|}~'"),
        },
    )
    exporter.environment.autoescape = True
    return exporter


def _read(notebook: Path) -> NotebookNode:
    try:
        content: NotebookNode = nbformat.read(notebook, as_version=4)
        nbformat.validate(content)
    except FileNotFoundError:
        raise UserError(f"{notebook}: not found. Run `dvc repro` first.") from None
    except (ValueError, TypeError, AttributeError, RecursionError, nbformat.ValidationError) as error:
        raise UserError(
            f"{notebook}: not a valid notebook: {error}. Restore it with git, or run its stage again with `dvc repro`."
        ) from error
    return content


class _Renderer(IPythonRenderer):
    """Renderer that shows an image whose attachment is missing by its text alternative."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        name = url.removeprefix("attachment:")
        if name != url and not self.attachments.get(name):
            return f"<em>{escape(text or name)}</em>"
        return super().image(text, url, title)


def _keep_harmless(tag: str, name: str, value: str) -> str | None:
    """Keep sources that are images or sounds within the page, and links that are no pages of their own."""
    address = re.sub(r"[\x00-\x20]", "", value).lower()
    if name == "src":
        return value if address.startswith(("data:image/", "data:audio/")) else None
    return None if name == "href" and address.startswith("data:") else value


def _extract_lead(soup: BeautifulSoup, paragraph: Tag | None) -> Markup:
    """Take the first paragraph out of the page if a text begins with it."""
    parent = paragraph.parent if paragraph else None
    if paragraph is None or parent is None or (parent is not soup and parent.get("class") != ["text"]):
        return Markup("")
    if any(str(text).strip() for text in paragraph.find_all_previous(string=True)):
        return Markup("")
    paragraph.extract()
    if parent is not soup and not parent.find(True):
        parent.decompose()
    return Markup(paragraph)


def _text(tag: Tag | None) -> str:
    return visible_text(tag) if tag else ""


def _caption(soup: BeautifulSoup, image: Tag, number: int) -> None:
    """Add a number, a caption and a width to a figure; without a caption, its text alternative is the caption."""
    width = image.get("width") or _png_width(str(image.get("src", "")))
    if width:
        image["width"], image["style"] = str(width), f"--width: {width}px"
    caption = image.find_next_sibling("figcaption") or soup.new_tag("figcaption", string=str(image["alt"]))
    label = soup.new_tag("strong", string=f"Figure {number}.")
    caption.insert(0, label, " ")
    image.insert_after(caption)
    image.wrap(soup.new_tag("div", attrs={"class": "plot"}))


def _png_width(source: str) -> int:
    """Read the width of an embedded PNG in pixels; 0 for other images."""
    kind, _, content = source.partition(",")
    if kind != "data:image/png;base64":
        return 0
    try:
        header = base64.b64decode(content[:32] + "=" * (-len(content[:32]) % 4))
    except ValueError:
        return 0
    return int.from_bytes(header[16:20], "big")


def _add_anchors(soup: BeautifulSoup) -> list[Section]:
    """Make every id unique, add one to every heading, and list the headings of the second level."""
    ids = set(LAYOUT_IDS)
    for tag in soup(id=True):
        if tag["id"] in ids or tag.name in HEADINGS:
            del tag["id"]
        else:
            ids.add(str(tag["id"]))
    sections = []
    for heading in soup(HEADINGS):
        title = _text(heading)
        repeats = (f"{anchor(title)}-{number}" for number in count(2))
        unique = next(candidate for candidate in chain([anchor(title)], repeats) if candidate not in ids)
        ids.add(unique)
        heading["id"] = unique
        if heading.name == "h2":
            sections.append(Section(unique, title))
    return sections


def _scroll_region(soup: BeautifulSoup, label: str) -> Tag:
    return soup.new_tag("div", attrs={"class": "scroll", "role": "region", "aria-label": label, "tabindex": "0"})
