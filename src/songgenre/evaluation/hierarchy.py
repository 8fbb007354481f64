"""Scores for genres that form a tree, and for songs of several genres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import label_ranking_average_precision_score

from songgenre.evaluation.intervals import BOOTSTRAP_SAMPLES, accuracy_interval, ratio_interval
from songgenre.evaluation.metrics import HierarchyMetrics, Metrics, genre_names, genre_probabilities
from songgenre.paths import Project
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import read_table
from songgenre.tables.genres import GENRES

EXPLANATION = """## The tree of genres

A model that confuses punk with rock, its parent, is nearly right. **Hierarchical precision, recall and F** compare the
predicted and the true genre together with their ancestors. A song may have other genres besides its label. **Any genre
accuracy** counts a prediction as correct if it is a genre of the song or an ancestor of one; **label ranking average
precision** is 1 if all these genres are more probable than every other genre."""
"""Text of notebook 08 above the table, if the source has a tree."""


class GenreTree(NamedTuple):
    """Genres of a source that form a tree, and the songs in it.

    Parameters
    ----------
    parents : dict
        From each genre with a parent to its parent; empty if the source has no tree.
    genres : dict
        From the ``track_id`` of each song of the catalogue to all its genres, with their ancestors.
    """

    parents: dict[str, str]
    genres: dict[str, frozenset[str]]


def read_tree(project: Project) -> GenreTree:
    """Read the tree of genres and the genres of each song.

    Parameters
    ----------
    project : Project
        Project of the files.

    Returns
    -------
    GenreTree
        Tree and songs.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    table = read_table(GENRES, project.genres).dropna()
    parents = dict(zip(table["genre"], table["parent"], strict=True))
    catalogue = read_table(CATALOGUE, project.catalogue).set_index("track_id")["genres"]
    return GenreTree(parents, {str(song): add_ancestors(genres, parents) for song, genres in catalogue.items()})


def add_ancestors(genres: Iterable[str], parents: Mapping[str, str]) -> frozenset[str]:
    """Add to genres their parents, the parents of these, and so on.

    Parameters
    ----------
    genres : iterable of str
        Genres.
    parents : mapping of str to str
        From each genre with a parent to its parent.

    Returns
    -------
    frozenset of str
        The genres and all their ancestors.

    Examples
    --------
    >>> sorted(add_ancestors(["hardcore"], {"hardcore": "punk", "punk": "rock", "ska": "reggae"}))
    ['hardcore', 'punk', 'rock']
    """
    found: set[str] = set()
    waiting = list(genres)
    while waiting:
        genre = waiting.pop()
        if genre not in found:
            found.add(genre)
            waiting += filter(None, [parents.get(genre)])
    return frozenset(found)


def evaluate_in_tree(
    predictions: pd.DataFrame, tree: GenreTree, artist_groups: pd.Series, seed: int, samples: int = BOOTSTRAP_SAMPLES
) -> HierarchyMetrics:
    """Compute the hierarchical precision, recall and F of one model, and its scores for songs of several genres.

    See `kiritchenko2006hierarchical` and `silla2011hierarchical` in docs/references.bib: the true and the predicted
    genre of a song are extended by their ancestors, and the sizes of these sets and of their intersection are summed
    over all songs.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.
    tree : GenreTree
        Tree of the genres, and all genres of each song.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the order of `predictions`.
    seed, samples : int
        Seed and number of resamples of the bootstrap over artists.

    Returns
    -------
    HierarchyMetrics
        Scores, 0 to 1.
    """
    truth = [add_ancestors([genre], tree.parents) for genre in predictions["genre"]]
    predicted = [add_ancestors([genre], tree.parents) for genre in predictions["predicted"]]
    n_common = np.array([len(one & other) for one, other in zip(truth, predicted, strict=True)])
    n_true, n_predicted = np.array([*map(len, truth)]), np.array([*map(len, predicted)])
    low, high = ratio_interval(pd.Series(2 * n_common), pd.Series(n_true + n_predicted), artist_groups, seed, samples)

    labels = [
        tree.genres[song] | {genre} for song, genre in zip(predictions["track_id"], predictions["genre"], strict=True)
    ]
    is_label = np.array([[genre in of_song for genre in genre_names(predictions)] for of_song in labels])
    is_any = pd.Series([genre in of_song for genre, of_song in zip(predictions["predicted"], labels, strict=True)])
    any_low, any_high = accuracy_interval(is_any, artist_groups, seed, samples)
    return HierarchyMetrics(
        precision=n_common.sum() / n_predicted.sum(),
        recall=n_common.sum() / n_true.sum(),
        f1=2 * n_common.sum() / (n_true.sum() + n_predicted.sum()),
        f1_ci95_low=low,
        f1_ci95_high=high,
        any_genre_accuracy=is_any.mean(),
        any_genre_ci95_low=any_low,
        any_genre_ci95_high=any_high,
        label_ranking_average_precision=label_ranking_average_precision_score(
            is_label, genre_probabilities(predictions)
        ),
    )


def add_scores(
    metrics: Mapping[str, Metrics],
    predictions: pd.DataFrame,
    tracks: pd.DataFrame,
    tree: GenreTree,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> dict[str, Metrics]:
    """Add the scores of `evaluate_in_tree` to the metrics of several models.

    Parameters
    ----------
    metrics : mapping
        From the name of a model to its metrics.
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, which holds the artists.
    tree : GenreTree
        Tree of the genres, and all genres of each song.
    seed, samples : int
        Seed and number of resamples of the bootstrap over artists.

    Returns
    -------
    dict
        From the name of a model to its metrics, with ``hierarchy``.
    """
    artists = tracks.set_index("track_id")["artist_group"]
    in_tree = {
        model: evaluate_in_tree(rows, tree, rows["track_id"].map(artists), seed, samples)
        for model, rows in predictions.groupby("model")
    }
    return {model: measured.model_copy(update={"hierarchy": in_tree[model]}) for model, measured in metrics.items()}


def compare_in_tree(metrics: Mapping[str, Metrics]) -> pd.DataFrame:
    """Tabulate the scores of several models in the tree of genres.

    Parameters
    ----------
    metrics : mapping
        From the name of a model to its metrics, with ``hierarchy``.

    Returns
    -------
    pd.DataFrame
        A row per model, best hierarchical F first, with the intervals of the F and of the accuracy in any genre.
    """
    rows = {model: measured.hierarchy.model_dump() for model, measured in metrics.items() if measured.hierarchy}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    table = table.sort_values("f1", ascending=False, kind="stable")
    return table.rename(columns={name: name.replace("f1", "F").replace("_", " ") for name in table.columns})
