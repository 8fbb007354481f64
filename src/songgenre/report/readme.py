"""Results of each corpus, saved in ``docs/results`` and shown in the README."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.evaluation.files import read_metrics
from songgenre.paths import Project
from songgenre.report.markdown import table
from songgenre.tables.columns import count_artists
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

START, END = "<!-- results -->", "<!-- end of results -->"
"""Comments of the README that enclose the tables."""

NAME = r"[a-z][a-z0-9_]*"


class Score(BaseModel):
    """An accuracy with its 95 % interval.

    Parameters
    ----------
    accuracy, ci95_low, ci95_high : float
        Accuracy and the bounds of its interval, 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: float
    ci95_low: float
    ci95_high: float

    def __str__(self) -> str:
        """Format the accuracy and its interval."""
        return f"{self.accuracy:.2f} ({self.ci95_low:.2f} to {self.ci95_high:.2f})"


class Cost(BaseModel):
    """Cost of a stage.

    Parameters
    ----------
    seconds : float
        Wall time in s.
    peak_anonymous_mib : int
        Peak of the anonymous memory in MiB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float
    peak_anonymous_mib: int


class Result(BaseModel):
    """Results of one run of the pipeline.

    Parameters
    ----------
    songs : dict
        Number of songs per split.
    artists : int
        Number of artists.
    genres : dict
        Number of songs per genre.
    test, nested : dict
        From model to its score on the test songs, and over all songs in nested cross-validation.
    protocols, protocols_cnn : dict
        From evaluation protocol to the accuracy of one scikit-learn model, see
        `songgenre.models.diagnostics.evaluation_protocols`, and of the CNN.
    stages : dict
        From notebook to the cost of its stage, if there is a log.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    songs: dict[str, int]
    artists: int
    genres: dict[str, int]
    test: dict[str, Score]
    nested: dict[str, Score]
    protocols: dict[str, float]
    protocols_cnn: dict[str, float] = {}
    stages: dict[str, Cost]


def collect_results(project: Project) -> Result:
    """Collect the results of the last run of the pipeline.

    Parameters
    ----------
    project : Project
        Project whose tables, metrics and logs are read.

    Returns
    -------
    Result
        Scores, counts and costs.

    Raises
    ------
    UserError
        If a stage has not run.
    """
    tracks = read_table(TRACKS, project.tracks)
    nested, *protocols = map(project.plot, ["nested", "protocols", "protocols_cnn"])
    if missing := [str(path) for path in (nested, *protocols) if not path.is_file()]:
        raise UserError(f"{', '.join(missing)}: not found. Run `dvc repro` first.")
    of_sklearn, of_cnn = (pd.read_csv(path).set_index("test")["accuracy"].to_dict() for path in protocols)
    return Result(
        songs=_count(tracks["split"]),
        artists=count_artists(tracks),
        genres=_count(tracks["genre"]),
        test={
            name: Score(accuracy=score.accuracy, ci95_low=score.ci95_low, ci95_high=score.ci95_high)
            for name, score in read_metrics(project.metrics("evaluation")).items()
        },
        nested={
            row["model"]: Score(accuracy=row["accuracy"], ci95_low=row["ci95_low"], ci95_high=row["ci95_high"])
            for row in pd.read_csv(nested).to_dict("records")
        },
        protocols=of_sklearn,
        protocols_cnn=of_cnn,
        stages={log.stem: cost for log in sorted(project.log("any").parent.glob("*.json")) if (cost := _cost(log))},
    )


def save_results(project: Project, name: str) -> Path:
    """Save the results of the last run as ``docs/results/NAME.json``, and show them in the README.

    A stage without a log, as in a fresh clone, keeps its previous cost.

    Parameters
    ----------
    project : Project
        Project whose last run is saved.
    name : str
        Name of the corpus: lower-case letters, digits and underscores.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If the name is not allowed, a stage has not run, or the README has no place for the results.
    """
    if not re.fullmatch(NAME, name):
        raise UserError(
            f"{name!r}: not a valid name of a corpus. Use lower-case letters, digits and underscores, a letter first."
        )
    path = _folder(project) / f"{name}.json"
    result = collect_results(project)
    before = _read(path).stages if path.is_file() else {}
    result = result.model_copy(update={"stages": before | result.stages})
    with replacing(path) as partial:
        partial.write_text(json.dumps(result.model_dump(mode="json"), indent=2) + "\n")
    readme = project.root / "README.md"
    text = insert_results(readme.read_text("utf-8"), load_results(project))
    with replacing(readme) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def load_results(project: Project) -> dict[str, Result]:
    """Load the results in ``docs/results``.

    Parameters
    ----------
    project : Project
        Project whose results are read.

    Returns
    -------
    dict of Result
        From the name of the corpus to its results.

    Raises
    ------
    UserError
        If a file has another format.
    """
    return {path.stem: _read(path) for path in sorted(_folder(project).glob("*.json"))}


def insert_results(readme: str, results: Mapping[str, Result]) -> str:
    """Replace the tables of a README by those of the results.

    Parameters
    ----------
    readme : str
        Markdown with the two comments that enclose the tables.
    results : mapping
        From the name of the corpus to its results.

    Returns
    -------
    str
        The new Markdown.

    Raises
    ------
    UserError
        If one of the two comments is missing.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise UserError(f"README.md: {START}, or {END} below it, not found. Add both comments around the results.")
    tables = "\n\n".join([_scores(results), _protocols(results), _costs(results)])
    return f"{before}{START}\n{tables}\n{END}{after}"


def _scores(results: Mapping[str, Result]) -> str:
    """Tabulate the scores: a row per model, the best of the last corpus first; a column per corpus and test."""
    header = ["model"]
    columns: list[Mapping[str, Score]] = []
    for name, result in results.items():
        readable = name.replace("_", " ")
        header += [f"{readable}, {result.songs['test']} test songs"]
        header += [f"{readable}, nested folds over all {sum(result.songs.values())}"]
        columns += [result.test, result.nested]
    models = {model for column in columns for model in column}
    order = sorted(models, key=lambda model: (-max(c[model].accuracy for c in columns[-2:] if model in c), model))
    rows = [[model.replace("_", " "), *(str(column.get(model, "")) for column in columns)] for model in order]
    return table(header, rows)


def _protocols(results: Mapping[str, Result]) -> str:
    """Tabulate the evaluation protocols: a row per protocol, a column per model and corpus."""
    of_models = {
        "scikit-learn": {name: result.protocols for name, result in results.items()},
        "cnn": {name: result.protocols_cnn for name, result in results.items() if result.protocols_cnn},
    }
    columns = {
        f"{model}, {name.replace('_', ' ')}": scores
        for model, of_corpora in of_models.items()
        for name, scores in of_corpora.items()
    }
    protocols = dict.fromkeys(way for scores in columns.values() for way in scores)
    rows = [[way, *(f"{scores[way]:.2f}" if way in scores else "" for scores in columns.values())] for way in protocols]
    return table(["tested on", *columns], rows)


def _costs(results: Mapping[str, Result]) -> str:
    """Tabulate the costs: a row per stage, a column per corpus."""
    header = ["stage", *(f"{name.replace('_', ' ')}, s and MiB" for name in results)]
    stages = sorted({stage for result in results.values() for stage in result.stages})
    rows = [[stage, *(_format_cost(result.stages.get(stage)) for result in results.values())] for stage in stages]
    return table(header, rows)


def _format_cost(cost: Cost | None) -> str:
    return f"{cost.seconds:.0f}, {cost.peak_anonymous_mib}" if cost else ""


def _count(values: pd.Series) -> dict[str, int]:
    return {str(value): int(count) for value, count in values.value_counts().sort_index().items()}


def _cost(log: Path) -> Cost | None:
    """Read the cost of a run; None if the run did not finish."""
    content = json.loads(log.read_text())
    if not content.get("finished"):
        return None
    return Cost(seconds=content["seconds"], peak_anonymous_mib=content["peak_anonymous_mib"])


def _read(path: Path) -> Result:
    try:
        return Result.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"{path}: not valid results. Delete the file, and write it again with `songgenre dev results`.\n{error}"
        ) from None


def _folder(project: Project) -> Path:
    return project.root / "docs" / "results"
