"""Model card of the bundled model, in Markdown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from songgenre.evaluation.metrics import evaluate, evaluate_all, genre_names
from songgenre.models.pretrained.head import BUNDLED
from songgenre.models.pretrained.train import MODEL, Trained
from songgenre.params import Transfer
from songgenre.report.markdown import table

BUNDLED_CARD = BUNDLED.with_name("MODEL_CARD.md")


def write_bundled_card(trained: Trained, config: Transfer) -> Path:
    """Write the card of the bundled model beside its weights.

    Parameters
    ----------
    trained : Trained
        Data and predictions of the training.
    config : Transfer
        Section ``transfer`` of ``params.yaml``.

    Returns
    -------
    Path
        The file, ``MODEL_CARD.md``.
    """
    BUNDLED_CARD.write_text(bundled_card(trained, config))
    return BUNDLED_CARD


def bundled_card(trained: Trained, config: Transfer) -> str:
    """Describe the bundled model: training data, results and limitations.

    Parameters
    ----------
    trained : Trained
        Data and predictions of the training.
    config : Transfer
        Section ``transfer`` of ``params.yaml``.

    Returns
    -------
    str
        Markdown.
    """
    tracks, nested, unseen_collection = trained
    y, genres = tracks["genre"], genre_names(nested)
    metrics = evaluate_all(nested, tracks, {MODEL: ("", "")}, config.seed)[MODEL]
    low, high = metrics.ci95_low, metrics.ci95_high
    per_genre = [
        (
            genre,
            (y == genre).sum(),
            tracks["artist_group"][y == genre].nunique(),
            *(f"{scores[genre]:.2f}" for scores in (metrics.recall, metrics.f1)),
        )
        for genre in genres
    ]
    per_collection = [
        (
            collection,
            len(songs),
            _collection_accuracy(nested, songs, config.seed),
            _collection_accuracy(unseen_collection, songs, config.seed),
        )
        for collection, songs in tracks.groupby("collection")
    ]
    return f"""# Model card: the bundled model

A linear discriminant analysis of the embeddings of the two networks of musicnn 0.1.0, which were trained on the Million
Song Dataset and on MagnaTagATune (Pons & Serra 2019, ISC licence). It predicts the probabilities of
{", ".join(genres)}.
`head.npz` contains its weights, including scaling and temperature, and no data of any song. At run time the model needs
the weights of the networks in `data/pretrained/`, which `dvc repro pretrained` extracts from the published wheel.

## Training data

{len(y)} clips of 30 s by {tracks["artist_group"].nunique()} artists, from research collections: excerpts of Magnatune
(Emotify), GTZAN, and previews of commercial songs (TAFFC900), whose genres are those of a music guide. The recordings
belong to their rights holders and were used for research only. This project contains no recording, and nothing from
which one could be reconstructed.

## Results

Accuracy **{metrics.accuracy:.3f}** (95 % interval {low:.3f} to {high:.3f}, bootstrap over artists), by nested
cross-validation in {config.folds} artist-grouped stratified folds, repeated {config.repeats} times with other folds:
each song was predicted by models that were tuned, fitted and calibrated without its artist.

{table(["genre", "songs", "artists", "recall", "F1"], per_genre)}

Accuracy is **lower on other collections**. The table compares models that were trained on part of a collection with
models that were trained on the other collections only:

{table(["collection", "songs", "accuracy, partly in training", "accuracy, left out"], per_collection)}

## Calibration

One temperature was fitted to predictions for songs outside the training folds. In the cross-validation the log loss is
{metrics.log_loss:.3f} and the expected calibration error, the weighted mean distance between confidence and accuracy,
{metrics.expected_calibration_error:.3f}.

## Out-of-scope use

The model must not decide what people are paid or shown. It predicts one of its genres for every song, including songs
of other genres.

## Limitations

- Genre and collection are correlated: hip-hop and country come almost only from one collection, classical only from the
  other two. The model partly recognises the sound of a collection, as the last table shows; and without that one
  collection, hardly any training songs of hip-hop and country remain.
- The model was trained on few songs, all of them Western music.
- The two networks may have been trained on some of these recordings.

## Training

`dvc exp run -S scraping.source=folder -S scraping.folder=FOLDER transfer`, then `songgenre dev train-head`.
"""


def _collection_accuracy(predictions: pd.DataFrame, tracks: pd.DataFrame, seed: int) -> str:
    """Format the accuracy on the songs of a collection, with its interval."""
    rows = predictions.merge(tracks[["track_id", "artist_group"]], on="track_id")
    if rows.empty:
        return "not measured: the other collections lack a genre"
    metrics = evaluate(rows, rows["artist_group"], "", "", seed)
    return f"{metrics.accuracy:.2f} ({metrics.ci95_low:.2f} to {metrics.ci95_high:.2f})"
