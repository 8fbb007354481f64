"""How the model that ships is trained, and its model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from songgenre import evaluation, tables
from songgenre.models import classical, head
from songgenre.paths import Project

CARD = Path(head.SHIPPED).parent / "MODEL_CARD.md"
MODEL = "linear"


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
    tracks = tables.read(tables.TRACKS, project.tracks)
    X = tables.read(tables.EMBEDDINGS, project.embeddings).drop(columns="track_id")
    grids = {MODEL: {"shrinkage": shrinkage}}
    [(_, search)] = classical.tune(grids, X, tracks["genre"], tracks["artist_group"], folds, seed)
    heard = classical.nested(grids, [], X, tracks, folds, repeats, seed)
    head.save(head.from_pipeline(search.best_estimator_), head.SHIPPED)
    CARD.write_text(card(tracks, heard, folds, repeats, seed))
    return CARD


def card(tracks: pd.DataFrame, heard: pd.DataFrame, folds: int, repeats: int, seed: int) -> str:
    """The model card, in Markdown.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.TRACKS`.
    heard : pd.DataFrame
        `songgenre.tables.NESTED` of each song, by a model that was tuned, fitted and calibrated without its
        artist.
    folds, repeats, seed : int
    """
    y, genres = tracks["genre"], evaluation.genre_names(heard)
    metrics = evaluation.evaluate_all(heard, tracks, {MODEL: ("", "")}, seed)[MODEL]
    low, high = metrics.ci95
    per_genre = [
        f"| {genre} | {(y == genre).sum()} | {tracks['artist_group'][y == genre].nunique()} "
        f"| {metrics.recall[genre]:.2f} | {metrics.per_genre[genre]:.2f} |"
        for genre in genres
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

| genre | songs | artists | recall | F1 |
| --- | ---: | ---: | ---: | ---: |
{chr(10).join(per_genre)}

## Calibration

One temperature was fitted to songs that the model had not been trained on. In the cross-validation the log loss is
{metrics.log_loss:.3f} and the calibration error, the mean distance between confidence and accuracy,
{metrics.calibration_error:.3f}.

## Limits

- Genre and collection go together: hip-hop and country come almost only from one collection, classical only from the
  other two. Part of what the model knows may be the sound of a collection.
- The data are few and Western. Of a song of another genre it still names one of these.
- The two networks may have heard some of these recordings when they learned to tag.

## Train it again

`dvc exp run -S scraping.source=folder -S scraping.folder=FOLDER transfer`, then `songgenre pretrained train-head`.
"""
