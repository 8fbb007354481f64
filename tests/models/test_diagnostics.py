import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from songgenre.errors import UserError
from songgenre.models import diagnostics
from songgenre.models.diagnostics import (
    descriptor_of,
    evaluation_protocols,
    grouped_permutation_importance,
    learning_curve,
    sample_artists,
)
from songgenre.models.pipelines import PIPELINES

GENRES = ["blues", "jazz", "rock"]
FOLDS = 4


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Only the tests that are marked as integration start worker processes."""
    if not request.node.get_closest_marker("integration"):
        monkeypatch.setattr(diagnostics, "joblib_backend", lambda compute: joblib.parallel_config(backend="sequential"))


def nearest() -> Pipeline:
    return make_pipeline(StandardScaler(), KNeighborsClassifier(1))


def tracks_of(artists_per_genre: int, songs_per_artist: int) -> pd.DataFrame:
    genres = np.repeat(GENRES, artists_per_genre * songs_per_artist)
    artists = np.repeat(np.arange(3 * artists_per_genre), songs_per_artist)
    return pd.DataFrame({"genre": genres, "artist_group": artists.astype(str), "collection": "one"})


@pytest.mark.integration
def test_more_songs_help_where_the_genre_can_be_learned() -> None:
    tracks = tracks_of(artists_per_genre=20, songs_per_artist=2)
    rng = np.random.default_rng(0)
    centres = tracks["genre"].map({"blues": 0.0, "jazz": 1.0, "rock": 2.0}).to_numpy()[:, np.newaxis]
    X = pd.DataFrame(centres + 1.5 * rng.standard_normal((len(tracks), 12))).add_prefix("c")
    model = make_pipeline(StandardScaler(), LogisticRegression())
    curve = learning_curve(model, X, tracks["genre"], tracks["artist_group"], FOLDS, seed=1)
    assert curve.groupby("songs").size().tolist() == [FOLDS] * 5
    assert sorted(curve["songs"].unique()) == [18, 36, 54, 72, 90]  # of 40 songs of each genre, 30 are in every fold
    means = curve.groupby("songs")["accuracy"].mean()
    assert means.iloc[-1] > means.iloc[0] + 0.05
    assert curve.equals(learning_curve(model, X, tracks["genre"], tracks["artist_group"], FOLDS, seed=1))


def test_few_songs_are_enough_for_a_model_that_asks_for_some_of_each_genre() -> None:
    tracks = tracks_of(artists_per_genre=4, songs_per_artist=2)
    X = pd.DataFrame(np.random.default_rng(0).standard_normal((len(tracks), 12))).add_prefix("c")
    curve = learning_curve(PIPELINES["svm"](0), X, tracks["genre"], tracks["artist_group"], FOLDS, seed=1)
    assert sorted(curve["songs"].unique()) == [15, 18]
    assert curve["accuracy"].between(0, 1).all()


def test_columns_are_told_by_their_descriptor() -> None:
    columns = ["mfcc_03_std", "mfcc_delta_12_max", "rms_mean_abs_delta", "tempo", "onset_rate", "fluctuation_05_64bpm"]
    expected = ["mfcc", "mfcc_delta", "rms", "tempo", "onset_rate", "fluctuation"]
    assert descriptor_of(pd.Index(columns)).tolist() == expected


def test_only_the_descriptor_that_tells_the_genre_matters_however_many_columns_repeat_it() -> None:
    tracks = tracks_of(artists_per_genre=10, songs_per_artist=2)
    rng = np.random.default_rng(0)
    telling = tracks["genre"].map({"blues": 0.0, "jazz": 5.0, "rock": 10.0}) + 0.1 * rng.standard_normal(len(tracks))
    X = pd.DataFrame({"mfcc_01_mean": telling, "mfcc_02_mean": telling, "rms_mean": rng.standard_normal(len(tracks))})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, tracks["genre"])
    before = X.copy()
    table = grouped_permutation_importance(model, X, tracks["genre"], repeats=20, seed=1)
    assert table["descriptor"].unique().tolist() == ["mfcc", "rms"]
    loss = table.groupby("descriptor")["loss"].mean()
    assert loss["mfcc"] == pytest.approx(2 / 3, abs=0.08)
    assert loss["rms"] == pytest.approx(0, abs=0.02)
    pd.testing.assert_frame_equal(X, before)


def test_a_random_split_flatters_a_model_that_knows_the_artists() -> None:
    tracks = tracks_of(artists_per_genre=20, songs_per_artist=4)
    rng = np.random.default_rng(0)
    voices = rng.standard_normal((60, 6))[tracks["artist_group"].astype(int)]
    X = pd.DataFrame(voices + 0.01 * rng.standard_normal(voices.shape)).add_prefix("c")
    table = evaluation_protocols(nearest(), X, tracks, FOLDS, seed=1)
    by_other_artists, any_songs = table["accuracy"]
    assert any_songs > 0.95
    assert by_other_artists < 0.6
    assert "artist" in table["test"][0]


def test_a_collection_is_left_out_where_the_others_have_its_genres() -> None:
    tracks = tracks_of(artists_per_genre=20, songs_per_artist=2)
    tracks["collection"] = np.where(np.arange(len(tracks)) % 2, "tapes", "discs")
    tracks.loc[tracks["genre"] == "rock", "collection"] = "discs"
    codec = {"tapes": 3.0, "discs": -3.0}
    genre = tracks["genre"].map({"blues": -1.0, "jazz": 1.0, "rock": 0.0}) * tracks["collection"].map(codec)
    X = pd.DataFrame({"a": genre, "b": tracks["collection"].map(codec)})
    table = evaluation_protocols(nearest(), X, tracks, FOLDS, seed=1)
    assert not table["test"].str.contains("discs").any()
    [tapes] = table[table["test"].str.contains("tapes")].to_dict("records")
    assert tapes["songs"] == 40
    assert tapes["accuracy"] < 0.5 < table["accuracy"][0]


def corpus_of_artists(**artists_and_songs: tuple[int, int]) -> pd.DataFrame:
    rows = [
        (genre, f"{genre} {artist}")
        for genre, (artists, songs) in artists_and_songs.items()
        for artist in range(artists)
        for _ in range(songs)
    ]
    return pd.DataFrame(rows, columns=["genre", "artist_group"])


def test_small_corpus_is_its_own_sample() -> None:
    assert sample_artists(corpus_of_artists(jazz=(2, 5)), max_songs=10, folds=2, seed=0).all()


@pytest.mark.parametrize("seed", range(5))
def test_sample_has_whole_artists_as_many_as_fit(seed: int) -> None:
    """One artist alone has more songs than fit, and one genre too few artists for the folds."""
    tracks = corpus_of_artists(jazz=(40, 5), rock=(40, 5), noise=(1, 500), folk=(2, 5))
    drawn = sample_artists(tracks, max_songs=200, folds=3, seed=seed)
    sizes = tracks["artist_group"].value_counts()
    assert tracks[drawn]["artist_group"].value_counts().eq(sizes).sum() == tracks[drawn]["artist_group"].nunique()
    assert 180 <= drawn.sum() <= 200
    assert set(tracks["genre"][drawn]) == {"jazz", "rock"}


def test_sample_that_leaves_no_two_genres_is_refused() -> None:
    with pytest.raises(UserError, match="nested_max_songs"):
        sample_artists(corpus_of_artists(jazz=(40, 5), rock=(40, 5)), max_songs=10, folds=5, seed=0)
