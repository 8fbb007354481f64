"""The report site: a page for every notebook and a front page which answers the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from songgenre.evaluation import Metrics, read_metrics
from songgenre.notebook.html import TEMPLATE, names, page, story
from songgenre.notebook.provenance import publish
from songgenre.paths import Project, replacing

BASELINE = "baseline"


@dataclass(frozen=True)
class Model:
    """A row of the comparison.

    Parameters
    ----------
    name : str
        Name of the model.
    stage : str
        Name of the metrics file of the stage that trained it, such as ``cnn``.
    page : str or None
        Name of that stage's report, such as ``06_cnn``; None if the site has none.
    score : Metrics
        How it does on the test songs.
    """

    name: str
    stage: str
    page: str | None
    score: Metrics


@dataclass(frozen=True)
class Stage:
    """A notebook as the front page presents it."""

    name: str
    title: str
    question: str
    has_run: bool

    @property
    def number(self) -> str:
        """Its place in the pipeline, such as ``06``."""
        return self.name.partition("_")[0]

    @property
    def word(self) -> str:
        """What it is about, such as ``cnn``."""
        return self.name.partition("_")[2].replace("_", " ")


def build(project: Project) -> Path:
    """Write the whole report site, in place of the one that was there.

    Parameters
    ----------
    project : Project
        The project whose executed notebooks and metrics are shown. What has not run yet is shown as such.

    Returns
    -------
    Path
        The front page, ``reports/html/index.html``.

    Raises
    ------
    UserError
        If a notebook or a metrics file cannot be read.
    """
    pages = names(project)
    stages = [_stage(project, name) for name in pages]
    with replacing(project.html) as folder:
        folder.mkdir()
        for stage in stages:
            html = page(project.executed(stage.name), pages) if stage.has_run else _pending(stage, pages)
            _write(folder / f"{stage.name}.html", html)
        _write(folder / "index.html", _front(stages, models(project)))
    publish(project)
    return project.html / "index.html"


def models(project: Project) -> list[Model]:
    """Collect the scores of all models.

    Parameters
    ----------
    project : Project
        The project whose metrics are read. Where the evaluation scored a model again, its numbers count.

    Returns
    -------
    list of Model
        The most accurate first.

    Raises
    ------
    UserError
        If a metrics file is not what a stage writes.
    """
    pages = {name.partition("_")[2]: name for name in names(project)}
    files = sorted((project.reports / "metrics").glob("*.json"), key=lambda file: (_repeats(file), file.stem))
    found: dict[str, Model] = {}
    for file in files:
        for name, score in read_metrics(file).items():
            stage = found[name].stage if name in found else file.stem
            found[name] = Model(name, stage, pages.get(stage), score)
    return sorted(found.values(), key=lambda model: (-model.score.accuracy, model.name))


def _repeats(file: Path) -> bool:
    return file.stem == "evaluation"


def _stage(project: Project, name: str) -> Stage:
    told = story(project.notebooks / f"{name}.ipynb")
    return Stage(name, told.title or name, told.question, project.executed(name).is_file())


def _front(stages: Sequence[Stage], models: Sequence[Model]) -> str:
    baseline = next((model for model in models if model.name == BASELINE), None)
    rivals = [model for model in models if model.name != BASELINE]
    return _render(
        "front.html.j2",
        stages=stages,
        models=models,
        baseline=baseline,
        rivals=rivals,
        best=rivals[0] if rivals else None,
        name=None,
        pages=[stage.name for stage in stages],
    )


def _pending(stage: Stage, pages: Sequence[str]) -> str:
    return _render("pending.html.j2", stage=stage, name=stage.name, pages=pages)


def _render(template: str, **content: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(content)


def _write(path: Path, html: str) -> None:
    path.write_text(html, encoding="utf-8", newline="\n")
