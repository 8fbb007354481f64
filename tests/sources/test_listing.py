import re
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.sources.listing import find_listing, read_listing

TWO = [{"file": "é.mp3", "genre": "rock"}, {"file": "b.mp3", "genre": "jazz"}]


def values(folder: Path, text: str, encoding: str = "utf-8") -> list[dict[str, str]]:
    path = folder / "tracks.csv"
    path.write_bytes(text.encode(encoding))
    return [row.values for row in read_listing(path)]


def test_line_of_excel_that_names_the_separator_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("sep=;\nfile;genre\na.mp3;rock\n")
    assert read_listing(path) == [(2, {"file": "a.mp3", "genre": "rock"})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_are_read_as_programs_save_them(
    tmp_path: Path, encoding: str, separator: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("file", "genre"), ("é.mp3", "rock"), ("b.mp3", "jazz")]
    assert values(tmp_path, end.join(map(separator.join, rows)), encoding) == TWO
    assert ("Windows-1252" in capsys.readouterr().err) == (encoding == "cp1252")


@pytest.mark.parametrize(
    "header", ["File,Genre", "FILE,GENRE", " file , genre ", '"file","genre"', "file,genre,", "\nfile,genre"]
)
def test_names_of_columns_may_be_written_in_any_way(tmp_path: Path, header: str) -> None:
    assert values(tmp_path, f"{header}\né.mp3,rock\nb.mp3,jazz\n") == TWO


def test_empty_rows_are_skipped_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("file,genre\na.mp3,rock\n\n,,\n , \nb.mp3,jazz\n,\n\n")
    assert [(row.number, row.values["file"]) for row in read_listing(path)] == [(2, "a.mp3"), (6, "b.mp3")]


def test_value_may_have_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'file,genre,title\na.mp3, "rock", "one, ""two""\nand three"\nb.mp3,jazz,12" mix\n'
    first, second = values(tmp_path, text)
    assert (first["genre"], first["title"], second["title"]) == ("rock", 'one, "two"\nand three', '12" mix')


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("file,artist,genre\na.mp3,Anna,jazz\nb.mp3,Earth, Wind & Fire,rock\n", "row 3.*Earth.*rock"),
        ('file,genre\na.mp3,rock\n"b.mp3,rock\n', "row 3"),
        ("file,genre,FILE\na.mp3,rock,b.mp3\n", "row 1.*file"),
        ("path,style\na.mp3,rock\n", "row 1.*file and genre.*path, style"),
        ("file,genre\n\n,\n", "no rows"),
        ("", "row 1.*no columns"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(UserError, match=rf"(?s)tracks\.csv: .*{named}"):
        values(tmp_path, text)


def test_bytes_that_no_encoding_has_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_bytes(b"file,genre\na\x81.mp3,rock\n")
    with pytest.raises(UserError, match=re.escape(str(path))):
        read_listing(path)


@pytest.mark.parametrize("name", ["tracks.csv", "Tracks.CSV", "TRACKS.csv"])
def test_listing_is_found_in_any_case(tmp_path: Path, name: str) -> None:
    assert find_listing(tmp_path) is None
    (tmp_path / name).touch()
    assert find_listing(tmp_path) == tmp_path / name


def test_plain_name_is_preferred(tmp_path: Path) -> None:
    for name in ("TRACKS.CSV", "tracks.csv"):
        (tmp_path / name).touch()
    assert find_listing(tmp_path) == tmp_path / "tracks.csv"
