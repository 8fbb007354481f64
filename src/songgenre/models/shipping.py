"""How the model that ships is trained, and its model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from songgenre import tables
from songgenre.evaluation import bootstrap_accuracy
from songgenre.models import classical, head
from songgenre.paths import Project

CARD = Path(head.SHIPPED).parent / "MODEL_CARD.md"
MODEL = "linear"


class Outcome(NamedTuple):
    """A trained head, and what it is worth.

    Parameters
    ----------
    head : Head
        Fitted to all songs.
    probabilities : pd.DataFrame [shape=(n_tracks, n_genres)]
        Of each song, by a head that was tuned, fitted and calibrated without its artist.
    """

    head: head.Head
    probabilities: pd.DataFrame


def train(
    X: pd.DataFrame, y: pd.Series, artist_groups: pd.Series, C: Sequence[float], folds: int, seed: int
) -> Outcome:
    """Train a head and cross-validate it, artists kept together.

    Parameters
    ----------
    X : pd.DataFrame [shape=(n_tracks, n_numbers)]
        Embeddings.
    y, artist_groups : pd.Series [shape=(n_tracks,)]
    C, folds, seed
        See ``transfer`` in ``params.yaml``.
    """
    heard = []
    outer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, test in outer.split(X, y, artist_groups):
        fitted = _fit(X.iloc[learn], y.iloc[learn], artist_groups.iloc[learn], C, folds, seed)
        heard.append(X.iloc[test].apply(lambda song, fitted=fitted: fitted.probabilities(song.to_numpy()), axis=1))
    return Outcome(_fit(X, y, artist_groups, C, folds, seed), pd.concat(heard).loc[X.index])


def train_head(project: Project, C: Sequence[float], folds: int, seed: int) -> Path:
    """Train the head on the songs of a project and write it, with its card, into the package.

    Parameters
    ----------
    project : Project
        Whose stage ``transfer`` has run.
    C, folds, seed
        See ``transfer`` in ``params.yaml``.

    Returns
    -------
    Path
        Of the card.
    """
    tracks = tables.read(tables.TRACKS, project.tracks)
    X = tables.read(tables.EMBEDDINGS, project.embeddings).drop(columns="track_id")
    outcome = train(X, tracks["genre"], tracks["artist_group"], C, folds, seed)
    head.save(outcome.head, head.SHIPPED)
    CARD.write_text(card(tracks, outcome, folds, seed))
    return CARD


def card(tracks: pd.DataFrame, outcome: Outcome, folds: int, seed: int) -> str:
    """The model card, in Markdown."""
    y, probabilities = tracks["genre"], outcome.probabilities
    predicted = probabilities.idxmax(axis=1)
    resampled = bootstrap_accuracy(predicted == y, tracks["artist_group"], seed)
    low, high = np.quantile(resampled, [0.025, 0.975])
    truth = probabilities.to_numpy()[np.arange(len(y)), probabilities.columns.get_indexer(y)]
    f1 = f1_score(y, predicted, labels=probabilities.columns, average=None)
    per_genre = [
        f"| {genre} | {(y == genre).sum()} | {tracks['artist_group'][y == genre].nunique()} "
        f"| {(predicted[y == genre] == genre).mean():.2f} | {score:.2f} |"
        for genre, score in zip(probabilities.columns, f1, strict=True)
    ]
    return f"""# The model that ships

A logistic regression on the embedding of a song by the two networks of musicnn 0.1.0, which were trained on the Million
Song Dataset and on MagnaTagATune (Pons & Serra 2019, ISC licence). It tells apart {", ".join(probabilities.columns)}.
`head.npz` holds its weights, scaling and temperature included, and nothing of any song. At run time it needs the
weights of the networks in `data/pretrained/`, which `dvc repro pretrained` fetches.

## Data

{len(y)} clips of 30 s by {tracks["artist_group"].nunique()} artists, from research collections: excerpts of Magnatune
(Emotify), GTZAN, and previews of commercial songs (TAFFC900), whose genres are those of a music guide. The recordings
belong to their holders and were used for research only; none, and nothing from which one could be rebuilt, is part of
this project.

## Results

Accuracy **{(predicted == y).mean():.3f}** (95 % interval {low:.3f} to {high:.3f}, bootstrap over artists), by nested
cross-validation in {folds} stratified folds that keep artists together: each song was judged by a model that was tuned,
fitted and calibrated without its artist.

| genre | songs | artists | recall | F1 |
| --- | ---: | ---: | ---: | ---: |
{chr(10).join(per_genre)}

## Calibration

The temperature was fitted to songs by artists that the model had not been trained on. In the cross-validation the log
loss is {-np.log(truth).mean():.3f}; the mean of the highest probability is {probabilities.max(axis=1).mean():.3f}.

## Limits

- Genre and collection go together: hip-hop and country come almost only from one collection, classical only from the
  other two. Part of what the model knows may be the sound of a collection.
- The data are few and Western. Of a song of another genre it still names one of these.
- The two networks may have heard some of these recordings when they learned to tag.

## Train it again

`dvc exp run -S scraping.source=folder -S scraping.folder=FOLDER transfer`, then `songgenre pretrained train-head`.
"""


def _fit(
    X: pd.DataFrame, y: pd.Series, artist_groups: pd.Series, C: Sequence[float], folds: int, seed: int
) -> head.Head:
    """Tune and fit; the temperature comes from songs by artists that were left out."""
    [(_, search)] = classical.tune({MODEL: {"C": C}}, X, y, artist_groups, folds, seed)
    model = search.best_estimator_
    heard = cross_val_predict(model, X, y, groups=artist_groups, cv=search.cv, method="predict_proba")
    temperature = head.temperature_of(pd.DataFrame(heard, columns=model.classes_), y)
    return head.from_pipeline(model, temperature)
