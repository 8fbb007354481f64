"""The report site: one page for every notebook and a front page with the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat.v4 import new_markdown_cell, new_notebook

from songgenre.errors import UserError
from songgenre.evaluation.files import write_metrics
from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.report.scores import load_scores
from songgenre.report.site import build
from songgenre.sources.base import Track
from songgenre.sources.catalogue import tabulate
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import write_table

PIPELINE = """
stages:
  features: {cmd: songgenre notebook run 04_features, desc: Describe, outs: [a]}
  sklearn: {cmd: songgenre notebook run 05_sklearn, desc: Learn, deps: [a], outs: [b]}
  weights: {cmd: songgenre pretrained fetch, desc: Fetch, outs: [c]}
  cnn: {cmd: songgenre notebook run 06_cnn, desc: See, deps: [a, c], outs: [d]}
  evaluation: {cmd: songgenre notebook run 08_evaluation, desc: Compare, deps: [b, d], outs: [e]}
  report: {cmd: songgenre report build, desc: Show, deps: [a, b, e]}
"""
STAGES = ["04_features", "05_sklearn", "06_cnn", "08_evaluation"]


def notebook(path: Path, title: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = new_markdown_cell(f"# {title}\n\nWhat does {title} tell?", id="story")
    nbformat.write(new_notebook(cells=[cell]), path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    for name in STAGES:
        notebook(project.notebooks / f"{name}.ipynb", f"About {name}")
    return project


def execute(project: Project, *stages: str) -> None:
    for name in stages:
        notebook(project.executed(name), f"About {name}")


def front(project: Project) -> BeautifulSoup:
    return BeautifulSoup(build(project).read_text("utf-8"), "html.parser")


def words(tag: Tag) -> str:
    return " ".join(tag.get_text().split())


def test_every_notebook_has_a_page_and_a_card(project: Project) -> None:
    execute(project, *STAGES)
    cards = front(project).select(".card")
    pages = [f"{name}.html" for name in STAGES]
    assert sorted(path.name for path in project.html.iterdir()) == [*pages, "index.html", "map.html", "provenance.js"]
    assert [card.a["href"] for card in cards] == ["map.html", *pages]
    assert [card.h3.get_text() for card in cards[1:]] == [f"About {name}" for name in STAGES]
    assert words(cards[1]) == "04_features About 04_features What does About 04_features tell?"


def test_the_same_project_gives_the_same_bytes(project: Project, measured: Callable[[float], Metrics]) -> None:
    execute(project, *STAGES)
    write_metrics({"svc": measured(0.8)}, project.metrics("sklearn"))
    first = {path.name: path.read_bytes() for path in build(project).parent.iterdir()}
    assert first == {path.name: path.read_bytes() for path in build(project).parent.iterdir()}


def test_the_answer_names_the_best_model_and_the_baseline(
    project: Project, measured: Callable[[float], Metrics]
) -> None:
    write_metrics({"baseline": measured(0.2), "svc": measured(0.7)}, project.metrics("sklearn"))
    write_metrics({"cnn": measured(0.8)}, project.metrics("cnn"))
    answer = words(front(project).select_one(".answer"))
    assert all(part in answer for part in ("2 models", "CNN", "80 %", "48 test songs", "95 %", "70\u201390 %", "20 %"))


def test_models_are_compared_best_first_with_the_stage_that_trained_them(
    project: Project, measured: Callable[[float], Metrics]
) -> None:
    write_metrics({"baseline": measured(0.2), "linear_svc": measured(0.7)}, project.metrics("sklearn"))
    write_metrics({"cnn": measured(0.8)}, project.metrics("cnn"))
    rows = front(project).select(".models tbody tr")
    assert [words(row.th) for row in rows] == ["CNN", "linear svc", "baseline"]
    assert [row.a["href"] for row in rows] == ["06_cnn.html", "05_sklearn.html", "05_sklearn.html"]
    assert rows[0]["class"] == ["best"]
    assert "--value: 80.00%; --low: 70.00%; --high: 90.00%; --baseline: 20.00%" in rows[0].div["style"]


def test_numbers_of_the_evaluation_replace_those_of_the_stages(
    project: Project, measured: Callable[[float], Metrics]
) -> None:
    write_metrics({"cnn": measured(0.8)}, project.metrics("cnn"))
    write_metrics({"cnn": measured(0.6), "vote": measured(0.5)}, project.metrics("evaluation"))
    assert [(model.name, model.score.accuracy, model.page) for model in load_scores(project)] == [
        ("cnn", 0.6, "06_cnn"),
        ("vote", 0.5, "08_evaluation"),
    ]


def test_a_model_of_a_stage_without_notebook_is_named_without_link(
    project: Project, measured: Callable[[float], Metrics]
) -> None:
    write_metrics({"wave": measured(0.8)}, project.metrics("transfer"))
    row = front(project).select_one(".models tbody tr")
    assert row.a is None
    assert words(row("td")[-1]) == "transfer"


def test_genres_of_the_best_model_are_listed_easiest_first(
    project: Project, measured: Callable[[float], Metrics]
) -> None:
    write_metrics({"svc": measured(0.8)}, project.metrics("sklearn"))
    assert [words(genre) for genre in front(project).select(".genres li")] == ["rock 0.80", "jazz 0.50"]


def test_a_stage_that_has_not_run_says_so(project: Project) -> None:
    execute(project, "04_features")
    soup = front(project)
    waiting = soup.select_one(".pipeline").select(".waiting")
    assert [words(node.select_one(".number")) for node in waiting] == ["05", "06", "08"]
    assert len(soup.select(".card .state")) == 3
    pending = BeautifulSoup((project.html / "06_cnn.html").read_text("utf-8"), "html.parser")
    assert "What does About 06_cnn tell?" in words(pending.main)
    assert "dvc repro" in words(pending.main)


def test_nested_cross_validation_leads(project: Project, measured: Callable[[float], Metrics]) -> None:
    write_metrics({"cnn": measured(0.8)}, project.metrics("cnn"))
    project.plot("nested").parent.mkdir(parents=True, exist_ok=True)
    project.plot("nested").write_text("model,accuracy,ci95_low,ci95_high\ntransfer,0.9,0.85,0.95\nsvm,0.7,0.6,0.75\n")
    answer = front(project).select_one(".answer")
    assert words(answer.select_one(".figure")) == "90 %"
    assert all(part in words(answer) for part in ("transfer", "85\u201395 %", "CNN", "80 %"))


@pytest.mark.parametrize("source", ["demo", "folder"])
def test_every_page_says_whether_the_songs_are_invented(project: Project, source: str) -> None:
    song = Track(source, "a.wav", None, ("rock",), reason="truncated", detail="cut")
    write_table(tabulate([song], project.audio), CATALOGUE, project.catalogue)
    execute(project, "04_features")
    build(project)
    for page in project.html.glob("*.html"):
        banner = BeautifulSoup(page.read_text("utf-8"), "html.parser").select_one(".demo")
        assert (banner is not None) == (source == "demo")


def test_without_metrics_nobody_knows_the_answer(project: Project) -> None:
    soup = front(project)
    assert "dvc repro" in words(soup.select_one(".answer"))
    assert "%" not in words(soup.select_one(".answer"))
    assert soup.select_one(".models") is None


def test_a_baseline_alone_is_no_answer(project: Project, measured: Callable[[float], Metrics]) -> None:
    write_metrics({"baseline": measured(0.2)}, project.metrics("sklearn"))
    answer = words(front(project).select_one(".answer"))
    assert "dvc repro" in answer
    assert "%" not in answer


def test_a_project_without_notebooks_has_a_front_page(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    assert front(Project(tmp_path)).h1.get_text().endswith("?")


def test_the_site_is_replaced_whole(project: Project) -> None:
    build(project)
    (project.html / "09_gone.html").write_text("old")
    build(project)
    assert not (project.html / "09_gone.html").exists()


def test_broken_metrics_are_named_and_the_old_site_stays(project: Project) -> None:
    before = build(project).read_bytes()
    project.metrics("cnn").parent.mkdir(parents=True)
    project.metrics("cnn").write_text('{"cnn": {"accuracy": 8}}')
    with pytest.raises(UserError, match=r"cnn\.json"):
        build(project)
    assert (project.html / "index.html").read_bytes() == before


def test_hostile_names_are_not_run(project: Project, measured: Callable[[float], Metrics]) -> None:
    hostile = "<script>alert(1)</script>"
    notebook(project.notebooks / "04_features.ipynb", f"Features {hostile}")
    write_metrics({hostile: measured(0.8)}, project.metrics("sklearn"))
    soup = front(project)
    assert not soup.select("main script")
    assert not [script for script in soup("script") if "alert" in script.get_text()]
    assert soup.select(".card h3")[1].get_text() == "Features"
    assert words(soup.select_one(".models tbody th")) == hostile
    assert f"<h1>{hostile}" not in (project.html / "04_features.html").read_text("utf-8")
