import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import Normalizer, StandardScaler

from songgenre.errors import UserError
from songgenre.evaluation.folds import collection_folds
from songgenre.models import musicnn
from songgenre.models.pretrained import head, measure, robustness, signals, train
from songgenre.models.pretrained.embedding import LEVEL_DB, normalize_level
from songgenre.report import bundled_card

GENRES = ["blues", "jazz", "rock"]
PROTOCOLS = ["songs by unseen artists", "left-out collections", "other origin"]


@pytest.fixture(scope="module")
def songs() -> pd.DataFrame:
    """Five artists with four songs each, of each genre and of other genres, in each of three collections."""
    classes = [*GENRES, head.OTHER]
    rows = [(genre, f"{genre} {c} {a}", c) for genre in classes for c in "xyz" for a in range(5) for _ in range(4)]
    table = pd.DataFrame(rows, columns=["genre", "artist", "collection"])
    return table.assign(path=[f"{number}.wav" for number in range(len(table))])


@pytest.fixture(scope="module", name="X")
def embeddings(songs: pd.DataFrame) -> np.ndarray:
    """Genres are three directions, songs of other genres a fourth; each collection is shifted."""
    rng = np.random.default_rng(0)
    centers = np.eye(4, 12)[songs["genre"].map([*GENRES, head.OTHER].index)]
    shift = 0.5 * np.eye(12)[6 + songs["collection"].map("xyz".index)]
    return 3 * centers + shift + 0.7 * rng.standard_normal((len(songs), 12))


def trained(X: np.ndarray, songs: pd.DataFrame) -> head.Head:
    tones = 3 * np.eye(12)[np.repeat([9], 20)] + 0.1 * np.random.default_rng(1).standard_normal((20, 12))
    return train.train_head(X, songs, tones, max_outside=0.5)


def test_head_predicts_what_scikit_learn_predicts(X: np.ndarray, songs: pd.DataFrame) -> None:
    model = trained(X, songs)
    predicted = pd.DataFrame([model.predict(x).probabilities for x in X])
    assert predicted.columns.tolist() == GENRES
    scaler, shrinkage = StandardScaler().fit(X), train.fit(X, songs).model[-1].shrinkage
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=[0.25] * 4)
    scores = lda.fit(directions := Normalizer().transform(scaler.transform(X)), songs["genre"]).decision_function(
        directions
    )
    known = [lda.classes_.tolist().index(genre) for genre in GENRES]
    assert (predicted.idxmax(axis=1).to_numpy() == np.array(GENRES)[scores[:, known].argmax(axis=1)]).all()
    np.testing.assert_allclose(predicted.sum(axis=1), 1)


def test_two_genres_are_told_apart(X: np.ndarray, songs: pd.DataFrame) -> None:
    two = songs["genre"].isin(GENRES[:2]).to_numpy()
    model, rows = trained(X[two], songs[two]), songs[two].reset_index(drop=True)
    predicted = pd.DataFrame([model.predict(x).probabilities for x in X[two]])
    assert (predicted.idxmax(axis=1) == rows["genre"]).mean() > 0.9
    np.testing.assert_allclose(predicted, train.fit(X[two], rows).probabilities(X[two]), atol=1e-5)


def test_learning_curve_has_no_points_that_leave_too_few_songs_to_tune() -> None:
    rows = [(genre, f"{genre}{n % 6}", "xy"[n % 2], "") for genre in GENRES[:2] for n in range(12)]
    few = pd.DataFrame(rows, columns=["genre", "artist", "collection", "path"])
    assert measure.learning_curve(np.random.default_rng(0).random((24, 12)), few, seed=0).index.isin([5]).all()


def test_other_genres_and_signals_are_outside(X: np.ndarray, songs: pd.DataFrame) -> None:
    model = trained(X, songs)
    outside = np.array([model.predict(x).outside for x in X])
    is_other = songs["genre"] == head.OTHER
    assert outside[is_other].mean() > 0.8
    assert outside[~is_other].mean() < 0.2
    assert model.predict(3 * np.eye(12)[9]).outside > 0.9
    assert np.isfinite(model.predict(model.mean.astype(float)).outside)


def test_head_is_saved_and_loaded(X: np.ndarray, songs: pd.DataFrame, tmp_path: Path) -> None:
    model = trained(X, songs)
    head.save_head(model, tmp_path / "head.npz")
    loaded = head.load_head(tmp_path / "head.npz")
    assert loaded.predict(X[0]).probabilities.equals(model.predict(X[0]).probabilities)
    assert loaded.predict(X[0]).outside == model.predict(X[0]).outside
    with pytest.raises(UserError, match=r"\b12\b.*\(3,\)"):
        loaded.predict(X[0, :3])


def test_left_out_songs_are_predicted_without_their_collection(X: np.ndarray, songs: pd.DataFrame) -> None:
    """In each collection, another genre lies in each direction: what others taught is wrong."""
    rolled = songs.assign(
        genre=[
            (GENRES * 2)[GENRES.index(genre) + "xyz".index(collection)] if genre in GENRES else genre
            for genre, collection in zip(songs["genre"], songs["collection"], strict=True)
        ]
    )
    predicted = train.predict_left_out(X, rolled, collection_folds(rolled))
    assert sorted(predicted.index) == list(range(len(songs)))
    metrics = measure.score_genres(predicted, rolled, seed=0)
    assert metrics.accuracy < 0.1
    assert metrics.n_test == (songs["genre"] != head.OTHER).sum()


def test_without_collections_artists_are_left_out(X: np.ndarray, songs: pd.DataFrame) -> None:
    fitted = train.fit(X, songs.assign(collection="one"))
    assert (fitted.probabilities(X).idxmax(axis=1) == songs["genre"]).mean() > 0.9


def test_threshold_leaves_a_tenth_of_the_songs_outside(X: np.ndarray, songs: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    kinds = {f"kind {number}": 3 * np.eye(12)[9] + 0.1 * rng.standard_normal((4, 12)) for number in range(3)}
    outside = measure.score_outside(X, songs, kinds)
    assert outside.auroc > 0.9
    assert outside.genre_songs == pytest.approx(measure.MAX_SHARE_OUTSIDE, abs=0.01)
    assert outside.signals == 1


def test_songs_are_read_with_their_artists(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text(
        "file,genre,artist,collection\na.ogg,rock,Ann,x\nb.ogg,other:jazz,,x\nc.ogg,rock,unknown,y\n"
    )
    table = train.read_songs(tmp_path)
    assert table["genre"].tolist() == ["rock", head.OTHER, "rock"]
    assert table["artist"].tolist() == ["Ann", str(tmp_path / "b.ogg"), str(tmp_path / "c.ogg")]
    (tmp_path / "tracks.csv").write_text("file,genre\na.ogg,rock\n")
    with pytest.raises(UserError, match=r"tracks\.csv.*artist"):
        train.read_songs(tmp_path)


@pytest.mark.parametrize("gain", [1e-4, 0.1, 1.0])
def test_level_does_not_matter(gain: float) -> None:
    y = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    scaled = normalize_level(y * np.float32(gain))
    np.testing.assert_allclose(scaled, normalize_level(y), rtol=1e-4)
    assert 10 * np.log10(np.mean(scaled**2)) == pytest.approx(LEVEL_DB, abs=1e-3)
    assert not normalize_level(np.zeros(10, np.float32)).any()


@pytest.mark.parametrize("name", robustness.TRANSFORMATIONS)
def test_transformations_leave_the_music(name: str) -> None:
    """A tone of 440 Hz remains the strongest, but for a change of speed."""
    n = 30 * musicnn.SAMPLE_RATE
    y = (0.3 * np.sin(2 * np.pi * 440 * np.arange(n) / musicnn.SAMPLE_RATE)).astype(np.float32)
    z = robustness.transform(y, name)
    assert np.isfinite(z).all()
    assert z.dtype == np.float32
    peak_hz = np.argmax(np.abs(np.fft.rfft(z))) * musicnn.SAMPLE_RATE / len(z)
    assert peak_hz == pytest.approx(440 * (1.03 if "+3" in name else 0.97 if "-3" in name else 1), abs=0.5)


def test_signals_are_reproducible_and_differ() -> None:
    first, again = signals.generate_signals(1), signals.generate_signals(1)
    for kind, made in first.items():
        assert len(made) == signals.PER_KIND
        assert all(np.isfinite(y).all() and y.std() > 0 for y in made)
        assert all((y == same).all() for y, same in zip(made, again[kind], strict=True))
    assert not np.array_equal(first["tone"][0], first["tone"][1])


@pytest.mark.parametrize("file", ["BUNDLED", "BUNDLED_SHA256"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_damaged_bundled_head_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, X: np.ndarray, songs: pd.DataFrame, file: str, damage: str
) -> None:
    for name in ("BUNDLED", "BUNDLED_SHA256"):
        monkeypatch.setattr(head, name, tmp_path / name)
    head.save_bundled(trained(X, songs))
    assert set(head.load_head().classes) == {*GENRES, head.OTHER}
    content = bytearray((tmp_path / file).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / file).write_bytes(content if damage == "flipped" else content[:-5])
    if damage == "missing":
        (tmp_path / file).unlink()
    with pytest.raises(UserError, match=r"BUNDLED.*Install"):
        head.load_head()


def test_bundled_head_is_small_and_fits_the_network() -> None:
    bundled = head.load_head()
    assert set(bundled.classes) == {"electronic", "hip-hop", "classical", "country", "rock", head.OTHER}
    assert bundled.weights.shape == (musicnn.PENULTIMATE, 6)
    assert head.BUNDLED.stat().st_size < 50_000
    assert bundled.predict(np.zeros(musicnn.PENULTIMATE)).probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(("page", "protocols"), [("README.md", PROTOCOLS), ("docs/own_music.md", ["other origin"])])
def test_pages_give_the_accuracies_of_the_card(page: str, protocols: list[str]) -> None:
    text = " ".join((Path(__file__).parents[2] / page).read_text("utf-8").split())
    card = bundled_card.BUNDLED_CARD.read_text("utf-8")
    for protocol in protocols:
        [accuracy] = re.findall(rf"\| {protocol} \| \d+ \| ([\d.]+) ", card)
        assert re.search(rf"\b{100 * float(accuracy):.0f} %", text), protocol
