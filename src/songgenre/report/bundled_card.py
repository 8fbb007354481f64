"""Training, measurement and model card of the bundled model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre.evaluation.folds import collection_folds
from songgenre.evaluation.metrics import Metrics
from songgenre.models.embeddings import load_networks
from songgenre.models.musicnn_weights import load_weights
from songgenre.models.pretrained import measure, train
from songgenre.models.pretrained.embedding import NETWORK
from songgenre.models.pretrained.head import BUNDLED, OTHER, save_bundled
from songgenre.models.pretrained.signals import KINDS, PER_KIND
from songgenre.report.markdown import table

MAX_NAMES = 3
"""Largest number of collections that are named."""
BUNDLED_CARD = BUNDLED.with_name("MODEL_CARD.md")


class Measurements(NamedTuple):
    """What the card of the bundled model reports.

    Parameters
    ----------
    songs, elsewhere : pd.DataFrame
        Results of `songgenre.models.pretrained.train.read_songs`: the songs on which the model was designed, and songs
        of other origin, which were added for the final training.
    scores : mapping
        Metrics of the genres by protocol.
    collections : mapping
        Accuracy of each left-out collection.
    outside : Outside
        How well none of the genres is recognised.
    """

    songs: pd.DataFrame
    elsewhere: pd.DataFrame
    scores: Mapping[str, Metrics]
    collections: Mapping[str, Metrics]
    outside: measure.Outside


def train_and_measure(folder: Path, elsewhere: Path, pretrained: Path, seed: int) -> Path:
    """Train the bundled model, measure it, and write its weights and its card into the package.

    Parameters
    ----------
    folder, elsewhere : Path
        Folders of the songs on which the model is designed, and of songs of other origin; see
        `songgenre.models.pretrained.train.read_songs`.
    pretrained : Path
        Folder with the weights of the networks.
    seed : int
        Seed of folds, signals and bootstrap.

    Returns
    -------
    Path
        The card.

    Raises
    ------
    UserError
        If a table, a song or the weights cannot be read.
    """
    network = load_weights(pretrained, NETWORK)
    songs, others = train.read_songs(folder), train.read_songs(elsewhere)
    every = pd.concat([songs, others], ignore_index=True)
    X = train.embed_songs(every, network)
    signals = train.embed_signals(network, seed)
    outside = measure.score_outside(X, every, signals)
    here = len(songs)
    known = np.flatnonzero(every["genre"] != OTHER)
    seen_none = train.fit(X[:here], songs).probabilities(X[here:]).set_index(pd.RangeIndex(here, len(every)))
    left_out = train.predict_left_out(X[:here], songs, collection_folds(songs))
    score = partial(measure.score_genres, songs=every, seed=seed)
    measurements = Measurements(
        songs,
        others,
        {
            "songs by unseen artists": score(train.predict_left_out(X[:here], songs, train.artist_folds(songs, seed))),
            "left-out collections": score(left_out),
            "other origin": score(seen_none[seen_none.index.isin(known)]),
        },
        {
            collection: score(left_out.loc[rows.index])
            for collection, rows in songs.groupby("collection")
            if rows.index.isin(left_out.index).all()
        },
        outside,
    )
    save_bundled(train.train_head(X, every, np.concatenate(list(signals.values())), outside.maximum))
    BUNDLED_CARD.write_text(bundled_card(measurements), encoding="utf-8")
    return BUNDLED_CARD


def describe_design(folder: Path, elsewhere: Path, pretrained: Path, seed: int, path: Path) -> Path:
    """Measure the robustness of the bundled model, compare embeddings, and write a page about both.

    Parameters
    ----------
    folder, elsewhere : Path
        Folders of songs, see `train_and_measure`.
    pretrained : Path
        Folder with the weights of the networks.
    seed : int
        Seed of the folds.
    path : Path
        Markdown file to write.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UserError
        If a table, a song or the weights cannot be read.
    """
    networks = load_networks(pretrained)
    songs = train.read_songs(folder)
    every = pd.concat([songs, train.read_songs(elsewhere)], ignore_index=True)
    changed = measure.measure_robustness(train.embed_songs(every, networks[0]), every, networks[0], seed)
    path.write_text(design_page(changed, measure.compare_embeddings(songs, networks, seed)), encoding="utf-8")
    return path


def bundled_card(measurements: Measurements) -> str:
    """Describe the bundled model: training data, results and limitations.

    Parameters
    ----------
    measurements : Measurements
        What was measured.

    Returns
    -------
    str
        Markdown.
    """
    songs, elsewhere, scores, collections, outside = measurements
    genres = list(scores["songs by unseen artists"].f1)
    shares = measure.MAX_SHARE_OUTSIDE, outside.other_songs, outside.signals
    intended, others, signals = (f"{100 * share:.0f}" for share in shares)
    of_collections = [(name, metrics.n_test, _accuracy(metrics)) for name, metrics in collections.items()]
    return f"""# Model card: the bundled model

A linear discriminant analysis of the penultimate layer of musicnn 0.1.0, a network that was trained to predict tags of
the Million Song Dataset (Pons & Serra 2019, ISC licence). Each clip is first brought to the same level.

The model predicts the probability of each genre ({", ".join(genres)}),
and the probability that a song is **outside**, that is, of none of these genres or not music. `head.npz` contains its
weights, including scaling and temperature, and no data of any song. At run time the model needs the weights of the
network: those in `data/pretrained/`, or those of the published wheel.

## Training data

- The model was designed on {_describe(songs)}.
- For the final training, songs of other origin were added:
  {_describe(elsewhere)}.
- {len(KINDS) * PER_KIND} generated signals (tones, noise, clicks and sweeps) represent sounds that are not music.

The shrinkage and the temperature were chosen by leaving out whole collections. The recordings belong to their rights
holders and were used for research only. This project contains no recording, and nothing from which one could be
reconstructed.

## Accuracy

{accuracy_table(scores)}

- *Songs by unseen artists*: {train.FOLDS} artist-grouped folds, repeated {train.REPEATS} times. The tested songs come
  from the same collections as the training songs, so this figure is too optimistic for other music.
- *Left-out collections*: each collection is predicted by a model that was trained without it.
- *Other origin*: the added songs that have one of the genres, predicted by a model that was trained without them.
  **Expect this accuracy on your own music.**

The intervals are 95 % intervals from a bootstrap over artists. The calibration error is the weighted mean distance
between confidence and accuracy.

{recall_table(songs, scores)}

{table(["left-out collection", "songs", "accuracy"], of_collections)}

## None of these genres

The probability *outside* separates songs of other genres from songs of these genres with an AUROC of
**{outside.auroc:.2f}** (0.5 is chance), on collections that the model was not trained on. A song counts as outside if
this probability is above {outside.maximum:.2f}. The threshold is chosen so that {intended} % of the
songs of these genres are wrongly called outside. {others} % of the songs of other genres exceed it. So
do {signals} % of the generated signals, if the model was not trained on signals of their kind.

`songgenre dev describe-bundled` measures how many predictions change if the recording is equalised or compressed,
compares the embedding with others, and writes `docs/bundled_model.md`.

## Out-of-scope use

Do not use the model to decide what people are paid or shown.

## Limitations

- Genre and collection are correlated in the training songs, so the model partly recognises the sound of a collection.
- The model was trained on few songs, most of them Western music.
- The network may have been trained on some of these recordings.

## Training

`songgenre dev train-head FOLDER ELSEWHERE` trains and measures the model and writes this card.
"""


def design_page(changed: pd.Series, embeddings: pd.DataFrame) -> str:
    """Describe the choice of the embedding and its robustness.

    Parameters
    ----------
    changed : pd.Series
        Result of `songgenre.models.pretrained.measure.measure_robustness`.
    embeddings : pd.DataFrame
        Result of `songgenre.models.pretrained.measure.compare_embeddings`.

    Returns
    -------
    str
        Markdown.
    """
    of_transformations = [(name, f"{100 * share:.1f} %") for name, share in _summarize(changed).items()]
    of_embeddings = [
        (name, f"{row.iloc[0]:.0f}", *(f"{value:.3f}" for value in row.iloc[1:])) for name, row in embeddings.iterrows()
    ]
    return f"""# Design of the bundled model

`songgenre dev describe-bundled FOLDER ELSEWHERE` measures the figures of this page and writes it. The
[model card](../src/songgenre/models/pretrained/MODEL_CARD.md) describes the songs and the accuracy.

## Choice of the embedding

All rows use the songs on which the model was designed, and the same classifier.

{table(["embedding", "dimensions", *embeddings.columns[1:]], of_embeddings)}

## Robustness

The table shows the share of songs whose predicted genre changes if the recording is transformed. Every sixth song of
the genres was tested, with models that were trained without its artist.

{table(["transformation", "songs that change genre"], of_transformations)}
"""


def accuracy_table(scores: Mapping[str, Metrics]) -> str:
    """Format the accuracy and the calibration error by each protocol.

    Parameters
    ----------
    scores : mapping
        Metrics of the genres by protocol.

    Returns
    -------
    str
        Markdown table, a row per protocol.
    """
    rows = [
        (protocol, metrics.n_test, _accuracy(metrics), f"{metrics.expected_calibration_error:.3f}")
        for protocol, metrics in scores.items()
    ]
    return table(["tested on", "predictions", "accuracy", "calibration error"], rows)


def recall_table(songs: pd.DataFrame, scores: Mapping[str, Metrics]) -> str:
    """Format the number of songs and the recall of each genre.

    Parameters
    ----------
    songs : pd.DataFrame
        Training songs, with the column ``genre``.
    scores : mapping
        Metrics of the genres by protocol.

    Returns
    -------
    str
        Markdown table, a row per genre.
    """
    genres = list(next(iter(scores.values())).f1)
    rows = [
        (genre, (songs["genre"] == genre).sum(), *(f"{metrics.recall[genre]:.2f}" for metrics in scores.values()))
        for genre in genres
    ]
    return table(["genre", "songs", *(f"recall, {protocol}" for protocol in scores)], rows)


def _accuracy(metrics: Metrics) -> str:
    return f"{metrics.accuracy:.3f} ({metrics.ci95_low:.3f} to {metrics.ci95_high:.3f})"


def _describe(songs: pd.DataFrame) -> str:
    n_other = int((songs["genre"] == OTHER).sum())
    other = f"; {n_other} clips are of other genres" if n_other else ""
    names = sorted(songs["collection"].unique())
    collections = (
        f"{len(names)} research collections" if len(names) > MAX_NAMES else f"the collections {', '.join(names)}"
    )
    return f"{len(songs)} clips by {songs['artist'].nunique()} artists from {collections}{other}"


def _summarize(changed: pd.Series) -> pd.Series:
    """Average over the equalizers, which differ in their random gains only."""
    is_equalizer = changed.index.str.startswith("equalizer")
    first = pd.Series({f"{is_equalizer.sum()} random equalizers of at most 6 dB, mean": changed[is_equalizer].mean()})
    return pd.concat([first, changed[~is_equalizer]])
