import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.sources.base import Track, track_id
from songgenre.sources.catalogue import tabulate
from songgenre.sources.folder import Folder
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import check_table


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


def put(music: Path, *files: str) -> None:
    for file in files:
        (music / file).parent.mkdir(parents=True, exist_ok=True)
        (music / file).write_text(f"the sound of {file}", "utf-8")


def collect(music: Path, audio: Path) -> list[Track]:
    """Collect a folder, and check that all of it fits into a catalogue."""
    songs = Folder(music).collect(audio)
    assert {song.file for song in songs if song.file} == {path.name for path in audio.iterdir()}
    check_table(tabulate(songs, audio), CATALOGUE, "the catalogue")
    return songs


def listed(music: Path, audio: Path, text: str, *files: str) -> list[Track]:
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
    for song in songs:
        assert song.file == track_id("folder", song.source_id) + ".mp3"
        assert (audio / song.file).read_text("utf-8") == f"the sound of {song.source_id}"


def test_the_users_music_is_only_read(music: Path, audio: Path) -> None:
    put(music, "rock/One.mp3")
    (music / "rock" / "One.mp3").chmod(0o444)
    before = sorted(music.rglob("*"))
    collect(music, audio)
    assert sorted(music.rglob("*")) == before


def test_albums_belong_to_the_genre_above_them(music: Path, audio: Path) -> None:
    put(music, "rock/song.mp3", "rock/album/cd 2/song.mp3", "jazz/album/song.wav")
    assert {song.source_id: song.genres for song in collect(music, audio)} == {
        "jazz/album/song.wav": ("jazz",),
        "rock/album/cd 2/song.mp3": ("rock",),
        "rock/song.mp3": ("rock",),
    }


def test_any_ending_is_offered(music: Path, audio: Path) -> None:
    put(music, "rock/a.m4a", "rock/b.XYZ", "rock/c", "rock/d.zip")
    songs = collect(music, audio)
    assert {song.source_id for song in songs} == {"rock/a.m4a", "rock/b.XYZ", "rock/c", "rock/d.zip"}
    assert all(song.file for song in songs)


def test_pictures_playlists_and_texts_are_counted(music: Path, audio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(music, "rock/song.mp3", "rock/cover.JPG", "rock/back.jpg", "list.m3u", "rock/notes.txt", "rock/genres.jsonl")
    assert [song.source_id for song in collect(music, audio)] == ["rock/song.mp3"]
    [line] = capsys.readouterr().err.splitlines()
    assert all(count in line for count in (".jpg 2", ".jsonl 1", ".m3u 1", ".txt 1"))


def test_song_beside_the_genre_folders_has_no_genre(music: Path, audio: Path) -> None:
    put(music, "rock/song.mp3", "loose.mp3")
    loose, song = collect(music, audio)
    assert (loose.source_id, loose.reason, loose.genres) == ("loose.mp3", "missing_genre", ())
    assert song.reason is None


@pytest.mark.parametrize(
    "litter",
    ["rock/._song.mp3", "rock/.song.m4a", ".trash/song.mp3", "rock/@eaDir/song.mp3", "rock/Thumbs.db", "Desktop.ini"],
)
def test_what_is_hidden_or_litter_is_not_taken(
    music: Path, audio: Path, litter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(music, "rock/song.mp3", litter)
    assert [song.source_id for song in collect(music, audio)] == ["rock/song.mp3"]
    assert capsys.readouterr().err == ""


def test_linked_folders_are_read_once_and_loops_end(music: Path, audio: Path, tmp_path: Path) -> None:
    put(tmp_path / "disk", "swing/a.mp3")
    put(music, "rock/a.mp3", "rock/album/b.mp3")
    for link, target in {
        "again": "rock",
        "jazz": tmp_path / "disk",
        "jazz too": tmp_path / "disk",
        "rock/album/loop": "..",
        "rock/above": "../..",
        "rock/all": tmp_path,
        "rock/self": "self",
    }.items():
        (music / link).symlink_to(target)
    songs = {song.source_id: song for song in collect(music, audio)}
    assert set(songs) == {"jazz/swing/a.mp3", "rock/a.mp3", "rock/album/b.mp3", "rock/self"}
    assert songs["jazz/swing/a.mp3"].genres == ("jazz",)
    assert songs["rock/self"].reason == "unreadable"


@pytest.mark.parametrize(
    ("make", "detail"),
    [
        (os.mkfifo, "regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "outside"),
        (lambda path: path.symlink_to("/etc/passwd"), "outside"),
        (lambda path: path.symlink_to("nowhere.mp3"), "No such file or directory"),
        (lambda path: path.symlink_to(path.name), "Symlink loop"),
        (lambda path: path.symlink_to("x" * 300), "name too long"),
    ],
)
def test_what_is_no_file_under_an_audio_name_is_unreadable(
    music: Path, audio: Path, make: Callable[[Path], None], detail: str
) -> None:
    put(music, "rock/b.mp3")
    make(music / "rock" / "a.mp3")
    broken, song = collect(music, audio)
    assert (broken.file, broken.reason) == (None, "unreadable")
    assert detail in str(broken.detail)
    assert song.file is not None


def test_link_within_the_folder_is_followed(music: Path, audio: Path) -> None:
    put(music, "rock/a.mp3")
    (music / "jazz").mkdir()
    (music / "jazz" / "a.mp3").symlink_to("../rock/a.mp3")
    assert [song.reason for song in collect(music, audio)] == [None, None]


def test_folder_itself_may_be_a_link(music: Path, audio: Path, tmp_path: Path) -> None:
    put(music, "rock/a.mp3")
    (tmp_path / "link").symlink_to(music)
    assert [song.reason for song in collect(tmp_path / "link", audio)] == [None]


@pytest.mark.usefixtures("heeding_permissions")
def test_file_that_may_not_be_read_is_unreadable(music: Path, audio: Path) -> None:
    put(music, "rock/a.mp3", "rock/b.mp3")
    (music / "rock" / "a.mp3").chmod(0)
    closed, other = collect(music, audio)
    assert (closed.file, closed.reason) == (None, "unreadable")
    assert "Permission denied" in str(closed.detail)
    assert other.reason is None


@pytest.mark.usefixtures("heeding_permissions")
def test_folder_that_may_not_be_read_is_named(music: Path, audio: Path) -> None:
    put(music, "rock/a.mp3", "jazz/b.mp3")
    (music / "rock" / "album").mkdir()
    for place, mode, closed in (("rock", 0, "rock"), ("rock", 0o400, "rock/album"), (".", 0o400, "jazz"), (".", 0, "")):
        (music / place).chmod(mode)
        with pytest.raises(UserError, match=rf"music/?{closed}.*Permission denied"):
            collect(music, audio)
        (music / place).chmod(0o755)


@pytest.mark.usefixtures("heeding_permissions")
def test_folder_that_is_out_of_reach_is_named(music: Path, audio: Path) -> None:
    put(music, "closed/rock/a.mp3")
    (music / "closed").chmod(0)
    with pytest.raises(UserError, match=r"closed/rock.*scraping\.folder"):
        collect(music / "closed" / "rock", audio)
    (music / "closed").chmod(0o755)


@pytest.mark.parametrize("name", ["x" * 251 + ".mp3", "a\tb\nc.mp3", os.fsdecode(b"caf\xe9.mp3")])
def test_any_name_that_a_file_can_have_will_do(music: Path, audio: Path, name: str) -> None:
    (music / "rock").mkdir()
    (music / "rock" / name).write_text("a sound")
    (song,) = collect(music, audio)
    assert song.source_id == f"rock/{name}"
    assert (audio / song.file).read_text() == "a sound"


@pytest.mark.parametrize("ending", [".mp3 ", ".Ö", ".x" * 40, "." + "x" * 200, ".", ".a-b"])
def test_any_ending_will_do_for_a_listed_file(music: Path, audio: Path, ending: str) -> None:
    (song,) = listed(music, audio, f"file,genre\na{ending},rock\n", f"a{ending}")
    assert song.file is not None
    assert song.file.startswith(track_id("folder", f"a{ending}"))


def test_about_says_whose_music_it_is(music: Path) -> None:
    put(music, "rock/a.mp3")
    assert Folder(music).about.name == "folder"
    assert Folder(music / "nowhere").about.terms


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
    with pytest.raises(UserError, match=r"nowhere.*scraping\.folder"):
        collect(tmp_path / "nowhere", audio)


def test_folder_without_genre_folders_says_what_was_expected(music: Path, audio: Path) -> None:
    put(music, "song.mp3", "rock/readme.txt")
    with pytest.raises(UserError, match=r"music.*sub-folder.*tracks\.csv"):
        collect(music, audio)


def test_file_instead_of_a_folder_is_named(music: Path, audio: Path) -> None:
    put(music, "song.mp3")
    with pytest.raises(UserError, match=r"song\.mp3.*a file.*scraping\.folder"):
        collect(music / "song.mp3", audio)


def test_list_tells_genres_artist_and_title(music: Path, audio: Path) -> None:
    columns = "file,genre,artist,title,collection,primary_genre,license,url"
    text = f"{columns}\na.mp3,rock | jazz,Anna,Hello,box,jazz,CC0,https://a.example\nsub/b.mp3,,,,,,,\n"
    a, b = listed(music, audio, text, "a.mp3", "sub/b.mp3")
    assert (a.genres, a.artist, a.title, a.collection) == (("rock", "jazz"), "Anna", "Hello", "box")
    assert (a.primary_genre, a.license, a.url) == ("jazz", "CC0", "https://a.example")
    assert (b.genres, b.artist, b.title, b.collection) == ((), None, None, None)
    assert (b.primary_genre, b.license, b.url) == (None, None, None)
    assert (audio / b.file).read_text("utf-8") == "the sound of sub/b.mp3"


def test_list_needs_no_more_than_file_and_genre(music: Path, audio: Path) -> None:
    (song,) = listed(music, audio, "genre,file\nrock,a.mp3\n", "a.mp3")
    assert (song.source_id, song.genres, song.artist, song.title) == ("a.mp3", ("rock",), None, None)


def test_files_that_are_not_listed_are_left_out_and_counted(
    music: Path, audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("cafe\u0301.mp3", "jazz/b.mp3", "jazz/c.mp3")
    (song,) = listed(music, audio, "file,genre\nCAFÉ.mp3,rock\n", *files)
    assert song.source_id == files[0]
    assert re.search(r"tracks\.csv.*: 2,.*'jazz/b\.mp3'", capsys.readouterr().err)
    listed(music, audio, "".join(["file,genre\n", *(f"{file},rock\n" for file in files)]))
    assert capsys.readouterr().err == ""


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
    there = columns.split(",")
    missing = sorted({"file", "genre"} - set(there))
    with pytest.raises(UserError, match=".*".join([r"tracks\.csv", *missing, *there])):
        listed(music, audio, f"{columns}\n{columns}\n")


@pytest.mark.parametrize("file", ["../secret.mp3", "sub/../../secret.mp3", "/etc/passwd", "link.mp3", "../nowhere"])
def test_listed_file_outside_the_folder_is_unreadable(music: Path, audio: Path, file: str) -> None:
    (music.parent / "secret.mp3").touch()
    (music / "link.mp3").symlink_to(music.parent / "secret.mp3")
    song, _ = listed(music, audio, f"file,genre\n{file},rock\na.mp3,rock\n", "a.mp3")
    assert (song.source_id, song.file, song.reason) == (os.path.normpath(file), None, "unreadable")
    assert "outside" in str(song.detail)


@pytest.mark.parametrize(
    ("file", "detail"),
    [
        ("missing.mp3", "No such file or directory"),
        ("bell\a.mp3", "No such file or directory"),
        ("a.mp3/b.mp3", "Not a directory"),
        ("sub", "regular file"),
        ("a\0b.mp3", "null byte"),
        ("x" * 300 + ".mp3", "File name too long"),
        ("x/" * 3000, "File name too long"),
        ("", "row 3 of tracks.csv"),
        ("\0", "row 3 of tracks.csv"),
    ],
)
def test_listed_file_that_cannot_be_had_is_unreadable(music: Path, audio: Path, file: str, detail: str) -> None:
    a, b = listed(music, audio, f"file,genre,artist\na.mp3,rock,Anna\n{file},rock,Ben\n", "a.mp3", "sub/b.mp3")
    assert (b.genres, b.artist) == (("rock",), "Ben")
    assert (b.file, b.reason) == (None, "unreadable")
    assert detail.casefold() in str(b.detail).casefold()
    assert a.reason is None


@pytest.mark.parametrize("file", ["missing.mp3", "../a.mp3"])
def test_list_of_which_no_file_can_be_had_is_named(music: Path, audio: Path, file: str) -> None:
    with pytest.raises(UserError, match=rf"music.*{re.escape(file)}.+"):
        listed(music, audio, f"file,genre\n{file},rock\n")
    assert not list(audio.iterdir())


@pytest.mark.parametrize("again", ["a.mp3", "./a.mp3", "sub/../a.mp3", "A.MP3", " a.mp3", ".\\a.mp3"])
def test_repeated_file_is_named(music: Path, audio: Path, again: str) -> None:
    with pytest.raises(UserError, match=r"tracks\.csv.*rows 2 and 4.*a\.mp3"):
        listed(music, audio, f"file,genre\na.mp3,rock\nb.mp3,rock\n{again},jazz\n", "a.mp3", "b.mp3")


def test_rows_without_a_file_are_not_the_same_song(music: Path, audio: Path) -> None:
    songs = listed(music, audio, "file,genre\na.mp3,rock\n,rock\n,jazz\n", "a.mp3")
    assert [song.reason for song in songs] == [None, "unreadable", "unreadable"]


def test_file_may_be_named_by_its_whole_path(music: Path, audio: Path) -> None:
    (song,) = listed(music, audio, f"file,genre\n{music}/sub/a.mp3,rock\n", "sub/a.mp3")
    assert song.source_id == "sub/a.mp3"


@pytest.mark.parametrize(
    ("listed_as", "on_disk"),
    [
        ("Caf\u00e9.mp3", "Cafe\u0301.mp3"),
        ("Cafe\u0301.mp3", "Caf\u00e9.mp3"),
        ("SUB/a.MP3", "sub/A.mp3"),
        ("sub\\album\\a.mp3", "sub/album/a.mp3"),
        (".\\sub\\a.mp3", "sub/a.mp3"),
    ],
)
def test_other_form_of_a_name_is_found(music: Path, audio: Path, listed_as: str, on_disk: str) -> None:
    (song,) = listed(music, audio, f"file,genre\n{listed_as},rock\n", on_disk)
    assert (song.source_id, song.reason) == (on_disk, None)


def test_name_as_it_is_written_comes_first(music: Path, audio: Path) -> None:
    names = ["a.mp3", "A.mp3", "b\\c.mp3", "b/c.mp3"]
    songs = listed(music, audio, "file,genre\n" + "".join(f"{name},rock\n" for name in names), *names)
    assert [song.source_id for song in songs] == names


@pytest.fixture
def tagged(music: Path, write_tagged: Callable[..., Path]) -> Path:
    """Two songs with tags, and one without a genre in them."""
    write_tagged(music / "rock" / "a.flac", artist="Anna", title="Hello", genre="Jazz", date="1999")
    write_tagged(music / "rock" / "b.flac", artist="VA", album_artist="Ben", genre="Soul; Funk")
    write_tagged(music / "loose.flac", title="Loose")
    return music


def test_tags_tell_artist_title_and_year(tagged: Path, audio: Path) -> None:
    _, a, b = collect(tagged, audio)
    assert (a.genres, a.artist, a.title, a.year) == (("rock",), "Anna", "Hello", "1999")
    assert (b.genres, b.artist, b.title, b.year) == (("rock",), "Ben", "b", None)


def test_tags_may_tell_the_genre(tagged: Path, audio: Path) -> None:
    loose, a, b = Folder(tagged, "tags").collect(audio)
    assert (a.genres, b.genres) == (("Jazz",), ("Soul", "Funk"))
    assert (loose.file, loose.reason, loose.title) == (None, "missing_genre", "Loose")
    assert len(list(audio.iterdir())) == 2


def test_what_the_table_says_comes_before_the_tags(tagged: Path, audio: Path) -> None:
    (tagged / "tracks.csv").write_text("file,genre,artist\nrock/a.flac,rock,Cleo\nrock/b.flac,,\n")
    a, b = Folder(tagged, "tags").collect(audio)
    assert (a.genres, a.artist, a.title) == (("rock",), "Cleo", "Hello")
    assert (b.genres, b.artist) == (("Soul", "Funk"), "Ben")


def test_table_needs_no_genres_if_the_tags_have_them(tagged: Path, audio: Path) -> None:
    (tagged / "tracks.csv").write_text("file\nrock/a.flac\n")
    assert [song.genres for song in Folder(tagged, "tags").collect(audio)] == [("Jazz",)]
