from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.sources.base import Song, track_id
from songgenre.sources.folder import collect


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    folder = tmp_path / "audio"
    folder.mkdir()
    return folder


def put(music: Path, *files: str) -> None:
    for file in files:
        (music / file).parent.mkdir(parents=True, exist_ok=True)
        (music / file).write_text(f"the sound of {file}", "utf-8")


def listed(music: Path, audio: Path, text: str, *files: str) -> list[Song]:
    put(music, *files)
    (music / "tracks.csv").write_text(text, "utf-8")
    return collect(music, audio)


def test_folder_names_are_the_genres(music: Path, audio: Path) -> None:
    put(music, "rock/One.mp3", "rock/Two.FLAC", "jazz/One.mp3")
    songs = collect(music, audio)
    assert [(song.source_id, song.genres, song.title, song.artist) for song in songs] == [
        ("jazz/One.mp3", ("jazz",), "One", None),
        ("rock/One.mp3", ("rock",), "One", None),
        ("rock/Two.FLAC", ("rock",), "Two", None),
    ]


def test_copies_have_the_content_and_safe_names(music: Path, audio: Path) -> None:
    put(music, "rock/One.MP3", "jazz/One.mp3")
    songs = collect(music, audio)
    assert {song.file for song in songs} == {path.name for path in audio.iterdir()}
    for song in songs:
        assert song.file == track_id("folder", song.source_id) + ".mp3"
        assert (audio / song.file).read_text("utf-8") == f"the sound of {song.source_id}"


def test_the_users_music_is_only_read(music: Path, audio: Path) -> None:
    put(music, "rock/One.mp3")
    (music / "rock" / "One.mp3").chmod(0o444)
    before = sorted(music.rglob("*"))
    collect(music, audio)
    assert sorted(music.rglob("*")) == before


def test_only_audio_one_level_down_is_taken(music: Path, audio: Path) -> None:
    put(music, "rock/song.mp3", "rock/cover.jpg", "loose.mp3", "rock/album/deep.mp3", "rock/noending")
    (music / "rock" / "folder.mp3").mkdir()
    assert [song.source_id for song in collect(music, audio)] == ["rock/song.mp3"]


@pytest.mark.parametrize("name", ["musique/été à Zürich.mp3", "日本語/歌.mp3", "рок/Ё—«песня».mp3", "a b/it's #1.mp3"])
def test_any_name_will_do(music: Path, audio: Path, name: str) -> None:
    put(music, name)
    (song,) = collect(music, audio)
    assert song.genres == (Path(name).parent.name,)
    assert (audio / song.file).read_text("utf-8") == f"the sound of {name}"


def test_home_is_expanded(music: Path, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(music, "rock/One.mp3")
    monkeypatch.setenv("HOME", str(music.parent))
    assert len(collect(Path("~/music"), audio)) == 1


def test_missing_folder_is_named(tmp_path: Path, audio: Path) -> None:
    with pytest.raises(UserError, match=r"scraping\.folder.*nowhere"):
        collect(tmp_path / "nowhere", audio)


def test_folder_without_audio_says_what_was_expected(music: Path, audio: Path) -> None:
    put(music, "song.mp3", "rock/readme.txt")
    with pytest.raises(UserError, match=r"one sub-folder of audio per genre.*\.mp3"):
        collect(music, audio)


def test_list_tells_genres_artist_and_title(music: Path, audio: Path) -> None:
    text = "file,genre,artist,title,collection\na.mp3,rock | jazz,Anna,Hello,box\nsub/b.mp3,,,,\n"
    a, b = listed(music, audio, text, "a.mp3", "sub/b.mp3")
    assert (a.genres, a.artist, a.title, a.collection) == (("rock", "jazz"), "Anna", "Hello", "box")
    assert (b.genres, b.artist, b.title, b.collection) == ((), None, None, None)
    assert (audio / b.file).read_text("utf-8") == "the sound of sub/b.mp3"


def test_list_needs_no_more_than_file_and_genre(music: Path, audio: Path) -> None:
    (song,) = listed(music, audio, "genre,file\nrock,a.mp3\n", "a.mp3", "jazz/unlisted.mp3")
    assert (song.source_id, song.genres, song.artist, song.title) == ("a.mp3", ("rock",), None, None)


@pytest.mark.parametrize("genre", ["rock|rock", "rock||", " rock "])
def test_one_genre_is_one_however_it_is_written(music: Path, audio: Path, genre: str) -> None:
    (song,) = listed(music, audio, f"file,genre\na.mp3,{genre}\n", "a.mp3")
    assert song.genres == ("rock",)


@pytest.mark.parametrize("word", ["NA", "None", "null", "1999"])
def test_words_that_pandas_takes_for_something_else_stay_words(music: Path, audio: Path, word: str) -> None:
    (song,) = listed(music, audio, f"file,genre,artist,title\na.mp3,{word},{word},{word}\n", "a.mp3")
    assert (song.genres, song.artist, song.title) == ((word,), word, word)


def test_row_may_end_early(music: Path, audio: Path) -> None:
    _, song = listed(music, audio, "file,genre,artist\na.mp3,rock,Anna\nb.mp3,rock\n", "a.mp3", "b.mp3")
    assert song.artist is None


def test_list_saved_by_a_spreadsheet_is_read(music: Path, audio: Path) -> None:
    (song,) = listed(music, audio, "\ufefffile,genre,title\r\na.mp3,rock,\"Été, 'live'\"\r\n", "a.mp3")
    assert song.title == "Été, 'live'"


@pytest.mark.filterwarnings("ignore:Length of header")
def test_comma_at_the_end_of_each_row_does_no_harm(music: Path, audio: Path) -> None:
    (song,) = listed(music, audio, "file,genre\na.mp3,rock,\n", "a.mp3")
    assert (song.source_id, song.genres) == ("a.mp3", ("rock",))


@pytest.mark.parametrize("columns", ["file", "genre", "path,style"])
def test_missing_columns_are_named(music: Path, audio: Path, columns: str) -> None:
    missing = ", ".join(sorted({"file", "genre"} - set(columns.split(","))))
    with pytest.raises(UserError, match=f"{missing} is missing; it has {columns.replace(',', ', ')}"):
        listed(music, audio, f"{columns}\n{columns}\n")


@pytest.mark.parametrize("file", ["../secret.mp3", "sub/../../secret.mp3", "/etc/passwd"])
def test_file_outside_the_folder_is_refused(music: Path, audio: Path, file: str) -> None:
    (music.parent / "secret.mp3").touch()
    with pytest.raises(UserError, match=r"below its folder, got .*(secret|passwd)"):
        listed(music, audio, f"file,genre\n{file},rock\n")
    assert not list(audio.iterdir())


def test_link_to_outside_the_folder_is_refused(music: Path, audio: Path) -> None:
    (music.parent / "secret.mp3").touch()
    (music / "link.mp3").symlink_to(music.parent / "secret.mp3")
    with pytest.raises(UserError, match="below its folder"):
        listed(music, audio, "file,genre\nlink.mp3,rock\n")


@pytest.mark.parametrize("file", ["missing.mp3", "", "sub"])
def test_missing_file_is_named_before_anything_is_copied(music: Path, audio: Path, file: str) -> None:
    with pytest.raises(UserError, match=f"Expected the file '{file}', listed in"):
        listed(music, audio, f"file,genre\na.mp3,rock\n{file},rock\n", "a.mp3", "sub/b.mp3")
    assert not list(audio.iterdir())


def test_repeated_file_is_named(music: Path, audio: Path) -> None:
    with pytest.raises(UserError, match=r"'a\.mp3' is there again"):
        listed(music, audio, "file,genre\na.mp3,rock\nb.mp3,rock\na.mp3,jazz\n", "a.mp3", "b.mp3")


@pytest.mark.parametrize("text", ["", "\n", "file,genre\n"])
def test_empty_list_is_named(music: Path, audio: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"tracks\.csv"):
        listed(music, audio, text)


@pytest.mark.parametrize("content", [b"file,genre\na.mp3,m\xfasica\n", b'file,genre\n"a.mp3,rock\n'])
def test_list_that_is_no_csv_in_utf_8_is_named(music: Path, audio: Path, content: bytes) -> None:
    (music / "tracks.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"tracks\.csv"):
        collect(music, audio)
