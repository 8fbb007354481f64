"""What is refused before a model is trained, and the tables of its card."""

from pathlib import Path

import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.models.pretrained import measure, train
from songgenre.paths import Project
from songgenre.report import exported_model, markdown


def corpus(artists: int, songs: int, genres: str = "ab") -> pd.DataFrame:
    rows = [(genre, f"{genre}{artist}") for genre in genres for artist in range(artists) for _ in range(songs)]
    return pd.DataFrame(rows, columns=["genre", "artist"]).assign(collection="one", path="x.wav")


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "\x1b[31mred", "\ud800", "x" * 101])
def test_names_that_are_no_line_of_text_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not a name"):
        exported_model.export_model(Project(tmp_path), name, tmp_path / "m.songgenre", tmp_path, seed=0)


def test_too_few_songs_are_refused_before_they_are_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported_model, "read_corpus", lambda project: corpus(artists=3, songs=1))
    with pytest.raises(UserError, match="6 songs of 2 genres are too few"):
        exported_model.export_model(Project(tmp_path), "few", tmp_path / "m.songgenre", tmp_path, seed=0)


@pytest.mark.parametrize("genres", ["ab", "abc"])
def test_three_artists_with_three_songs_are_enough(genres: str) -> None:
    songs = corpus(artists=3, songs=3, genres=genres)
    exported_model._check_folds(songs, train.artist_folds(songs, seed=0))


def test_one_genre_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = corpus(artists=4, songs=2, genres="a").rename(columns={"artist": "artist_group", "path": "audio_path"})
    monkeypatch.setattr(exported_model, "read_table", lambda schema, path: tracks)
    with pytest.raises(UserError, match="fewer than two genres"):
        exported_model.read_corpus(Project(tmp_path))


def test_genre_of_several_lines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = corpus(artists=4, songs=2).replace({"genre": {"a": "a\nb"}})
    tracks = tracks.rename(columns={"artist": "artist_group", "path": "audio_path"})
    monkeypatch.setattr(exported_model, "read_table", lambda schema, path: tracks)
    with pytest.raises(UserError, match="not one line"):
        exported_model.read_corpus(Project(tmp_path))


def test_a_bar_in_a_cell_does_not_begin_another_cell() -> None:
    assert markdown.table(["genre"], [["a|b"]]).splitlines()[-1] == r"| a\|b |"


@pytest.mark.parametrize(("genres", "has_accuracy"), [(["a", "other"], False), (["a", "b", "other"], True)])
def test_card_of_a_model_with_one_genre_has_no_accuracy(genres: list[str], has_accuracy: bool) -> None:
    songs = pd.concat([corpus(3, 2, "a").assign(genre=genre) for genre in genres], ignore_index=True)
    uniform = pd.DataFrame(1 / len(genres), index=songs.index, columns=genres)
    outside = measure.Outside(auroc=0.9, maximum=0.5, genre_songs=0.1, other_songs=0.8, signals=1.0)
    scores = {"songs by unseen artists": measure.score_genres(uniform, songs, seed=0)}
    card = exported_model.model_card("one", exported_model.Measurements(songs, scores, pd.Series({5: 1.0}), outside))
    assert ("songs per genre" in card) == has_accuracy
    assert "0.90" in card
