"""The model card and the data card: what the last run of the pipeline trained, and on what, in Markdown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from songgenre import params
from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.evaluation.ensemble import ENSEMBLE
from songgenre.evaluation.files import file_hash
from songgenre.evaluation.metrics import accuracy_coverage_curve, evaluate
from songgenre.paths import Project
from songgenre.report.markdown import table
from songgenre.report.scores import best_model, load_scores, read_predictions
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.columns import SPLITS
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

FAMILIES = {
    "cnn": "a convolutional network on mel images, trained from scratch",
    "transfer": "a linear discriminant analysis of what two pretrained networks hear (musicnn, Pons & Serra 2019)",
    ENSEMBLE: "the mean of the probabilities of several models",
}


def available_cards(project: Project) -> dict[str, str]:
    """The cards by name, ``model_card`` and ``data_card``; none before all stages have run."""
    reports = [project.metrics("evaluation"), project.predictions("evaluation")]
    needed = [project.params, project.catalogue, project.tracks, project.excluded, *reports]
    if not all(path.is_file() for path in needed):
        return {}
    return {"model_card": model_card(project), "data_card": data_card(project)}


def write_cards(project: Project) -> list[Path]:
    """Write both cards into ``docs``.

    Parameters
    ----------
    project : Project
        Whose stages have run.

    Returns
    -------
    list of Path

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
    """What the best model is, what it is for, and how good it is.

    Raises
    ------
    UserError
        If a stage has not run.
    """
    compared = load_scores(project)
    winner = best_model(compared)
    answered = read_predictions(project, winner)
    if winner is None or answered is None:
        raise UserError(
            "Expected models and what they said of the test songs, but there are none. Run `dvc repro` first."
        )
    measured = winner.score
    tracks = read_table(TRACKS, project.tracks)
    predictions = answered.merge(tracks[["track_id", "artist_group", "collection"]], on="track_id")
    surest = accuracy_coverage_curve(predictions).query("coverage >= 0.5").iloc[0]
    settings = params.load_params(project.params)
    family = FAMILIES.get(winner.name, "a scikit-learn classifier on descriptors of the sound")
    if winner.name == ENSEMBLE:
        family += f" ({', '.join(settings.evaluation.ensemble).replace('_', ' ')})"
    genres = [
        (
            genre,
            (predictions["genre"] == genre).sum(),
            *(f"{of[genre]:.2f}" for of in (measured.precision, measured.recall, measured.f1)),
        )
        for genre in measured.f1
    ]
    seed = settings.evaluation.seed
    collections = [(collection, *_accuracy(rows, seed)) for collection, rows in predictions.groupby("collection")]
    genre_names = ", ".join(measured.f1)
    learned = tracks[tracks["split"] != "test"]
    low, high = measured.ci95_low, measured.ci95_high
    return f"""# Model card: {winner.display_name}

The best of {len(compared)} models that the last run trained: {family}. It gives each of {genre_names}
a probability.

## Use

To see how well genre can be told from sound on this corpus, and to sort music like it. Not to decide what people are
paid or shown: genre is a habit of speech more than a property of sound, and the labels are the source's. Of a song of
another genre the model still names one of these. What was learned on the demonstration says nothing of real music.

## Learned from

{len(learned)} songs by {learned["artist_group"].nunique()} artists; see the [data card](data_card.md).
{_count_leaking_artists(tracks)} artists are in more than one split.

## Results

Accuracy **{measured.accuracy:.3f}** (95 % interval {low:.3f} to {high:.3f}, bootstrap over artists) on
{measured.n_test} test songs; macro F1 {measured.macro_f1:.3f}. The true genre is among the two likeliest in
{measured.top2_accuracy:.3f} of them.

{table(["genre", "test songs", "precision", "recall", "F1"], genres)}

{table(["collection", "test songs", "accuracy", "95 % interval"], collections)}

## Calibration

Log loss {measured.log_loss:.3f}; calibration error, the mean distance between confidence and accuracy,
{measured.expected_calibration_error:.3f}. Of the half of the songs of which it is surest, {surest["accuracy"]:.3f}
are right.

## Limits

{measured.n_test} songs are few: the interval is the answer, not the number before it. Genre and collection may go
together, so that part of what was learned is the sound of a collection: compare the accuracies above, and those of
collections left out in 05_sklearn. Artists were told apart by name.

## Made from

Tracks `{measured.data_hash}`, model `{measured.model_hash}` (SHA-256, first 12 digits). `songgenre dev cards` writes
this card anew.
"""


def data_card(project: Project) -> str:
    """What the corpus is, where it comes from, and what was left out.

    Raises
    ------
    UserError
        If a stage has not run.
    """
    catalogue = read_table(CATALOGUE, project.catalogue)
    tracks = read_table(TRACKS, project.tracks)
    excluded = read_table(EXCLUDED, project.excluded)
    used = catalogue[catalogue["track_id"].isin(tracks["track_id"])]
    genres = [
        (genre, len(rows), rows["artist_group"].nunique(), *(rows["split"].eq(split).sum() for split in SPLITS))
        for genre, rows in tracks.groupby("genre")
    ]
    collections = [
        (source, collection, license, len(rows))
        for (source, collection, license), rows in used.fillna({"license": "unknown"}).groupby(
            ["source", "collection", "license"]
        )
    ]
    reasons = excluded["reason"].value_counts().sort_index()
    durations = tracks["duration_s"].quantile([0.05, 0.5, 0.95])
    clip_s = tracks["clip_duration_s"].max()
    return f"""# Data card

{len(catalogue)} songs were offered. {len(tracks)}, by {tracks["artist_group"].nunique()} artists, are used;
{len(excluded)} are not.

## Where they come from

{table(["source", "collection", "license", "songs used"], collections)}

The demonstration is invented: composed by rules, played by a synthesizer, and filed with the faults that real
collections have. Real recordings belong to their holders; none is part of this project.

## What is used

Of each song {clip_s:g} s from its middle. The songs last {durations[0.5]:.0f} s in the median, nine of ten
{durations[0.05]:.0f} to {durations[0.95]:.0f} s. Labels are the source's; what becomes of a song that is filed under
several genres, `wrangling.multi_genre` says.

{table(["genre", "songs", "artists", *SPLITS], genres)}

{_count_leaking_artists(tracks)} artists are in more than one split.

## What is not

{table(["reason", "songs"], list(reasons.items()))}

Each is in the ledger, `data/clean/excluded.parquet`, with its detail.

## Limits

A genre has few artists, so what is learned may be their habits. An artist under two names counts as two.

Tracks `{file_hash(project.tracks)}` (SHA-256, first 12 digits). `songgenre dev cards` writes this card
anew.
"""


def _accuracy(predictions: pd.DataFrame, seed: int) -> tuple[int, str, str]:
    measured = evaluate(predictions, predictions["artist_group"], "", "", seed)
    low, high = measured.ci95_low, measured.ci95_high
    return measured.n_test, f"{measured.accuracy:.2f}", f"{low:.2f} to {high:.2f}"


def _count_leaking_artists(tracks: pd.DataFrame) -> str:
    splits = tracks.groupby("artist_group")["split"].nunique()
    return str(int(splits.gt(1).sum()) or "No")
