from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from songgenre.wrangling.split import (
    artist_group,
    artists_in_multiple_splits,
    hash_to_unit_interval,
    split_by_artist,
    split_tracks,
)


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
        ("Beyonce\u0301", "beyoncé"),
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
    assert shares["test"].between(0.1, 0.3).all()
    assert shares["validation"].between(0.075, 0.225).all()


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_within_bounds_however_many_artists_a_genre_has(seed: int) -> None:
    tracks = corpus(**{f"genre of {n}": n for n in (30, 45, 60, 100, 300)})
    shares = split(tracks, seed=seed).groupby(tracks["genre"]).value_counts(normalize=True).unstack()
    assert shares["test"].between(0.1, 0.3).all()
    assert shares["validation"].between(0.075, 0.225).all()


def test_shares_of_a_large_genre_are_near_to_those_asked_for() -> None:
    shares = split(corpus(rock=3000)).value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)
    assert shares["validation"] == pytest.approx(0.15, abs=0.02)


def test_order_of_the_songs_does_not_matter(tracks: pd.DataFrame) -> None:
    shuffled = tracks.sample(frac=1, random_state=3)
    pd.testing.assert_series_equal(split(shuffled).sort_index(), split(tracks))


def test_result_has_the_index_of_the_tracks(tracks: pd.DataFrame) -> None:
    tracks = tracks.set_index(tracks.index + 1000)
    assert split(tracks).index.equals(tracks.index)


def test_another_seed_splits_otherwise(tracks: pd.DataFrame) -> None:
    assert (split(tracks) != split(tracks, seed=2)).mean() > 0.2


@pytest.mark.parametrize("seed", range(8))
def test_songs_artists_and_genres_that_are_added_move_nothing(seed: int) -> None:
    tracks = corpus(rock=200, jazz=300)
    artists = tracks.drop_duplicates("artist_group").sample(frac=0.3, random_state=seed)
    new = [artists, artists.assign(genre="pop"), corpus(blues=250), artists.replace("artist", "newcomer", regex=True)]
    grown = pd.concat([tracks, *new], ignore_index=True)
    pd.testing.assert_series_equal(split(grown, seed=seed)[: len(tracks)], split(tracks, seed=seed))


@pytest.mark.parametrize("seed", range(8))
def test_songs_that_are_taken_away_move_nothing(seed: int) -> None:
    tracks = corpus(rock=300, jazz=300)
    fewer = tracks.sample(frac=0.7, random_state=seed)
    pd.testing.assert_series_equal(split(fewer, seed=seed), split(tracks, seed=seed)[fewer.index])


def test_artist_added_to_few_moves_none_but_those_next_to_a_cut() -> None:
    tracks = pd.DataFrame({"artist_group": [f"artist {n}" for n in range(6)], "genre": "rock"})
    grown = pd.concat([tracks, pd.DataFrame({"artist_group": ["somebody"], "genre": "rock"})], ignore_index=True)
    for seed in range(20):
        assert (split(grown, seed=seed)[:6] != split(tracks, seed=seed)).sum() <= 2


def test_number_of_a_name_is_the_same_on_every_machine() -> None:
    assert hash_to_unit_interval("the band", 1) == 0.5439044504166903
    assert hash_to_unit_interval("the band", 2) != hash_to_unit_interval("the band", 1)


def test_numbers_of_names_are_spread_evenly() -> None:
    numbers = [hash_to_unit_interval(f"artist {n}", 1) for n in range(10_000)]
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert counts.sum() == 10_000
    assert counts.min() > 900
    assert max(numbers) < 1


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


SPLITS = ["train", "validation", "test"]


def official(collection: str, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Songs of a collection, by two artists who are in every split, and their catalogue."""
    tracks = pd.DataFrame(
        {
            "track_id": [f"{collection}-{number}" for number in range(n)],
            "collection": collection,
            "genre": "rock",
            "artist_group": [f"{collection} artist {number % 2}" for number in range(n)],
        }
    )
    splits = [SPLITS[number % 3] for number in range(n)]
    return tracks, tracks[["track_id"]].assign(split=pd.Series(splits, dtype="str"))


@pytest.fixture
def ours() -> tuple[pd.DataFrame, pd.DataFrame]:
    tracks = corpus(rock=30, jazz=30).assign(collection="mine")
    tracks["track_id"] = [f"mine-{number}" for number in range(len(tracks))]
    return tracks, tracks[["track_id"]].assign(split=pd.Series([None] * len(tracks), dtype="str"))


def split_all(*parts: tuple[pd.DataFrame, pd.DataFrame], rule: str = "official") -> tuple[pd.DataFrame, pd.DataFrame]:
    tracks, catalogue = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    shuffled = catalogue.sample(frac=1, random_state=1)
    return tracks.assign(split=split_tracks(tracks, shuffled, rule, 0.15, 0.2, 1)), catalogue


def test_official_split_is_kept() -> None:
    tracks, catalogue = split_all(official("gtzan", 9))
    assert tracks["split"].tolist() == catalogue["split"].tolist()


def test_songs_without_an_official_split_are_split_by_artist(ours: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    tracks, catalogue = split_all(official("gtzan", 9), ours)
    assert tracks["split"][:9].tolist() == catalogue["split"][:9].tolist()
    expected = split_by_artist(ours[0], 0.15, 0.2, 1)
    assert tracks["split"][9:].tolist() == expected.tolist()


def test_catalogue_may_hold_songs_that_are_not_used_and_have_no_split() -> None:
    tracks, catalogue = official("gtzan", 9)
    catalogue.loc[8, "split"] = None
    assert split_tracks(tracks[:8], catalogue, "official", 0.15, 0.2, 1).tolist() == catalogue["split"][:8].tolist()


def test_collection_of_which_one_song_has_no_split_is_split_by_artist() -> None:
    tracks, catalogue = official("gtzan", 9)
    catalogue.loc[8, "split"] = None
    result = split_tracks(tracks, catalogue, "official", 0.15, 0.2, 1)
    pd.testing.assert_series_equal(result, split_by_artist(tracks, 0.15, 0.2, 1), check_names=False)


def test_official_split_is_not_used_unless_asked_for() -> None:
    tracks, _ = split_all(official("gtzan", 60), rule="artist")
    assert artists_in_multiple_splits(tracks) == []


def test_artists_on_two_sides_of_an_official_split_are_named(ours: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    tracks, _ = split_all(official("gtzan", 60), ours)
    assert artists_in_multiple_splits(tracks) == ["gtzan artist 0", "gtzan artist 1"]
