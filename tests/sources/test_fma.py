import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.sources import fma as fma_module
from songgenre.sources.base import Track
from songgenre.sources.catalogue import tabulate
from songgenre.sources.fma import INFO, Fma
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import write_table

COLUMNS = [
    ("album", "comments"),
    ("album", "title"),
    ("artist", "bio"),
    ("artist", "name"),
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "genres"),
    ("track", "license"),
    ("track", "title"),
]
BY = "Attribution"
SONGS = {
    2: (0, "AWOL", "<p>A way\nof life</p>", "AWOL", "training", "small", "Hip-Hop", "[21]", BY, "Food"),
    5: (1, "AWOL", None, "NA", "validation", "small", "Rock", "[12]", BY, None),
    140: (0, "Ballads", None, 'Été "live", trio', "test", "medium", "Folk", "[17]", None, "None"),
    1482: (0, None, None, "Anna", "training", "large", None, "[]", BY, "Only once"),
    98565: (0, None, None, "Anna", "training", "small", "Rock", "[12]", BY, "Nearly nothing"),
}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Only the tests that are marked as integration start worker processes."""
    if not request.node.get_closest_marker("integration"):
        monkeypatch.setattr(
            fma_module, "parallel_map", lambda function, items, description, compute: map(function, items)
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the user has: the published archives, as small as can be."""
    folder = tmp_path / "music"
    folder.mkdir()
    describe(folder)
    for size in ("small", "medium", "large"):
        pack(folder / f"fma_{size}.zip", {f"fma_{size}/{clip(song)}": sound(song) for song in SONGS})
    return folder


def clip(song: int) -> str:
    return f"{song // 1000:03}/{song:06}.mp3"


def sound(song: int) -> bytes:
    return f"the sound of {song}".encode()


def describe(folder: Path, columns: list[tuple[str, str]] = COLUMNS) -> None:
    table = pd.DataFrame.from_dict(SONGS, orient="index", columns=pd.MultiIndex.from_tuples(COLUMNS))
    text = table[columns].rename_axis("track_id").to_csv()
    genres = (
        "genre_id,#tracks,parent,title,top_level\n12,2,0,Rock,12\n17,1,0,Folk,17\n21,1,0,Hip-Hop,21\n25,1,12,Punk,12\n"
    )
    members = {"README.txt": "", "tracks.csv": text, "genres.csv": genres}
    pack(folder / "fma_metadata.zip", {f"fma_metadata/{name}": content.encode() for name, content in members.items()})


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_BZIP2, **patches: Any) -> None:
    """Write a zip archive; what its directory says of the last member may be patched."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for field, value in patches.items():
            setattr(archive.infolist()[-1], field, value)


def fma(folder: Path, **options: Any) -> Fma:
    """The data set, where the checksums of what the user has are the published ones."""
    sums = {path.name: hashlib.sha1(path.read_bytes()).hexdigest() for path in folder.glob("*.zip")}
    fixed = {"url": "http://127.0.0.1:1/", "downloads": folder / "nowhere", "timeout_s": 60, "retries": 0}
    return Fma(
        **{"size": "small", "genres": "top", "folder": folder, "max_file_mb": 0.1, "checksums": sums} | fixed | options
    )


def collected(source: Fma, audio: Path) -> dict[str, Track]:
    """What is collected, by its number; the catalogue takes it, and the audio is what it says."""
    songs = source.collect(audio)
    write_table(tabulate(songs, audio), CATALOGUE, audio.parent / "catalogue.parquet")
    assert {song.file for song in songs if song.file} == {path.name for path in audio.iterdir()}
    for song in songs:
        if song.file:
            assert (audio / song.file).read_bytes() == sound(int(song.source_id))
    return {song.source_id: song for song in songs}


def test_song_has_what_the_table_says(folder: Path, audio: Path) -> None:
    song = collected(fma(folder), audio)["2"]
    assert song == Track(
        source="fma",
        source_id="2",
        file=f"{song.track_id}.mp3",
        genres=("Hip-Hop",),
        title="Food",
        artist="AWOL",
        license="Attribution",
        collection="fma_small",
        primary_genre="Hip-Hop",
        split="train",
    )


@pytest.mark.parametrize(
    ("size", "numbers"),
    [
        ("small", ["2", "5", "98565"]),
        ("medium", ["2", "5", "140", "98565"]),
        ("large", ["2", "5", "140", "1482", "98565"]),
    ],
)
def test_larger_sizes_hold_the_smaller_ones(folder: Path, audio: Path, size: str, numbers: list[str]) -> None:
    songs = collected(fma(folder, size=size), audio)
    assert list(songs) == numbers
    assert {song.collection for song in songs.values()} == {f"fma_{size}"}


def test_all_genres_are_those_that_the_artist_chose(folder: Path, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SONGS, 5, (*SONGS[5][:7], "[25, 12, 999]", *SONGS[5][8:]))
    describe(folder)
    songs = collected(fma(folder, size="large", genres="all"), audio)
    assert songs["5"].genres == ("Punk", "Rock")
    assert songs["140"].genres == ("Folk",)
    assert songs["1482"].genres == ()
    assert songs["5"].primary_genre is None


def test_tree_is_that_of_the_published_genres(folder: Path) -> None:
    assert fma(folder, genres="all").genre_parents() == {"Rock": None, "Folk": None, "Hip-Hop": None, "Punk": "Rock"}
    assert fma(folder, genres="top").genre_parents() == {}


def test_missing_names_of_the_genres_are_an_error(folder: Path, audio: Path) -> None:
    with zipfile.ZipFile(folder / "fma_metadata.zip") as archive:
        table = archive.read("fma_metadata/tracks.csv")
    pack(folder / "fma_metadata.zip", {"fma_metadata/tracks.csv": table})
    with pytest.raises(UserError, match=r"genres\.csv.*missing"):
        fma(folder, genres="all").collect(audio)


def test_split_is_the_published_one(folder: Path, audio: Path) -> None:
    songs = collected(fma(folder, size="large"), audio)
    assert [songs[number].split for number in ("2", "5", "140", "1482")] == ["train", "validation", "test", "train"]


def test_text_may_be_missing_or_odd(folder: Path, audio: Path) -> None:
    songs = collected(fma(folder, size="large"), audio)
    assert (songs["5"].title, songs["5"].artist) == (None, "NA")
    assert (songs["140"].title, songs["140"].artist, songs["140"].license) == ("None", 'Été "live", trio', None)
    assert (songs["1482"].genres, songs["1482"].primary_genre) == ((), None)


def test_known_broken_clip_is_there_with_the_reason(folder: Path, audio: Path) -> None:
    song = collected(fma(folder), audio)["98565"]
    assert (song.file, song.reason) == (None, "truncated")
    assert "1.6 s" in str(song.detail)


@pytest.mark.parametrize("extracted", [[], ["fma_metadata"], ["fma_small"], ["fma_metadata", "fma_small"]])
def test_archives_may_be_zipped_or_extracted(folder: Path, audio: Path, extracted: list[str]) -> None:
    source = fma(folder)
    zipped = source.collect(audio)
    for name in extracted:
        extract(folder, name)
    assert list(collected(source, audio).values()) == zipped


def test_extracted_folder_may_lie_in_one_of_its_name(folder: Path, audio: Path) -> None:
    source = fma(folder)
    zipped = source.collect(audio)
    for name in ("fma_metadata", "fma_small"):
        extract(folder, name)
        (folder / name).rename(folder / "inner")
        (folder / name).mkdir()
        (folder / "inner").rename(folder / name / name)
    assert list(collected(source, audio).values()) == zipped


def extract(folder: Path, name: str) -> None:
    with zipfile.ZipFile(folder / f"{name}.zip") as archive:
        archive.extractall(folder)
    (folder / f"{name}.zip").unlink()


def test_home_is_expanded(folder: Path, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert collected(replace(fma(folder), folder=Path("~/music")), audio)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_clips_may_be_compressed_as_zip_archives_are(folder: Path, audio: Path, method: int) -> None:
    pack(folder / "fma_small.zip", {f"fma_small/{clip(song)}": sound(song) for song in SONGS}, method)
    assert collected(fma(folder), audio)["2"].file


def test_missing_archive_says_what_to_do(folder: Path, audio: Path) -> None:
    (folder / "fma_small.zip").unlink()
    with pytest.raises(UserError, match=r"music.*fma_small\.zip.*scraping\.folder"):
        fma(folder).collect(audio)


@pytest.mark.parametrize("name", ["fma_metadata.zip", "fma_small.zip"])
def test_archive_that_is_not_the_published_one_is_refused_with_both_sums(folder: Path, audio: Path, name: str) -> None:
    got = hashlib.sha1((folder / name).read_bytes()).hexdigest()
    with pytest.raises(UserError, match=f"{name}.*{got}.*{INFO.checksums[name]}.*{name}"):
        replace(fma(folder), checksums=fma(folder).checksums | {name: INFO.checksums[name]}).collect(audio)
    assert (folder / name).exists()
    assert not list(audio.iterdir())


@pytest.mark.parametrize("column", [("track", "genre_top"), ("set", "split"), ("artist", "name")])
def test_missing_column_is_named(folder: Path, audio: Path, column: tuple[str, str]) -> None:
    describe(folder, [other for other in COLUMNS if other != column])
    with pytest.raises(UserError, match=rf"tracks\.csv.*{' '.join(column)}.*album title"):
        fma(folder).collect(audio)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"track,artist\n",
        b"track,artist\nbit_rate\n",
        b"track\nbit_rate,name\n",
        b"\xff\xfe\x00",
        b',set\n,split\n"',
        pd.DataFrame([["x"] * 10], ["two"], pd.MultiIndex.from_tuples(COLUMNS)).to_csv().encode(),
    ],
)
def test_broken_table_is_named(folder: Path, audio: Path, text: bytes) -> None:
    pack(folder / "fma_metadata.zip", {"fma_metadata/tracks.csv": text})
    with pytest.raises(UserError, match=r"fma_metadata\.zip.*fma_metadata/tracks\.csv"):
        fma(folder).collect(audio)


def test_archive_without_the_table_is_named(folder: Path, audio: Path) -> None:
    pack(folder / "fma_metadata.zip", {"tracks.csv": b""})
    with pytest.raises(UserError, match=r"fma_metadata\.zip.*fma_metadata/tracks\.csv.*missing"):
        fma(folder).collect(audio)


@pytest.mark.parametrize("name", ["fma_metadata.zip", "fma_small.zip"])
def test_archive_that_is_no_zip_is_named(folder: Path, audio: Path, name: str) -> None:
    (folder / name).write_bytes(b"<html>")
    with pytest.raises(UserError, match=f"{name}.*not a zip file"):
        fma(folder).collect(audio)


def test_table_without_songs_of_the_size_is_named(folder: Path, audio: Path) -> None:
    table = pd.DataFrame([SONGS[1482]], [1482], pd.MultiIndex.from_tuples(COLUMNS)).rename_axis("track_id")
    pack(folder / "fma_metadata.zip", {"fma_metadata/tracks.csv": table.to_csv().encode()})
    with pytest.raises(UserError, match=r"tracks\.csv.*small"):
        fma(folder).collect(audio)


def with_second_clip(folder: Path, content: bytes, method: int = zipfile.ZIP_BZIP2, **patches: Any) -> Fma:
    """The small data set, with another content of song 5."""
    members = {f"fma_small/{clip(2)}": sound(2), f"fma_small/{clip(5)}": content}
    pack(folder / "fma_small.zip", members, method, **patches)
    return fma(folder)


def assert_refused(songs: dict[str, Track], why: str) -> None:
    assert songs["2"].file
    assert (songs["5"].file, songs["5"].reason) == (None, "unreadable")
    assert "fma_small/000/000005.mp3" in str(songs["5"].detail)
    assert why in str(songs["5"].detail)


def test_missing_clip_is_there_with_the_reason(folder: Path, audio: Path) -> None:
    pack(folder / "fma_small.zip", {f"fma_small/{clip(2)}": sound(2), clip(5): sound(5)})
    assert_refused(collected(fma(folder), audio), "missing")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_clip_that_becomes_too_large_is_refused(folder: Path, audio: Path, method: int) -> None:
    source = with_second_clip(folder, bytes(20_000_000), method)
    assert_refused(collected(source, audio), "max_file_mb = 0.1")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_clip_that_lies_about_its_size_is_refused(folder: Path, audio: Path, method: int) -> None:
    source = with_second_clip(folder, bytes(20_000_000), method, file_size=10)
    assert_refused(collected(source, audio), "max_file_mb = 0.1" if method == zipfile.ZIP_BZIP2 else "CRC")


def test_clip_as_large_as_may_be_is_taken(folder: Path, audio: Path) -> None:
    songs = {song.source_id: song for song in with_second_clip(folder, bytes(100_000)).collect(audio)}
    assert (audio / str(songs["5"].file)).read_bytes() == bytes(100_000)


def test_method_that_would_decompress_without_bounds_is_refused(folder: Path, audio: Path) -> None:
    source = with_second_clip(folder, sound(5), zipfile.ZIP_LZMA)
    with pytest.raises(UserError, match=r"fma_small\.zip.*fma_small/000/000002\.mp3.*\b14\b"):
        source.collect(audio)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
def test_encrypted_clip_is_refused(folder: Path, audio: Path, method: int) -> None:
    assert_refused(collected(with_second_clip(folder, sound(5), method, flag_bits=1), audio), "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_damaged_clip_is_refused(folder: Path, audio: Path, method: int) -> None:
    with_second_clip(folder, bytes(range(256)) * 10, method)
    damage(folder / "fma_small.zip")
    assert_refused(collected(fma(folder), audio), "read")


def damage(archive: Path) -> None:
    """Flip the bits of a byte in the middle of the last member."""
    with zipfile.ZipFile(archive) as opened:
        member = opened.infolist()[-1]
    content = bytearray(archive.read_bytes())
    content[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 0xFF
    archive.write_bytes(content)


def test_names_that_lead_out_of_the_folder_are_never_touched(folder: Path, audio: Path) -> None:
    names = ["../evil.mp3", "fma_small/../../evil.mp3", f"{folder.parent}/evil.mp3", "..\\evil.mp3", "/evil.mp3"]
    clips = {f"fma_small/{clip(song)}": sound(song) for song in (2, 5)}
    pack(folder / "fma_small.zip", dict.fromkeys(names, b"evil") | clips)
    before = set(folder.parent.rglob("*"))
    songs = fma(folder).collect(audio)
    assert set(folder.parent.rglob("*")) - before == {audio / song.file for song in songs if song.file}
    assert not Path("/evil.mp3").exists()


@pytest.mark.parametrize("target", ["../../../secret.mp3", "/etc/passwd", "000005.mp3", "."])
def test_link_to_outside_is_refused(folder: Path, audio: Path, target: str) -> None:
    extract(folder, "fma_small")
    (folder.parent / "secret.mp3").write_bytes(b"secret")
    (folder / "fma_small" / clip(5)).unlink()
    (folder / "fma_small" / clip(5)).symlink_to(target)
    assert_refused(collected(fma(folder), audio), "read")


def test_extracted_folder_may_lie_on_another_disk(folder: Path, audio: Path) -> None:
    extract(folder, "fma_small")
    (folder / "fma_small").rename(folder.parent / "elsewhere")
    (folder / "fma_small").symlink_to(folder.parent / "elsewhere")
    assert collected(fma(folder), audio)["2"].file


def test_folder_without_clips_says_where_they_were_expected(folder: Path, audio: Path) -> None:
    extract(folder, "fma_small")
    (folder / "fma_small" / "000").rename(folder / "fma_small" / "000 (1)")
    with pytest.raises(UserError, match=r"\b3\b.*fma_small/000/000002\.mp3"):
        fma(folder).collect(audio)


@pytest.fixture
def web(folder: Path) -> Iterator[ThreadingHTTPServer]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.integration
def test_archives_are_downloaded_and_kept(folder: Path, audio: Path, tmp_path: Path, web: ThreadingHTTPServer) -> None:
    source = replace(
        fma(folder), folder=None, url=f"http://127.0.0.1:{web.server_port}/", downloads=tmp_path / "downloads"
    )
    songs = collected(source, audio)
    assert {path.name for path in source.downloads.iterdir()} == {"fma_metadata.zip", "fma_small.zip"}
    assert collected(replace(source, url="http://127.0.0.1:1/"), audio) == songs


def test_the_published_checksums_are_the_rule(folder: Path) -> None:
    assert Fma("small", "top", folder, "", folder, 1, 1, 1).checksums == INFO.checksums
