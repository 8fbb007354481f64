"""Model card and data card of the last run of the pipeline, in Markdown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from songgenre import params
from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.evaluation.ensemble import ENSEMBLE
from songgenre.evaluation.files import file_hash
from songgenre.evaluation.metrics import BASELINE, accuracy_coverage_curve, evaluate
from songgenre.paths import Project
from songgenre.report.markdown import escape, table
from songgenre.report.rendering import is_demo
from songgenre.report.scores import best_model, load_scores, read_predictions
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.columns import SPLITS, count_artists
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS
from songgenre.wrangling.split import artists_in_multiple_splits

FAMILIES = {
    "cnn": "a convolutional network on mel spectrograms, trained from scratch",
    "transfer": "a linear discriminant analysis of embeddings of two pretrained networks (musicnn, Pons & Serra 2019)",
    ENSEMBLE: "the mean of the probabilities of several models",
}


DEMO_ORIGIN = """\
The demo is synthetic: rules compose the songs, a synthesizer plays them, and the catalogue has the
faults of real collections."""
REAL_ORIGIN = "The recordings belong to their rights holders; none is part of this project."


def available_cards(project: Project) -> dict[str, str]:
    """Return both cards if all stages have run.

    Parameters
    ----------
    project : Project
        Project whose last run is reported.

    Returns
    -------
    dict of str
        Markdown of ``model_card`` and ``data_card``; empty if a stage has not run.

    Raises
    ------
    UserError
        If a table or a metrics file cannot be read.
    """
    reports = [project.metrics("evaluation"), project.predictions("evaluation"), project.plot("nested")]
    inputs = [project.params, project.catalogue, project.tracks, project.excluded, *reports]
    if not all(path.is_file() for path in inputs):
        return {}
    return {"model_card": model_card(project), "data_card": data_card(project)}


def write_cards(project: Project) -> list[Path]:
    """Write both cards into ``docs``.

    Parameters
    ----------
    project : Project
        Project whose stages have run.

    Returns
    -------
    list of Path
        The files, ``model_card.md`` and ``data_card.md``.

    Raises
    ------
    UserError
        If a stage has not run.
    """
    cards = {"model_card.md": model_card(project), "data_card.md": data_card(project)}
    paths = [project.root / "docs" / name for name in cards]
    for path, text in zip(paths, cards.values(), strict=True):
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    return paths


def model_card(project: Project) -> str:
    """Describe the best model: training data, intended use, results and limitations.

    Parameters
    ----------
    project : Project
        Project whose last run is reported.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    UserError
        If a stage has not run.
    """
    models = load_scores(project)
    n_models = sum(model.name != BASELINE for model in models)
    winner = best_model(models)
    own_predictions = read_predictions(project, winner)
    if winner is None or own_predictions is None:
        raise UserError("Model card: metrics or predictions of the best model not found. Run `dvc repro` first.")
    metrics = winner.score
    tracks = read_table(TRACKS, project.tracks)
    predictions = own_predictions.merge(tracks[["track_id", "artist_group", "collection"]], on="track_id")
    confident_half = accuracy_coverage_curve(predictions).query("coverage >= 0.5").iloc[0]
    settings = params.load_params(project.params)
    family = FAMILIES.get(winner.name, "a scikit-learn classifier on descriptors of the sound")
    if winner.name == ENSEMBLE:
        family += f" ({', '.join(settings.evaluation.ensemble).replace('_', ' ')})"
    genres = [
        (
            genre,
            (predictions["genre"] == genre).sum(),
            *(f"{scores[genre]:.2f}" for scores in (metrics.precision, metrics.recall, metrics.f1)),
        )
        for genre in metrics.f1
    ]
    seed = settings.evaluation.seed
    collections = [(collection, *_accuracy(rows, seed)) for collection, rows in predictions.groupby("collection")]
    genre_names = ", ".join(map(escape, metrics.f1))
    training = tracks[tracks["split"] != "test"]
    low, high = metrics.ci95_low, metrics.ci95_high
    return f"""# Model card: {winner.display_name}

The best of {n_models} models that the last run trained: {family}. It predicts the probabilities of
{genre_names}.

## Intended use

The model measures how well genre can be predicted from sound on this corpus, and sorts similar music.

## Out-of-scope use

The model must not decide what people are paid or shown: genre labels are conventions rather than properties of sound,
and these labels are those of the source. The model predicts one of its genres for every song, including songs of other
genres. A model that was trained on the demo is not valid for real music.

## Training data

{len(training)} songs by {count_artists(training)} artists; see the [data card](data_card.md).
{describe_leakage(tracks)}

## Results

{_describe_nested(project, winner.name, tracks)}
On the {metrics.n_test} test songs the accuracy is {metrics.accuracy:.3f} ({low:.3f} to {high:.3f}), macro F1
{metrics.macro_f1:.3f}, and top-2 accuracy (the true genre is one of the two most probable ones)
{metrics.top2_accuracy:.3f}. The following tables are for these songs. All intervals are 95 % intervals from a bootstrap
over artists.

{table(["genre", "test songs", "precision", "recall", "F1"], genres)}

{table(["collection", "test songs", "accuracy", "95 % interval"], collections)}

## Calibration

Log loss {metrics.log_loss:.3f}; expected calibration error, the weighted mean distance between confidence and
accuracy, {metrics.expected_calibration_error:.3f}. At 50 % coverage (the most confident half) accuracy is
{confident_half["accuracy"]:.3f}.

## Limitations

The test set has only {metrics.n_test} songs, so the interval is more informative than the accuracy. Genre and
collection may be correlated, so the model may partly recognise the sound of a collection: compare the accuracies above,
and those on collections that were left out, in 05_sklearn. Artists are identified by name.

## Version

Tracks `{metrics.data_hash}`, model `{metrics.model_hash}` (SHA-256, first 12 digits). `songgenre dev cards` generates
this card.
"""


def data_card(project: Project) -> str:
    """Describe the corpus: sources, composition and exclusions.

    Parameters
    ----------
    project : Project
        Project whose last run is reported.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    UserError
        If a stage has not run.
    """
    catalogue = read_table(CATALOGUE, project.catalogue)
    tracks = read_table(TRACKS, project.tracks)
    excluded = read_table(EXCLUDED, project.excluded)
    corpus = catalogue[catalogue["track_id"].isin(tracks["track_id"])]
    genres = [
        (genre, len(rows), count_artists(rows), *(rows["split"].eq(split).sum() for split in SPLITS))
        for genre, rows in tracks.groupby("genre")
    ]
    collections = [
        (source, collection, license, len(rows))
        for (source, collection, license), rows in corpus.fillna({"license": "unknown"}).groupby(
            ["source", "collection", "license"]
        )
    ]
    reasons = excluded["reason"].value_counts().sort_index()
    durations = tracks["duration_s"].quantile([0.05, 0.5, 0.95])
    clip_s = tracks["clip_duration_s"].max()
    return f"""# Data card

The sources list {len(catalogue)} songs. The corpus has {len(tracks)} of them, by {count_artists(tracks)} artists;
{len(excluded)} are excluded.

## Sources

{table(["source", "collection", "license", "songs used"], collections)}

{DEMO_ORIGIN if is_demo(project) else REAL_ORIGIN}

## Corpus

The models use the central {clip_s:g} s of each song. The median duration of a song is {durations[0.5]:.0f} s; 90 % last
{durations[0.05]:.0f} to {durations[0.95]:.0f} s. The labels are those of the source; `wrangling.multi_genre` determines
how songs with several genres are treated.

{table(["genre", "songs", "artists", *SPLITS], genres)}

{describe_leakage(tracks)}

## Excluded songs

{table(["reason", "songs"], list(reasons.items()))}

The exclusion log, `data/clean/excluded.parquet`, has the details of each song.

## Limitations

Each genre has few artists, so models may learn the style of these artists. An artist with two names counts as two.

Tracks `{file_hash(project.tracks)}` (SHA-256, first 12 digits). `songgenre dev cards` generates this
card.
"""


def describe_leakage(tracks: pd.DataFrame) -> str:
    """Tell how many artists are in more than one split, and how many songs have no artist.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    str
        One or two sentences.
    """
    unknown = int(tracks["artist"].isna().sum())
    number, known = len(artists_in_multiple_splits(tracks)) or "No", "known " if unknown else ""
    leaking = f"{number} {known}artists are in more than one split."
    if unknown == 0:
        return leaking
    warning = f"The artists of {unknown} songs are unknown, so one artist may be in several splits without notice."
    return warning if unknown == len(tracks) else f"{warning} {leaking}"


def _describe_nested(project: Project, model: str, tracks: pd.DataFrame) -> str:
    """Describe the accuracy in nested cross-validation; empty if the model was not run in it, on all songs."""
    scores = pd.read_csv(project.plot("nested")).set_index("model")
    if model not in scores.index:
        return ""
    accuracy, low, high = scores.loc[model, ["accuracy", "ci95_low", "ci95_high"]]
    known = ", as far as it is known" if tracks["artist"].isna().any() else ""
    if scores.loc[model, "songs"] < len(tracks):
        return ""
    return (
        f"In nested cross-validation over all {len(tracks)} songs the accuracy is **{accuracy:.3f}** ({low:.3f} to "
        f"{high:.3f}). Quote this figure: every song is tested, by models that were trained without its artist"
        f"{known}.\n"
    )


def _accuracy(predictions: pd.DataFrame, seed: int) -> tuple[int, str, str]:
    metrics = evaluate(predictions, predictions["artist_group"], "", "", seed)
    low, high = metrics.ci95_low, metrics.ci95_high
    return metrics.n_test, f"{metrics.accuracy:.2f}", f"{low:.2f} to {high:.2f}"
