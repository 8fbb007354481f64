import re

import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.models.classical import grid_search, nested_cross_validate
from songgenre.params import Params, load_params
from songgenre.paths import Project
from songgenre.wrangling.requirements import check_corpus, describe_genres
from songgenre.wrangling.split import split_by_artist


@pytest.fixture(scope="module")
def params() -> Params:
    """Those of the project, with folds of 07_transfer like those of 05_sklearn."""
    params = load_params(Project.find().params)
    transfer = params.transfer.model_copy(update={"repeats": params.sklearn.repeats, "seed": params.sklearn.seed})
    return params.model_copy(update={"transfer": transfer})


def corpus(**artists_and_songs: tuple[int, int]) -> pd.DataFrame:
    """Each genre with so many artists, of so many songs each."""
    rows = [
        (f"{genre}-{artist}-{song}", genre, f"{genre} {artist}")
        for genre, (artists, songs) in artists_and_songs.items()
        for artist in range(artists)
        for song in range(songs)
    ]
    tracks = pd.DataFrame(rows, columns=["track_id", "genre", "artist_group"])
    return tracks.assign(split=split_by_artist(tracks, 0.15, 0.2, 0), artist=tracks["artist_group"])


def check(tracks: pd.DataFrame, params: Params, **folds: int) -> None:
    sections = {
        name: getattr(params, name).model_copy(update={"folds": folds[name]} if name in folds else {})
        for name in ("sklearn", "transfer", "cnn")
    }
    check_corpus(tracks, params.model_copy(update=sections))


def working_folds(tracks: pd.DataFrame, params: Params) -> int | None:
    """Which number of folds is said to work; None if none is."""
    try:
        check(tracks, params, transfer=params.sklearn.folds)
    except UserError as error:
        works = re.search(r"sklearn\.folds: (\d+) works", str(error))
        return int(works[1]) if works else None
    return params.sklearn.folds


def test_enough_passes(params: Params) -> None:
    check(corpus(rock=(12, 4), jazz=(12, 4)), params)


@pytest.mark.parametrize(
    ("tracks", "named"),
    [
        (corpus(rock=(12, 4)), "rock 48 by 12.*one genre"),
        (corpus(rock=(12, 4), jazz=(12, 4)).assign(artist_group="various artists", split="train"), "various artists"),
        (corpus(rock=(12, 4), jazz=(1, 9)), r"jazz.*songs: 9, artists: 1\b.*sklearn\.folds.*transfer\.folds"),
    ],
)
def test_too_little_is_named(params: Params, tracks: pd.DataFrame, named: str) -> None:
    with pytest.raises(UserError, match=named):
        check(tracks, params)


@pytest.mark.integration
@pytest.mark.parametrize(("artists", "songs"), [(4, 3), (6, 1), (6, 2), (8, 3)])
def test_number_of_folds_that_works_is_named_and_works(params: Params, artists: int, songs: int) -> None:
    tracks = corpus(rock=(20, 3), jazz=(artists, songs))
    named = working_folds(tracks, params)
    if named is None:
        return
    check(tracks, params, sklearn=named, transfer=named)
    X = pd.DataFrame({"a": range(len(tracks)), "b": tracks["genre"].eq("jazz").astype(float)}, tracks.index)
    learn = tracks["split"] != "test"
    grids = {"k_nearest_neighbours": {"n_neighbors": [1]}}
    list(
        grid_search(grids, X[learn], tracks["genre"][learn], tracks["artist_group"][learn], named, params.sklearn.seed)
    )
    nested = nested_cross_validate(grids, [], X, tracks, named, params.sklearn.repeats, params.sklearn.seed)
    assert len(nested) == params.sklearn.repeats * len(tracks)


def test_more_neighbours_than_songs_are_refused(params: Params) -> None:
    tiny = corpus(rock=(6, 1), jazz=(6, 1))
    with pytest.raises(UserError, match=r"n_neighbors.*values up to 6 work"):
        check(tiny, params, sklearn=4, transfer=4)
    grids = {"baseline": {}, "k_nearest_neighbours": {"n_neighbors": [3, 6]}}
    fewer = params.model_copy(update={"sklearn": params.sklearn.model_copy(update={"grids": grids})})
    check(tiny, fewer, sklearn=4, transfer=4)


def test_folds_of_the_cnn_are_checked_too(params: Params) -> None:
    assert working_folds(corpus(rock=(20, 3), jazz=(6, 3)), params) in (2, 3, 4)
    with pytest.raises(UserError, match=r"cnn\.folds.*set it to 12"):
        check(corpus(rock=(12, 4), jazz=(12, 4)), params, cnn=20)


def test_genres_are_counted() -> None:
    songs = corpus(rock=(2, 3), jazz=(4, 1))
    assert describe_genres(songs) == "jazz 4 by 4, rock 6 by 2"
    songs.loc[0, "artist"] = None
    assert describe_genres(songs).endswith("rock 5 by 2 (and 1 of unknown artists)")


def test_of_many_genres_those_with_the_fewest_artists_are_described() -> None:
    songs = corpus(**{f"genre {number:03d}": (200 - number, 1) for number in range(161)})
    described = describe_genres(songs)
    assert described.startswith("genre 141 59 by 59, ")
    assert "genre 160 40 by 40; " in described
    assert described.endswith(": 141")


@pytest.mark.parametrize(("ensemble", "members"), [(["svm", "cnn"], []), (["soft_voting", "cnn"], ["svm"])])
def test_ensemble_of_a_model_that_is_not_trained_is_refused(
    params: Params, ensemble: list[str], members: list[str]
) -> None:
    sklearn = params.sklearn.model_copy(update={"max_songs": {"svm": 60}, "soft_voting_members": members})
    evaluation = params.evaluation.model_copy(update={"ensemble": ensemble})
    changed = params.model_copy(update={"sklearn": sklearn, "evaluation": evaluation})
    check(corpus(rock=(8, 3), jazz=(8, 3)), changed)
    with pytest.raises(UserError, match=rf"evaluation\.ensemble: {ensemble[0]}"):
        check(corpus(rock=(20, 3), jazz=(20, 3)), changed)


def test_ensemble_of_a_model_that_the_genres_rule_out_is_refused(params: Params) -> None:
    sklearn = params.sklearn.model_copy(update={"max_songs": {"svm": 60}, "max_genres": {"svm": 1}})
    evaluation = params.evaluation.model_copy(update={"ensemble": ["svm", "cnn"]})
    changed = params.model_copy(update={"sklearn": sklearn, "evaluation": evaluation})
    with pytest.raises(UserError, match=r"svm is not trained: more than 60 training songs and more than 1 genres"):
        check(corpus(rock=(20, 3), jazz=(20, 3)), changed)
