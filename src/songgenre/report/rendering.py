"""Pages of the site that are not notebooks, from templates."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from songgenre.paths import Project
from songgenre.report.notebook_page import TEMPLATES, anchor
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import read_table


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


def is_demo(project: Project) -> bool:
    """Tell whether the songs are those of the demo, which are invented.

    Parameters
    ----------
    project : Project
        Project whose catalogue is read.

    Returns
    -------
    bool
        False if there is no catalogue yet.

    Raises
    ------
    UserError
        If the catalogue cannot be read.
    """
    return project.catalogue.is_file() and read_table(CATALOGUE, project.catalogue)["source"].eq("demo").any()


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
