"""The story as slides."""

import base64
import io
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.site import build
from songgenre.report.slides import write_slides


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    picture = io.BytesIO()
    plt.imsave(picture, [[0, 1]], format="png")
    data = {"image/png": base64.b64encode(picture.getvalue()).decode()}
    shown, chosen, also = (
        new_output("display_data", data, metadata={"image/png": {"alt": alt}})
        for alt in ("Two points", "Chosen", "Also chosen")
    )
    cells = [
        new_markdown_cell("# Looking\n\nWhat is there?"),
        new_code_cell("draw()", outputs=[shown]),
        new_code_cell("sum", outputs=[new_output("display_data", {"text/markdown": "**Six** [genres](a.html)."})]),
    ]
    for path in (project.notebooks / "03_eda.ipynb", project.executed("03_eda"), project.notebooks / "04_more.ipynb"):
        path.parent.mkdir(parents=True, exist_ok=True)
        for number, cell in enumerate(cells):
            cell.id = f"cell-{number}"
        nbformat.write(new_notebook(cells=cells), path)
    tagged = [new_code_cell("draw()", id=f"chosen-{n}", outputs=[out]) for n, out in enumerate((chosen, also))]
    for cell in tagged:
        cell.metadata.tags = ["slide"]
    for path in (project.notebooks / "05_svm.ipynb", project.executed("05_svm")):
        nbformat.write(new_notebook(cells=[*cells[:2], *tagged, cells[2]]), path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    return project


def test_each_notebook_has_slides_with_question_figure_and_conclusion(project: Project, tmp_path: Path) -> None:
    build(project)
    for _ in range(2):
        write_slides(project, tmp_path / "slides.html")
    soup = BeautifulSoup((tmp_path / "slides.html").read_text("utf-8"), "html.parser")
    front, looking, waiting, first, second = soup.select("main > section")
    assert front.h1.get_text().endswith("?")
    assert looking.h2.get_text() == "Looking"
    assert looking.select_one(".question").get_text() == "What is there?"
    assert looking.img["alt"] == "Two points"
    assert looking.select_one(".conclusion").get_text().strip() == "Six genres."
    assert waiting.img is None
    assert [slide.img["alt"] for slide in (first, second)] == ["Chosen", "Also chosen"]
    assert [slide.select_one(".conclusion").get_text().strip() for slide in (first, second)] == ["", "Six genres."]
    assert not soup.select("a, link, [src]:not([src^='data:'])")


def test_without_a_site_there_is_no_story(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro"):
        write_slides(Project(tmp_path), tmp_path / "slides.html")
