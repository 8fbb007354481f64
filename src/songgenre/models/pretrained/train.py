"""How the model that ships is trained, and its model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from songgenre.evaluation.metrics import evaluate, evaluate_all, genre_names, tabulate_predictions
from songgenre.models import classical
from songgenre.models.pretrained import head
from songgenre.paths import Project
from songgenre.report.markdown import table
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

CARD = Path(head.BUNDLED).parent / "MODEL_CARD.md"
MODEL = "lda"


def train_head(project: Project, shrinkage: Sequence[float], folds: int, repeats: int, seed: int) -> Path:
    """Train the head on the songs of a project and write it, with its card, into the package.

    Parameters
    ----------
    project : Project
        Whose stage ``transfer`` has run.
    shrinkage, folds, repeats, seed
        See ``transfer`` in ``params.yaml``.

    Returns
    -------
    Path
        Of the card.
    """
    tracks = read_table(TRACKS, project.tracks)
    X = read_table(EMBEDDINGS, project.embeddings).drop(columns="track_id")
    grids = {MODEL: {"shrinkage": shrinkage}}
    [(_, search)] = classical.grid_search(grids, X, tracks["genre"], tracks["artist_group"], folds, seed)
    nested = classical.nested_cross_validate(grids, [], X, tracks, folds, repeats, seed)
    unseen_collection = leave_one_collection_out(search.best_estimator_, X, tracks)
    head.save_head(head.from_pipeline(search.best_estimator_), head.BUNDLED)
    CARD.write_text(model_card(tracks, nested, unseen_collection, folds, repeats, seed))
    return CARD


def leave_one_collection_out(model: Pipeline, X: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Have the songs of each collection judged by a model that was fitted to the others.

    Parameters
    ----------
    model : Pipeline
        Tuned; it is fitted anew.
    X : pd.DataFrame [shape=(n_tracks, n_dimensions)]
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`, of the collections of which the others have all genres.
    """
    y, genres = tracks["genre"], sorted(tracks["genre"].unique())
    predictions = []
    for _, out in tracks.groupby("collection"):
        others = tracks.index.difference(out.index)
        if set(y[others]) == set(genres):
            fitted = clone(model).fit(X.loc[others], y[others].to_numpy())
            answers = pd.DataFrame(fitted.predict_proba(X.loc[out.index]), columns=genres)
            predictions.append(tabulate_predictions(MODEL, out, answers))
    return pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame(columns=["track_id"])


def model_card(
    tracks: pd.DataFrame, nested: pd.DataFrame, unseen_collection: pd.DataFrame, folds: int, repeats: int, seed: int
) -> str:
    """The model card, in Markdown.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    nested : pd.DataFrame
        `songgenre.tables.predictions.NESTED` of each song, by a model that was tuned, fitted and calibrated without its
        artist.
    unseen_collection : pd.DataFrame
        `leave_one_collection_out`.
    folds, repeats, seed : int
    """
    y, genres = tracks["genre"], genre_names(nested)
    metrics = evaluate_all(nested, tracks, {MODEL: ("", "")}, seed)[MODEL]
    low, high = metrics.ci95_low, metrics.ci95_high
    per_genre = [
        (
            genre,
            (y == genre).sum(),
            tracks["artist_group"][y == genre].nunique(),
            *(f"{of[genre]:.2f}" for of in (metrics.recall, metrics.f1)),
        )
        for genre in genres
    ]
    per_collection = [
        (collection, len(songs), _accuracy(nested, songs, seed), _accuracy(unseen_collection, songs, seed))
        for collection, songs in tracks.groupby("collection")
    ]
    return f"""# The model that ships

A linear discriminant analysis of the embedding of a song by the two networks of musicnn 0.1.0, which were trained on
the Million Song Dataset and on MagnaTagATune (Pons & Serra 2019, ISC licence). It tells apart
{", ".join(genres)}.
`head.npz` holds its weights, scaling and temperature included, and nothing of any song. At run time it needs the
weights of the networks in `data/pretrained/`, which `dvc repro pretrained` fetches.

## Data

{len(y)} clips of 30 s by {tracks["artist_group"].nunique()} artists, from research collections: excerpts of Magnatune
(Emotify), GTZAN, and previews of commercial songs (TAFFC900), whose genres are those of a music guide. The recordings
belong to their holders and were used for research only; none, and nothing from which one could be rebuilt, is part of
this project.

## Results

Accuracy **{metrics.accuracy:.3f}** (95 % interval {low:.3f} to {high:.3f}, bootstrap over artists), by nested
cross-validation in {folds} stratified folds that keep artists together, {repeats} times with other folds: each song was
judged by models that were tuned, fitted and calibrated without its artist.

{table(["genre", "songs", "artists", "recall", "F1"], per_genre)}

On **other recordings** it is worse. A model of the same kind that has heard nothing of a collection does, on its songs:

{table(["collection", "songs", "accuracy, others of it heard", "accuracy, nothing of it heard"], per_collection)}

## Calibration

One temperature was fitted to songs that the model had not been trained on. In the cross-validation the log loss is
{metrics.log_loss:.3f} and the calibration error, the mean distance between confidence and accuracy,
{metrics.expected_calibration_error:.3f}.

## Limits

- Genre and collection go together: hip-hop and country come almost only from one collection, classical only from the
  other two. Part of what the model knows is the sound of a collection, as the last table shows; and a model that has
  not heard that one has heard hardly any song of these genres.
- The data are few and Western. Of a song of another genre it still names one of these.
- The two networks may have heard some of these recordings when they learned to tag.

## Train it again

`dvc exp run -S scraping.source=folder -S scraping.folder=FOLDER transfer`, then `songgenre dev train-head`.
"""


def _accuracy(predictions: pd.DataFrame, tracks: pd.DataFrame, seed: int) -> str:
    """Of what was said of some of the songs, with its interval."""
    of_these = predictions.merge(tracks[["track_id", "artist_group"]], on="track_id")
    if of_these.empty:
        return "not measured, as others lack a genre"
    measured = evaluate(of_these, of_these["artist_group"], "", "", seed)
    return f"{measured.accuracy:.2f} ({measured.ci95_low:.2f} to {measured.ci95_high:.2f})"
