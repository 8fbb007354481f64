import pytest

from songgenre.sources.base import Track
from songgenre.sources.genres import describe_merges, merge_spellings, near_names


def genres(names: dict[str, str], *listed: str) -> tuple[list[str], dict[str, list[str]]]:
    songs = [Track("folder", str(number), None, tuple(genre.split("|"))) for number, genre in enumerate(listed)]
    merged, others = merge_spellings(songs, names)
    return ["|".join(song.genres) for song in merged], others


def test_spellings_of_a_genre_become_the_most_common_one() -> None:
    found, merged = genres({}, "hip hop", "Hip-Hop", "HIPHOP", "Hip-Hop", "rock")
    assert found == ["Hip-Hop"] * 4 + ["rock"]
    assert merged == {"Hip-Hop": ["HIPHOP", "hip hop"]}


def test_capitals_give_way_if_no_spelling_is_most_common() -> None:
    assert genres({}, "ROCK", "Rock", "rock")[0] == ["Rock"] * 3


def test_table_decides_whatever_is_common() -> None:
    found, merged = genres({"Rap / hip hop": "hip-hop"}, "Rap/Hip Hop", "Hip-Hop", "Hip-Hop", "rap")
    assert found == ["hip-hop", "hip-hop", "hip-hop", "rap"]
    assert merged == {"hip-hop": ["Hip-Hop", "Rap/Hip Hop"]}


def test_table_does_not_rename_what_it_does_not_list() -> None:
    assert genres({"Rap/Hip Hop": "hip-hop"}, "Hip-Hop", "Rock") == (["Hip-Hop", "Rock"], {})


def test_genres_of_a_song_that_are_one_count_once() -> None:
    found, _ = genres({}, "Rock|rock", "Rock|jazz")
    assert found == ["Rock", "Rock|jazz"]


def test_primary_genre_is_spelled_like_the_others() -> None:
    songs = [Track("folder", "1", None, ("Rock", "jazz"), primary_genre="ROCK"), Track("folder", "2", None, ("Rock",))]
    assert merge_spellings(songs, {})[0][0].primary_genre == "Rock"


@pytest.mark.parametrize("genre", ["!!!", "???", "日本語", "R&B", "❤\ufe0f"])
def test_any_name_is_a_genre(genre: str) -> None:
    assert genres({}, genre, "&&&") == ([genre, "&&&"], {})


def test_vowel_signs_make_a_difference_and_turkish_capitals_do_not() -> None:
    assert genres({}, "गीत", "गति", "❤\ufe0f", "☀\ufe0f")[1] == {}
    assert genres({}, "ilahi", "ilahi", "İLAHİ", "I\u0307lahi")[0] == ["ilahi"] * 4


def test_merges_are_described_in_one_line() -> None:
    line = describe_merges({"rock": ["ROCK", "Rock"]})
    assert all(spelling in line for spelling in ("'rock'", "'ROCK'", "'Rock'"))
    assert describe_merges({}) == ""


def test_names_with_other_numbers_are_not_near() -> None:
    assert near_names(["80s rock", "90s rock", "rock 1", "rock 2", "rock 10"]) == []
    assert near_names(["80s classical", "80s clasical"]) == [("80s clasical", "80s classical")]


def test_names_with_a_typing_error_are_near() -> None:
    assert near_names(["classical", "clasical", "rock", "folk", "pop", "hip-hop", "trip-hop"]) == [
        ("clasical", "classical")
    ]
