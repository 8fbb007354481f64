"""The card of the bundled model, in Markdown."""

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
    config : Transfer

    Returns
    -------
    Path
    """
    BUNDLED_CARD.write_text(bundled_card(trained, config))
    return BUNDLED_CARD


def bundled_card(trained: Trained, config: Transfer) -> str:
    """Describe the bundled model, in Markdown.

    Parameters
    ----------
    trained : Trained
    config : Transfer
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
            *(f"{of[genre]:.2f}" for of in (metrics.recall, metrics.f1)),
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
cross-validation in {config.folds} stratified folds that keep artists together, {config.repeats} times with other
folds: each song was judged by models that were tuned, fitted and calibrated without its artist.

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


def _collection_accuracy(predictions: pd.DataFrame, tracks: pd.DataFrame, seed: int) -> str:
    """Of what was said of some of the songs, with its interval."""
    of_these = predictions.merge(tracks[["track_id", "artist_group"]], on="track_id")
    if of_these.empty:
        return "not measured, as others lack a genre"
    measured = evaluate(of_these, of_these["artist_group"], "", "", seed)
    return f"{measured.accuracy:.2f} ({measured.ci95_low:.2f} to {measured.ci95_high:.2f})"
