import csv
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import seaborn as sns
from rich.console import Console

from songgenre.audio.tags import Tags
from songgenre.plots.style import genre_colors
from songgenre.predict import command, formatting
from songgenre.predict.inference import SongPrediction
from songgenre.predict.inputs import AudioInput


@pytest.fixture
def prediction() -> SongPrediction:
    windows = pd.DataFrame(
        {"classical": [0.1, 0.1, 0.0], "country": [0.5, 0.7, 0.4], "rock": [0.4, 0.2, 0.6]}, index=[16.0, 46.0, 76.0]
    )
    return SongPrediction(AudioInput("a, b.mp3", Path("a, b.mp3")), "svm", windows, 30.0)


def tagged(prediction: SongPrediction) -> SongPrediction:
    tags = Tags("Anna", None, "Song\x1b[31m", "jazz", "1999")
    return prediction._replace(song=prediction.song._replace(tags=tags))


def printed(prediction: SongPrediction, threshold: float, **options: object) -> str:
    console = Console(file=io.StringIO(), width=100, **options)
    console.print(formatting.render_song(prediction, threshold))
    return console.file.getvalue()


def test_strip_can_be_read_without_colours(prediction: SongPrediction) -> None:
    title, strip, legend = printed(prediction, 0.5).splitlines()
    assert re.search(r"a, b\.mp3.*country 0\.53", title)
    assert "unsure" not in title
    assert strip == "  0:16  O  O  R  1:46"
    assert legend.split() == ["O", "country", "0.53", "R", "rock", "0.40", "C", "classical", "0.07"]


def test_artist_and_title_are_beside_the_file(prediction: SongPrediction) -> None:
    first, *_ = printed(tagged(prediction), 0.5).splitlines()
    assert first.startswith("a, b.mp3 (Anna, Song\ufffd[31m): country")


def test_unsure_songs_and_windows_are_marked(prediction: SongPrediction) -> None:
    title, strip, _ = printed(prediction, 0.65).splitlines()
    assert re.search(r"a, b\.mp3.*unsure.*country 0\.53.*rock 0\.40", title)
    assert strip == "  0:16  o  O  r  1:46"


def test_blocks_have_the_colours_of_the_genres(prediction: SongPrediction, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    colored = printed(prediction, 0.5, force_terminal=True, color_system="truecolor")
    assert "48;2;222;143;5m O " in colored
    assert "48;2;2;158;115m R " in colored
    monkeypatch.setenv("NO_COLOR", "1")
    assert "48;2" not in printed(prediction, 0.5, force_terminal=True, color_system="truecolor")


def test_colours_are_those_of_the_notebooks() -> None:
    genres = ["rock", "jazz", "country", "classical"]
    hexadecimal = {genre: sns.color_palette([color]).as_hex()[0] for genre, color in genre_colors(genres).items()}
    assert formatting.genre_hex_colors(genres) == hexadecimal


def test_every_genre_has_a_letter_of_its_own() -> None:
    genres = ["rock", "r&b", "rap", "reggae", "r", "2-step", "country", "classical"]
    chosen = formatting.genre_letters(genres)
    assert len(set(chosen.values())) == len(genres)
    assert all(letter.isalpha() for letter in chosen.values())


def test_json_is_one_object_a_line(prediction: SongPrediction) -> None:
    line = formatting.as_json(tagged(prediction), 0.6)
    assert "\n" not in line
    assert json.loads(line) == {
        "file": "a, b.mp3",
        "genre": "country",
        "probabilities": pytest.approx({"country": 1.6 / 3, "rock": 0.4, "classical": 0.2 / 3}),
        "unsure": True,
        "outside": None,
        "is_outside": False,
        "tags": {},
        "model": "svm",
        "file_tags": {"artist": "Anna", "album_artist": None, "title": "Song\x1b[31m", "genre": "jazz", "year": "1999"},
    }


def test_song_of_another_genre_is_outside_with_its_tags(prediction: SongPrediction) -> None:
    tags = pd.DataFrame({"rock": [0.2] * 3, "jazz": [0.6] * 3, "piano": [0.4] * 3}, index=prediction.windows.index)
    other = prediction._replace(outside=0.9, max_outside=0.5, tags=tags)
    answered = json.loads(formatting.as_json(other, 0.5))
    assert (answered["outside"], answered["is_outside"], list(answered["tags"])) == (
        0.9,
        True,
        ["jazz", "piano", "rock"],
    )
    [row] = csv.DictReader(formatting.as_csv([other], 0.5))
    assert (row["outside"], row["is_outside"]) == ("0.9", "true")
    assert re.search(r"a, b\.mp3: outside.*jazz.*piano.*country 0\.53", printed(other, 0.5))
    assert "outside" not in printed(other._replace(outside=0.4), 0.5)
    console = Console(file=io.StringIO(), width=100)
    console.print(formatting.render_song(other, 0.5, with_tags=True))
    assert len(re.findall(r"\d:\d\d  jazz 0\.60, piano 0\.40", console.file.getvalue())) == 3


def test_each_song_is_printed_on_a_line_of_its_own(
    prediction: SongPrediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "predict_songs", lambda songs, name: iter([prediction] * len(songs)))
    for name in ("a.mp3", "b.mp3"):
        (tmp_path / name).touch()
    assert command.run([str(tmp_path)], "pretrained", 0.5, "json", html=None)
    assert [json.loads(line)["genre"] for line in capsys.readouterr().out.splitlines()] == ["country"] * 2


def test_csv_has_a_line_per_song(prediction: SongPrediction) -> None:
    [row] = csv.DictReader(formatting.as_csv([tagged(prediction)], 0.5))
    assert (row["artist"], row["title"]) == ("Anna", "Song\x1b[31m")
    assert row["file"] == "a, b.mp3"
    assert row["genre"] == "country"
    assert row["unsure"] == "false"
    assert float(row["p_rock"]) == pytest.approx(0.4)
    assert list(formatting.as_csv([], 0.5)) == []


@pytest.mark.parametrize("name", ["=cmd|calc!A0.ogg", "+1.ogg", "-1.ogg", "@SUM(A1).ogg"])
def test_csv_has_no_formula(prediction: SongPrediction, name: str) -> None:
    song = AudioInput(name, Path(name), Tags(artist=name, title=name))
    [row] = csv.DictReader(formatting.as_csv([prediction._replace(song=song)], 0.5))
    assert [row["file"], row["artist"], row["title"]] == [f"'{name}"] * 3


def test_csv_keeps_the_name_of_the_standard_input(prediction: SongPrediction) -> None:
    [row] = csv.DictReader(formatting.as_csv([prediction._replace(song=AudioInput("-", Path("-")))], 0.5))
    assert row["file"] == "-"
