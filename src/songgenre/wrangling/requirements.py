"""Check that a corpus has enough genres, songs and artists for the models."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from songgenre.errors import UserError
from songgenre.params import Params, Sklearn, Transfer
from songgenre.tables.columns import count_artists
from songgenre.tables.tracks import training_size

MIN_SONGS = 3
"""Fewest songs of a genre in a training set, since probabilities are calibrated in three folds."""
MAX_DESCRIBED = 20
"""Genres that a message names."""
MANY = 10
"""Songs, as a multiple of the neighbours that vote, from which every training set has enough."""


def describe_genres(tracks: pd.DataFrame) -> str:
    """Count the songs and artists of each genre, or of the `MAX_DESCRIBED` genres with the fewest.

    In this choice, each song of an unknown artist counts as one by another artist, as in the folds.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    str
        Such as ``jazz 12 by 4, rock 20 by 9 (and 2 of unknown artists)``.
    """
    artists = _artists(tracks)
    described = artists.nsmallest(MAX_DESCRIBED).index
    counts = ", ".join(
        f"{genre} {_describe(songs)}" for genre, songs in tracks[tracks["genre"].isin(described)].groupby("genre")
    )
    if len(artists) <= MAX_DESCRIBED:
        return counts
    return f"{counts}; other genres, with as many artists or more: {len(artists) - MAX_DESCRIBED}"


def check_not_empty(tracks: pd.DataFrame, excluded: pd.DataFrame, catalogue: pd.DataFrame) -> None:
    """Check that at least one song is used.

    Parameters
    ----------
    tracks, excluded, catalogue : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, `songgenre.tables.excluded.EXCLUDED` and
        `songgenre.tables.catalogue.CATALOGUE`.

    Raises
    ------
    UserError
        If all songs are excluded. The message counts the reasons and shows one song.
    """
    if len(tracks):
        return
    counts = ", ".join(f"{reason} {number}" for reason, number in excluded["reason"].value_counts().items())
    first = excluded.merge(catalogue[["track_id", "source_id"]], on="track_id").iloc[0]
    raise UserError(
        f"corpus: all {len(excluded)} songs are excluded ({counts}); for example "
        f"{first['source_id']!r}: {first['detail']}. Change the source, or the section wrangling of params.yaml, for "
        "example wrangling.min_duration_s."
    )


def check_corpus(tracks: pd.DataFrame, params: Params) -> None:
    """Check that the models can be trained and tested on a corpus.

    The folds are made as in 05_sklearn and 07_transfer, so that what they would refuse is found before any feature.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    params : Params
        Content of ``params.yaml``.

    Raises
    ------
    UserError
        If there are fewer than two genres or artists, a genre has too few songs or artists for the folds, or a member
        of an ensemble is not trained because of the number of songs or genres. The message names the genre, the
        parameter and a number of folds that works.
    """
    sklearn, transfer = params.sklearn, params.transfer
    _check_ensembles(tracks, params)
    where = f"corpus (songs and artists of each genre: {describe_genres(tracks)})"
    if tracks["genre"].nunique() < 2:
        raise UserError(f"{where}: only one genre. Add songs of at least one other genre.")
    if tracks["artist_group"].nunique() < 2:
        raise UserError(
            f"{where}: all songs are by one artist, {tracks['artist_group'].iloc[0]!r}, but the test needs other "
            "artists than the training. Name the artist of each song; leave the artist empty where it is unknown."
        )
    problems = [
        *_too_many_folds(tracks, "sklearn", sklearn.folds, _repeats(tracks, sklearn), sklearn.seed),
        *_too_many_folds(tracks, "transfer", transfer.folds, _repeats(tracks, transfer), transfer.seed),
    ] or list(_too_many_neighbours(tracks, sklearn))
    fewest = _artists(tracks).min()
    if fewest < params.cnn.folds:
        problems.append(f"cnn.folds: {params.cnn.folds} is too many; set it to {fewest if fewest > 1 else 0}")
    if problems:
        raise UserError(
            f"{where}: " + ". ".join(problems) + ". Or add songs by other artists to the genres that lack them, or "
            "exclude genres with few songs by wrangling.min_songs_per_genre."
        )


def _check_ensembles(tracks: pd.DataFrame, params: Params) -> None:
    """Raise if a member of the ensemble, or every member of the soft vote, is left out because of the size."""
    size = training_size(tracks)
    left_out = params.sklearn.left_out(*size)
    if params.sklearn.soft_voting_members and not params.sklearn.voters(*size):
        left_out["soft_voting"] = "every member is left out"
    missing = next((name for name in params.evaluation.ensemble if name in left_out), None)
    if missing:
        raise UserError(
            f"params.yaml: evaluation.ensemble: {missing} is not trained: {left_out[missing]}. Name other models, or "
            "change sklearn.min_songs, sklearn.max_songs or sklearn.max_genres."
        )


def _repeats(tracks: pd.DataFrame, section: Sklearn | Transfer) -> int:
    """Count the repeats of the nested cross-validation, which a large corpus does not have."""
    return section.repeats if len(tracks) <= section.nested_max_songs else 0


def _too_many_folds(tracks: pd.DataFrame, section: str, folds: int, repeats: int, seed: int) -> Iterator[str]:
    """Yield what is wrong, if a genre has too few songs or artists for the folds of a section."""
    lacking = _lacking_genre(tracks, folds, repeats, seed)
    if lacking is None:
        return
    others = [number for number in range(2, _artists(tracks).min() + 1) if number != folds]
    nearest = sorted(others, key=lambda number: (number > folds, abs(number - folds)))
    works = next((number for number in nearest if _lacking_genre(tracks, number, repeats, seed) is None), None)
    songs = tracks[tracks["genre"] == lacking]
    counts = f"{lacking!r} has too little (songs: {len(songs)}, artists: {songs['artist_group'].nunique()})"
    if works:
        yield f"{counts} for {section}.folds: {folds}; {section}.folds: {works} works"
    else:
        yield f"{counts} for any {section}.folds; 12 songs by 4 artists, or 6 by 6, are the least"


def _too_many_neighbours(tracks: pd.DataFrame, config: Sklearn) -> Iterator[str]:
    """Yield what is wrong, if a training set has fewer songs than neighbours that are to vote."""
    neighbours = config.grids.get("k_nearest_neighbours", {}).get("n_neighbors", [])
    most = max((number for number in neighbours if isinstance(number, int)), default=0)
    if len(tracks) > MANY * most:
        return
    sets = _training_sets(tracks, config.folds, config.repeats, config.seed)
    fewest = min(len(learn) for _, learns in sets for learn in learns)
    if fewest < most:
        yield (
            f"a training set has {fewest} songs, too few for sklearn.grids.k_nearest_neighbours.n_neighbors: {most}; "
            f"values up to {fewest} work"
        )


def _lacking_genre(tracks: pd.DataFrame, folds: int, repeats: int, seed: int) -> str | None:
    """Find a genre that a training set of the nested cross-validation has too little of."""
    genres = tracks["genre"].unique()
    for songs, learns in _training_sets(tracks, folds, repeats, seed):
        artists = _artists(songs).reindex(genres, fill_value=0)
        if artists.min() < folds:
            return str(artists.idxmin())
        for learn in learns:
            counts = learn["genre"].value_counts().reindex(genres, fill_value=0)
            if counts.min() < MIN_SONGS:
                return str(counts.idxmin())
    return None


def _training_sets(
    tracks: pd.DataFrame, folds: int, repeats: int, seed: int
) -> Iterator[tuple[pd.DataFrame, Iterator[pd.DataFrame]]]:
    """Yield each set of songs on which models are tuned, and the training sets of its folds."""
    for songs in _tuning_sets(tracks, folds, repeats, seed):
        cv = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        splits = cv.split(songs, songs["genre"], songs["artist_group"])
        yield songs, (songs.iloc[learn] for learn, _ in splits)


def _tuning_sets(tracks: pd.DataFrame, folds: int, repeats: int, seed: int) -> Iterator[pd.DataFrame]:
    """Yield the songs on which models are tuned: all but those of the test, then all but those of each outer fold."""
    yield tracks[tracks["split"] != "test"]
    if _artists(tracks).min() < folds:
        return
    for repeat in range(repeats):
        outer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for learn, _ in outer.split(tracks, tracks["genre"], tracks["artist_group"]):
            yield tracks.iloc[learn]


def _describe(songs: pd.DataFrame) -> str:
    unknown = songs["artist"].isna().sum()
    named = f"{len(songs) - unknown} by {count_artists(songs)}"
    return f"{named} (and {unknown} of unknown artists)" if unknown else named


def _artists(tracks: pd.DataFrame) -> pd.Series:
    return tracks.groupby("genre")["artist_group"].nunique()
