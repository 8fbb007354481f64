import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from songgenre.audio import Clip
from songgenre.plots import excerpts
from songgenre.report.notebook_page import sanitize
from songgenre.sources.base import Track
from songgenre.sources.catalogue import tabulate

WriteAudio = Callable[..., Path]


@pytest.fixture
def song(tmp_path: Path, write_audio: WriteAudio, tone: Callable[..., np.ndarray]) -> Path:
    """12 s low, 6 s high, 12 s low."""
    y = np.concatenate([tone(12, frequency=220), tone(6, frequency=880), tone(12, frequency=220)])
    return write_audio(tmp_path / "song.flac", y)


def mp3(clip: Clip) -> bytes:
    return excerpts.encode_excerpt(clip).content.tobytes()


def pitch(y: np.ndarray, sample_rate: int) -> float:
    return float(np.abs(np.fft.rfft(y)).argmax() * sample_rate / len(y))


def test_excerpt_is_the_middle_of_the_clip(song: Path) -> None:
    y, sample_rate = soundfile.read(io.BytesIO(mp3(Clip(song, 0, 30))))
    assert len(y) / sample_rate == pytest.approx(excerpts.DURATION_S, abs=0.1)
    assert pitch(y, sample_rate) == pytest.approx(880, abs=5)
    assert pitch(y[:sample_rate], sample_rate) == pytest.approx(220, abs=5)


def test_short_clip_is_heard_whole(song: Path) -> None:
    y, sample_rate = soundfile.read(io.BytesIO(mp3(Clip(song, 13, 4))))
    assert len(y) / sample_rate == pytest.approx(4, abs=0.1)


def test_same_clip_gives_the_same_few_bytes(song: Path) -> None:
    clip = Clip(song, 0, 30)
    assert mp3(clip) == mp3(clip)
    assert len(mp3(clip)) < 60_000


def test_table_names_and_plays_every_song_also_on_the_page(song: Path) -> None:
    songs = pd.DataFrame({"title": ["<b>Loud</b> & clear", None], "genre": pd.Categorical(["rock", "jazz"])})
    clips = [Clip(song, 0, 12), Clip(song, 10, 12)]
    players = map(excerpts.audio_player, clips, ["Excerpt of a-1", "Excerpt of a-2"])
    table = str(sanitize(excerpts.excerpt_table(songs, players).data))
    assert "&lt;b&gt;Loud&lt;/b&gt; &amp; clear" in table
    played = re.findall(r'<audio ([^>]*)src="data:audio/mpeg;base64,([^"]*)"', table)
    labels = [re.search('aria-label="([^"]*)"', before)[1] for before, _ in played]
    assert [label.split()[-1] for label in labels] == ["a-1", "a-2"]
    assert [base64.b64decode(content) for _, content in played] == list(map(mp3, clips))


def test_one_song_of_each_genre_is_played_unless_it_cannot_be_decoded(song: Path) -> None:
    (song.parent / "text.mp3").write_text("no sound")
    listed = [
        Track("folder", "1", "text.mp3", ("rock",), artist="Silent"),
        Track("folder", "2", None, ("rock",), artist="Absent", reason="empty", detail="empty"),
        *(Track("folder", f"a{genre}", song.name, (genre,), title="<b>", artist="Ann") for genre in ("rock", "jazz")),
        Track("folder", "3", song.name, (), artist="Nobody"),
    ]
    catalogue = tabulate(listed, song.parent)
    table = str(sanitize(excerpts.first_excerpts(catalogue, song.parent, n=3).data))
    assert sorted(re.findall("genre (\\w+)", table)) == ["jazz", "rock"]
    assert table.count("&lt;b&gt;") == 2
    one = str(excerpts.first_excerpts(catalogue, song.parent, n=1).data)
    assert one.count("<audio") == 1
    none = str(excerpts.first_excerpts(catalogue[catalogue["artist"] != "Ann"], song.parent, n=3).data)
    assert "<table" not in none
