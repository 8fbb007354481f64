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
    sections : tuple of Section
        Headings of the second level, in order.
    body : Markup
        Cells without the title.
    """

    title: str
    question: str
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


def render_notebook(notebook: Path, pages: Sequence[str], demo: bool = False) -> str:
    """Render an executed notebook.

    Parameters
    ----------
    notebook : Path
        Executed notebook. The name of the page is the name of this file without its suffix.
    pages : sequence of str
        Names of the reports that the navigation bar lists; see `report_names`.
    demo : bool
        Whether the page says that the songs are invented.

    Returns
    -------
    str
        HTML that loads nothing from other hosts. The same input gives the same text.

    Raises
    ------
    UserError
        If the file is missing, or is not a notebook.
    """
    resources = {"name": notebook.stem, "pages": list(pages), "demo": demo}
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
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
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
            attribute_filter=_drop_remote_source,
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
        filters={"markdown": render_markdown, "sanitize": sanitize, "postprocess": postprocess},
    )
    exporter.environment.autoescape = True
    return exporter


def _read(notebook: Path) -> NotebookNode:
    try:
        content: NotebookNode = nbformat.read(notebook, as_version=4)
    except FileNotFoundError:
        raise UserError(f"{notebook}: not found. Run `dvc repro` first.") from None
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        raise UserError(
            f"{notebook}: not a valid notebook: {error}. Restore it with git, or run its stage again with `dvc repro`."
        ) from error
    return content


def _drop_remote_source(tag: str, name: str, value: str) -> str | None:
    return None if name == "src" and not value.startswith("data:") else value


def _text(tag: Tag | None) -> str:
    return " ".join(tag.get_text().split()) if tag else ""


def _caption(soup: BeautifulSoup, image: Tag, number: int) -> None:
    """Add a number and a caption to a figure; without a caption of its own, its text alternative is the caption."""
    caption = image.find_next_sibling("figcaption") or soup.new_tag("figcaption", string=str(image["alt"]))
    label = soup.new_tag("strong", string=f"Figure {number}.")
    caption.insert(0, label, " ")
    image.insert_after(caption)


def _add_anchors(soup: BeautifulSoup) -> list[Section]:
    """Add a unique id to every heading, and list the headings of the second level."""
    ids = {"content"}
    sections = []
    for heading in soup(["h2", "h3", "h4"]):
        title = _text(heading)
        repeats = (f"{anchor(title)}-{number}" for number in count(2))
        unique = next(candidate for candidate in chain([anchor(title)], repeats) if candidate not in ids)
        ids.add(unique)
        heading["id"] = unique
        if heading.name == "h2":
            sections.append(Section(unique, title))
    return sections


def _scroll_region(soup: BeautifulSoup, number: int) -> Tag:
    label = f"Table {number}"
    return soup.new_tag("div", attrs={"class": "scroll", "role": "region", "aria-label": label, "tabindex": "0"})


def _align(table: Tag) -> None:
    """Mark the columns of numbers; columns are counted from the right, because row labels may span rows."""
    rows = [row("td") for row in table("tr")]
    width = max(map(len, rows), default=0)
    for column in range(1, width + 1):
        cells = [row[-column] for row in rows if len(row) >= column]
        if all(_NUMBER.fullmatch(_text(cell)) for cell in cells):
            heads = [row("th")[-column] for row in table("tr") if not row("td") and len(row("th")) >= column]
            for cell in (*cells, *heads):
                cell["class"] = "number"
