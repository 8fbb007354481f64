from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from songgenre.wrangling.split import artist_group, split_by_artist


def corpus(**artists_of_genre: int) -> pd.DataFrame:
    """Each genre with so many artists, of one to seven songs each."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{genre} artist {artist}", genre)
        for genre, artists in artists_of_genre.items()
        for artist in range(artists)
        for _ in range(rng.integers(1, 8))
    ]
    return pd.DataFrame(rows, columns=["artist_group", "genre"])


def split(tracks: pd.DataFrame, validation: float = 0.15, test: float = 0.2, seed: int = 1) -> pd.Series:
    return split_by_artist(tracks, validation, test, seed)


@pytest.fixture(scope="module")
def tracks() -> pd.DataFrame:
    return corpus(rock=60, jazz=100)


@pytest.mark.parametrize(
    ("artist", "group"),
    [
        ("The Band", "the band"),
        ("  THE\t band ", "the band"),
        ("Straße", "strasse"),
        ("", "unknown artist of folder-1"),
        ("  ", "unknown artist of folder-1"),
        (None, "unknown artist of folder-1"),
        (float("nan"), "unknown artist of folder-1"),
    ],
)
def test_artist_group(artist: str | None, group: str) -> None:
    assert artist_group(artist, "folder-1") == group


def test_no_artist_is_on_two_sides(tracks: pd.DataFrame) -> None:
    assert split(tracks).groupby(tracks["artist_group"]).nunique().eq(1).all()


def test_each_genre_has_the_shares_asked_for(tracks: pd.DataFrame) -> None:
    shares = split(tracks).groupby(tracks["genre"]).value_counts(normalize=True).unstack()
    assert shares["test"].between(0.16, 0.24).all()
    assert shares["validation"].between(0.11, 0.19).all()


def test_order_of_the_songs_does_not_matter(tracks: pd.DataFrame) -> None:
    shuffled = tracks.sample(frac=1, random_state=3)
    pd.testing.assert_series_equal(split(shuffled).sort_index(), split(tracks))


def test_result_has_the_index_of_the_tracks(tracks: pd.DataFrame) -> None:
    tracks = tracks.set_index(tracks.index + 1000)
    assert split(tracks).index.equals(tracks.index)


def test_another_seed_splits_otherwise(tracks: pd.DataFrame) -> None:
    assert (split(tracks) != split(tracks, seed=2)).mean() > 0.2


def test_songs_that_are_added_move_few(tracks: pd.DataFrame) -> None:
    new = pd.DataFrame({"artist_group": ["somebody", "somebody", "rock artist 3"], "genre": "rock"})
    moved = split(pd.concat([tracks, new], ignore_index=True))[: len(tracks)] != split(tracks)
    assert tracks["artist_group"][moved].nunique() <= 3
    assert not moved[tracks["genre"] == "jazz"].any()


def test_larger_test_share_only_adds_to_the_test_songs(tracks: pd.DataFrame) -> None:
    tested = [split(tracks, validation=0, test=share) == "test" for share in (0.1, 0.2, 0.4)]
    for fewer, more in pairwise(tested):
        assert more[fewer].all()
        assert more.sum() > fewer.sum()


@pytest.mark.parametrize(
    ("artists", "splits"),
    [
        (1, [{"train"}, {"validation"}, {"test"}]),
        (2, [{"train", "test"}]),
        (3, [{"train", "validation", "test"}]),
        (4, [{"train", "validation", "test"}]),
    ],
)
@pytest.mark.parametrize("seed", range(8))
def test_few_artists(artists: int, splits: list[set[str]], seed: int) -> None:
    assert set(split(corpus(rock=artists), seed=seed)) in splits


@pytest.mark.parametrize("seed", range(8))
def test_one_artist_with_most_of_the_songs_leaves_some_to_train_and_to_test(seed: int) -> None:
    tracks = pd.DataFrame({"artist_group": ["star"] * 50 + ["one", "two"], "genre": "rock"})
    assert set(split(tracks, seed=seed)) == {"train", "validation", "test"}


def test_without_validation_songs_are_trained_or_tested(tracks: pd.DataFrame) -> None:
    assert set(split(tracks, validation=0)) == {"train", "test"}


def test_artist_of_two_genres_is_on_one_side_and_the_row_of_the_other_genre_is_unmoved() -> None:
    tracks = corpus(rock=20, jazz=20)
    both = pd.DataFrame({"artist_group": "both", "genre": ["rock"] * 3 + ["jazz"]})
    everything = pd.concat([tracks, both], ignore_index=True)
    result = split(everything)
    assert result[everything["artist_group"] == "both"].nunique() == 1
    jazz = tracks["genre"] == "jazz"
    pd.testing.assert_series_equal(result[: len(tracks)][jazz], split(tracks)[jazz])
