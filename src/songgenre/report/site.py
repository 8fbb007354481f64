"""The report site: a front page with the results, and a page for every notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from songgenre.atomic import replacing
from songgenre.evaluation.metrics import BASELINE
from songgenre.notebook.provenance import publish
from songgenre.params import LOCAL, Compute
from songgenre.paths import Project
from songgenre.report import cards, dag
from songgenre.report.key_figures import Figure, count_songs_without_artist, key_figure
from songgenre.report.listen import HEIGHT, WIDTH, MapGenre, choose_sample, write_listen_page
from songgenre.report.notebook_page import (
    Navigation,
    postprocess,
    read_notebook,
    render_markdown,
    render_notebook,
    report_names,
)
from songgenre.report.rendering import is_demo, render, write_html
from songgenre.report.scores import (
    Model,
    best_model,
    best_nested,
    confusions,
    load_scores,
    read_predictions,
)


@dataclass(frozen=True)
class Stage:
    """A notebook on the front page.

    Parameters
    ----------
    name : str
        Name of the notebook, such as ``06_cnn``.
    title, question : str
        First heading and first paragraph of the notebook.
    has_run : bool
        Whether the notebook has been executed.
    figure : Figure or None
        Key figure, see `songgenre.report.key_figures.key_figure`.
    """

    name: str
    title: str
    question: str
    has_run: bool
    figure: Figure | None

    @property
    def number(self) -> str:
        """Number of the notebook, such as ``06``."""
        return self.name.partition("_")[0]

    @property
    def word(self) -> str:
        """Name of the notebook without its number, such as ``cnn``."""
        return self.name.partition("_")[2].replace("_", " ")


def build(project: Project, compute: Compute = LOCAL) -> Path:
    """Write the whole report site, and replace the previous one.

    Parameters
    ----------
    project : Project
        Project whose executed notebooks and metrics are shown. Stages that have not run are marked.
    compute : Compute
        Machines that encode the excerpts, see `songgenre.compute`.

    Returns
    -------
    Path
        Front page, ``reports/html/index.html``.

    Raises
    ------
    UserError
        If a notebook, a table, a metrics file or an audio file cannot be read.
    """
    pages, scores = report_names(project), load_scores(project)
    stages = [_stage(project, name, scores) for name in pages]
    texts = cards.available_cards(project)
    navigation = Navigation(pages, list(texts), is_demo(project))
    with replacing(project.html) as folder:
        folder.mkdir()
        for stage in stages:
            executed = project.executed(stage.name)
            html = render_notebook(executed, navigation) if stage.has_run else _pending(stage, navigation)
            write_html(folder / f"{stage.name}.html", html)
        for name, text in texts.items():
            write_html(folder / f"{name}.html", _card(name, text, navigation))
        genres = write_listen_page(project, best_model(scores), folder, navigation, compute)
        write_html(folder / "index.html", _front(project, stages, scores, genres, navigation))
    publish(project)
    return project.html / "index.html"


def _stage(project: Project, name: str, models: Sequence[Model]) -> Stage:
    page = read_notebook(project.notebooks / f"{name}.ipynb")
    has_run = project.executed(name).is_file()
    figure = key_figure(project, name, models) if has_run else None
    return Stage(name, page.title or name, page.question, has_run, figure)


def _card(name: str, text: str, navigation: Navigation) -> str:
    page = postprocess(render_markdown(text.replace("_card.md)", "_card.html)"), {}))
    return render("card.html.j2", story=page, name=name, **navigation._asdict())


def _front(
    project: Project,
    stages: Sequence[Stage],
    models: Sequence[Model],
    genres: Sequence[MapGenre],
    navigation: Navigation,
) -> str:
    winner = best_model(models)
    steps = dag.read_steps(project.root / "dvc.yaml")
    mistakes = confusions(read_predictions(project, winner))
    return render(
        "front.html.j2",
        stages=stages,
        models=models,
        baseline=next((model for model in models if model.name == BASELINE), None),
        rivals=[model for model in models if model.name != BASELINE],
        best=winner,
        nested=best_nested(project),
        n_unknown=count_songs_without_artist(project),
        mistakes=mistakes,
        genres=genres,
        size=(WIDTH, HEIGHT),
        sample=choose_sample(genres, mistakes),
        steps=steps,
        drawings=[dag.draw(steps, direction) for direction in (dag.HORIZONTAL, dag.VERTICAL)],
        about={step.name: _about(step, steps, stages) for step in steps},
        name=None,
        **navigation._asdict(),
    )


def _about(step: dag.Step, steps: Sequence[dag.Step], stages: Sequence[Stage]) -> Stage | None:
    """Find the notebook of a step, or else the notebook of the first step that depends on it."""
    own = next((stage for stage in stages if stage.name == step.notebook), None)
    followers = (other for other in steps if step.name in other.after)
    return own or next((stage for other in followers if (stage := _about(other, steps, stages))), None)


def _pending(stage: Stage, navigation: Navigation) -> str:
    return render("pending.html.j2", stage=stage, name=stage.name, **navigation._asdict())
