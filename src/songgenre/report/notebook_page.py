"""An executed notebook as one self-contained page of the report site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import nbformat
import nh3
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from songgenre.errors import UserError
from songgenre.paths import Project

TEMPLATES = Path(__file__).parent / "templates"

_NUMBER = re.compile(r"[+-]?(\d[\d,]*\.?\d*(e[+-]?\d+)?|inf)\s*%?|nan|nat|none|<na>", re.IGNORECASE)

_TAGS = """
    a abbr audio b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre q s samp small source span strong sub summary sup
    table tbody td tfoot th thead tr u ul var
"""
_ATTRIBUTES = """
    alt aria-label class colspan controls height href id rowspan scope src title type width
"""


@dataclass(frozen=True)
class Section:
    """A heading of the second level and the anchor that leads to it."""

    anchor: str
    title: str


@dataclass(frozen=True)
class ReportPage:
    """What a notebook tells.

    Parameters
    ----------
    title : str
        The text of its first heading of the first level; empty if it has none.
    question : str
        The text of its first paragraph; empty if it has none.
    sections : tuple of Section
        Its headings of the second level, in order.
    body : Markup
        Its cells without the title.
    """

    title: str
    question: str
    sections: tuple[Section, ...]
    body: Markup


def report_names(project: Project) -> list[str]:
    """Names of the site's reports: one for each notebook of the project, in order."""
    return sorted(path.stem for path in project.notebooks.glob("*.ipynb"))


def render_notebook(notebook: Path, pages: Sequence[str]) -> str:
    """Render an executed notebook.

    Parameters
    ----------
    notebook : Path
        The executed notebook. Its name without suffix is that of the page.
    pages : sequence of str
        Names of the reports that the navigation bar lists; see `report_names`.

    Returns
    -------
    str
        HTML which loads nothing from elsewhere. The same input gives the same text.

    Raises
    ------
    UserError
        If `notebook` is missing or is no notebook.
    """
    resources = {"name": notebook.stem, "pages": list(pages)}
    html, _ = _exporter().from_notebook_node(_read(notebook), resources)
    return f"{html}\n"


def read_notebook(notebook: Path) -> ReportPage:
    """Read what the text of a notebook tells, without running or rendering its code.

    Parameters
    ----------
    notebook : Path
        Any notebook, executed or not.

    Returns
    -------
    ReportPage
        Title, question, sections and the rendered markdown.

    Raises
    ------
    UserError
        If `notebook` is missing or is no notebook.
    """
    cells = [cell for cell in _read(notebook).cells if cell.cell_type == "markdown"]
    return postprocess(Markup("\n").join(render_markdown(cell.source, cell.get("attachments", {})) for cell in cells))


def render_markdown(source: str, attachments: dict[str, dict[str, str]]) -> Markup:
    """Render the text of a markdown cell.

    Parameters
    ----------
    source : str
        Markdown.
    attachments : dict
        The images pasted into the cell: by name, then by MIME type, in base64.

    Returns
    -------
    Markup
        HTML, sanitised.
    """
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return sanitize(MarkdownWithMath(renderer).render(source))


def sanitize(html: str) -> Markup:
    """Remove from HTML all that is not inert content: scripts, styles, event handlers, anything loaded from elsewhere.

    Parameters
    ----------
    html : str
        Rendered markdown or the ``text/html`` output of a cell.

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
            attribute_filter=_drop_remote_source,
            url_schemes={"data", "http", "https", "mailto"},
            link_rel=None,
        )
    )


def postprocess(html: str) -> ReportPage:
    """Give the rendered cells of a notebook anchors, alternative texts, captions and readable tables.

    Parameters
    ----------
    html : str
        The rendered cells, sanitised.

    Returns
    -------
    ReportPage
        The cells as ``body``, and what was read from them.
    """
    soup = BeautifulSoup(html, "html.parser")
    heading, paragraph = soup.find("h1"), soup.find("p")
    title = _text(heading)
    if heading:
        heading.decompose()
    for image in soup("img", alt=False):
        image["alt"] = title or "Figure"
    for number, image in enumerate(soup.select("figure > img"), start=1):
        _caption(soup, image, number)
    for block in soup("pre"):
        block["tabindex"] = "0"
    for number, table in enumerate(soup("table"), start=1):
        _align(table)
        for corner in table("th"):
            corner.name = "th" if _text(corner) else "td"
        table.wrap(_scroll_region(soup, number))
    sections = tuple(_add_anchors(soup))
    return ReportPage(title, _text(paragraph), sections, Markup(soup))


def anchor(text: str) -> str:
    """A text as the name of a place on a page, such as ``hip-hop``."""
    return re.sub(r"\W+", "-", text.lower()).strip("-") or "section"


def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        extra_template_basedirs=[str(TEMPLATES.parent)],
        template_name=TEMPLATES.name,
        filters={"markdown": render_markdown, "sanitize": sanitize, "postprocess": postprocess},
    )
    exporter.environment.autoescape = True
    return exporter


def _read(notebook: Path) -> NotebookNode:
    try:
        content: NotebookNode = nbformat.read(notebook, as_version=4)
    except FileNotFoundError:
        raise UserError(
            f"Expected a notebook at {notebook}, but there is none. Run its stage first: dvc repro"
        ) from None
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        raise UserError(
            f"Expected a notebook at {notebook}, but what is there cannot be read: {error}. "
            "Restore it with git, or run its stage again: dvc repro"
        ) from error
    return content


def _drop_remote_source(tag: str, name: str, value: str) -> str | None:
    return None if name == "src" and not value.startswith("data:") else value


def _text(tag: Tag | None) -> str:
    return " ".join(tag.get_text().split()) if tag else ""


def _caption(soup: BeautifulSoup, image: Tag, number: int) -> None:
    """Number a figure, and say below it what it shows; in the words of its alternative text if it has no others."""
    caption = image.find_next_sibling("figcaption") or soup.new_tag("figcaption", string=str(image["alt"]))
    counted = soup.new_tag("strong", string=f"Figure {number}.")
    caption.insert(0, counted, " ")
    image.insert_after(caption)


def _add_anchors(soup: BeautifulSoup) -> list[Section]:
    """Give every heading an id of its own, and list those of the second level."""
    taken = {"content"}
    sections = []
    for heading in soup(["h2", "h3", "h4"]):
        title = _text(heading)
        repeats = (f"{anchor(title)}-{number}" for number in count(2))
        free = next(candidate for candidate in chain([anchor(title)], repeats) if candidate not in taken)
        taken.add(free)
        heading["id"] = free
        if heading.name == "h2":
            sections.append(Section(free, title))
    return sections


def _scroll_region(soup: BeautifulSoup, number: int) -> Tag:
    label = f"Table {number}"
    return soup.new_tag("div", attrs={"class": "scroll", "role": "region", "aria-label": label, "tabindex": "0"})


def _align(table: Tag) -> None:
    """Mark the columns of numbers, counted from the right because row labels may span rows."""
    rows = [row("td") for row in table("tr")]
    width = max(map(len, rows), default=0)
    for column in range(1, width + 1):
        cells = [row[-column] for row in rows if len(row) >= column]
        if all(_NUMBER.fullmatch(_text(cell)) for cell in cells):
            heads = [row("th")[-column] for row in table("tr") if not row("td") and len(row("th")) >= column]
            for cell in (*cells, *heads):
                cell["class"] = "number"
