"""Pages of the site that are not notebooks, from templates."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from songgenre.report.notebook_page import TEMPLATES, anchor


def render(template: str, **content: object) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
        File name of the template.
    **content : object
        Variables of the template. Values are escaped, except `markupsafe.Markup`.

    Returns
    -------
    str
        HTML.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["anchor"] = anchor
    return environment.get_template(template).render(content)


def write_html(path: Path, html: str) -> None:
    """Write a page, the same bytes on every system.

    Parameters
    ----------
    path : Path
        File to write.
    html : str
        Content of the page.
    """
    path.write_text(html, encoding="utf-8", newline="\n")
