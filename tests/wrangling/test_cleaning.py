"""A folder with every kind of song, through decoding, genres and duplicates."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songgenre.audio import Clip, center_clip, load_clip
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.sources.base import Track
from songgenre.sources.catalogue import tabulate
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table, write_table
from songgenre.tables.tracks import TRACKS
from songgenre.wrangling import cleaning
from songgenre.wrangling.cleaning import clean_catalogue
from songgenre.wrangling.requirements import check_not_empty
from songgenre.wrangling.split import hash_to_unit_interval

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]
Ledger = tuple[pd.DataFrame, pd.DataFrame]

SR = 22_050

REFUSED = {"refused.mp3": "not_audio", "over_the_limit.mp3": "over_limit"}

PRIMARY = {
    "multi_genre.wav": "jazz",
    "conflict_jazz.flac": "jazz",
    "copies_agree.flac": "rock",
    "copies_agree.wav": "rock",
    "primary_is_another.wav": "pop",
}

GENRES_AND_ARTISTS = {
    "a.wav": (["rock"], "Anna"),
    "a_again.wav": (["rock"], None),
    "b.flac": (["jazz"], "Ben"),
    "b_smaller.mp3": (["jazz"], "Ben"),
    "c.wav": (["rock"], None),
    "c_smaller.ogg": (["rock"], "Cleo"),
    "conflict_jazz.flac": (["jazz"], "Dora"),
    "conflict_rock.wav": (["rock"], "Dora"),
    "multi_genre.wav": (["rock", "jazz"], "Emil"),
    "copies_agree.flac": (["jazz", "rock"], "Hal"),
    "copies_agree.wav": (["rock", "pop"], "Hal"),
    "no_primary.wav": (["rock", "jazz"], "Ida"),
    "primary_is_another.wav": (["rock", "jazz"], "Ida"),
    "no_genre.wav": ([], "Fay"),
    "empty.mp3": (["rock"], "Gus"),
    "text.mp3": (["rock"], "Gus"),
    "cut.mp3": (["rock"], "Gus"),
    "cut.flac": (["rock"], "Gus"),
    "silent.wav": (["rock"], "Gus"),
    "nan.wav": (["rock"], "Gus"),
    "short.wav": (["rock"], "Gus"),
    "short_and_no_genre.wav": ([], "Gus"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, melody: Maker, write_audio: Writer) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    for name, seed in {
        "a.wav": 1,
        "a_again.wav": 1,
        "b.flac": 2,
        "b_smaller.mp3": 2,
        "c.wav": 3,
        "c_smaller.ogg": 3,
        "conflict_jazz.flac": 4,
        "conflict_rock.wav": 4,
        "multi_genre.wav": 5,
        "no_genre.wav": 6,
        "copies_agree.flac": 10,
        "copies_agree.wav": 10,
        "no_primary.wav": 11,
        "primary_is_another.wav": 12,
        "cut.mp3": 7,
        "cut.flac": 8,
    }.items():
        write_audio(folder / name, melody(seed))
    for name in ("cut.mp3", "cut.flac"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) * 4 // 5])
    (folder / "empty.mp3").touch()
    (folder / "text.mp3").write_text("not a song\n" * 100)
    write_audio(folder / "silent.wav", np.zeros(8 * SR))
    write_audio(folder / "nan.wav", np.full(8 * SR, np.nan), subtype="FLOAT")
    for name in ("short.wav", "short_and_no_genre.wav"):
        write_audio(folder / name, melody(9, seconds=2))
    return folder


@pytest.fixture(scope="module")
def collected(folder: Path) -> pd.DataFrame:
    songs = [
        Track("folder", name, name, tuple(genres), artist=artist, primary_genre=PRIMARY.get(name))
        for name, (genres, artist) in GENRES_AND_ARTISTS.items()
    ]
    refused = [
        Track("folder", name, None, ("rock",), reason=reason, detail="as the source says")
        for name, reason in REFUSED.items()
    ]
    table = tabulate([*songs, *refused], folder)
    write_table(table, CATALOGUE, folder.parent / "catalogue.parquet")
    return read_table(CATALOGUE, folder.parent / "catalogue.parquet")


@pytest.fixture(scope="module", autouse=True)
def one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "parallel_map", lambda function, items, *_, **__: map(function, items))
        yield


def judge(collected: pd.DataFrame, folder: Path, multi_genre: str, **options: object) -> Ledger:
    options = {"balance_genres": False, "seed": 1} | options
    return clean_catalogue(collected, folder, 6, 5, -60, multi_genre, **options)


@pytest.fixture(scope="module")
def dropping(collected: pd.DataFrame, folder: Path) -> Ledger:
    return judge(collected, folder, "drop")


@pytest.fixture(scope="module")
def first(collected: pd.DataFrame, folder: Path) -> Ledger:
    return judge(collected, folder, "first")


@pytest.fixture(scope="module")
def primary(collected: pd.DataFrame, folder: Path) -> Ledger:
    return judge(collected, folder, "primary")


@pytest.fixture(scope="module")
def balanced(collected: pd.DataFrame, folder: Path) -> Ledger:
    return judge(collected, folder, "first", balance_genres=True)


@pytest.fixture(scope="module", params=["dropping", "first", "primary", "balanced"])
def either(request: pytest.FixtureRequest) -> Ledger:
    return request.getfixturevalue(request.param)


def reasons(cleaning: Ledger, collected: pd.DataFrame) -> dict[str, str]:
    names = collected.set_index("track_id")["source_id"]
    return dict(zip(cleaning[1]["track_id"].map(names), cleaning[1]["reason"], strict=True))


BROKEN = {
    "a_again.wav": "duplicate",
    "b_smaller.mp3": "duplicate",
    "c.wav": "duplicate",
    "no_genre.wav": "missing_genre",
    "empty.mp3": "empty",
    "text.mp3": "not_audio",
    "cut.mp3": "truncated",
    "cut.flac": "truncated",
    "silent.wav": "silent",
    "nan.wav": "unreadable",
    "short.wav": "too_short",
    "short_and_no_genre.wav": "too_short",
} | REFUSED


def test_every_song_is_in_exactly_one_table(either: Ledger, collected: pd.DataFrame) -> None:
    used, excluded = either
    assert sorted([*used["track_id"], *excluded["track_id"]]) == sorted(collected["track_id"])


def test_tables_fit_their_schemas(either: Ledger, tmp_path: Path) -> None:
    used, excluded = either
    write_table(used.assign(split="train"), TRACKS, tmp_path / "tracks.parquet")
    write_table(excluded, EXCLUDED, tmp_path / "excluded.parquet")
    assert read_table(EXCLUDED, tmp_path / "excluded.parquet")["detail"].str.len().gt(0).all()


def test_reasons_where_songs_of_two_genres_are_dropped(dropping: Ledger, collected: pd.DataFrame) -> None:
    two = ["multi_genre.wav", "copies_agree.flac", "copies_agree.wav", "no_primary.wav", "primary_is_another.wav"]
    ambiguous = dict.fromkeys([*two, "conflict_jazz.flac", "conflict_rock.wav"], "ambiguous_genre")
    assert reasons(dropping, collected) == BROKEN | ambiguous


def test_reasons_where_the_first_of_two_genres_is_used(first: Ledger, collected: pd.DataFrame) -> None:
    assert reasons(first, collected) == BROKEN | {"conflict_jazz.flac": "duplicate", "copies_agree.flac": "duplicate"}
    genres = first[0].set_index("audio_path")["genre"]
    assert genres["multi_genre.wav"] == "rock"
    assert genres["conflict_rock.wav"] == "rock"


def test_reasons_where_the_primary_genre_is_used(primary: Ledger, collected: pd.DataFrame) -> None:
    ambiguous = ["no_primary.wav", "primary_is_another.wav", "conflict_jazz.flac", "conflict_rock.wav"]
    expected = dict.fromkeys(ambiguous, "ambiguous_genre") | {"copies_agree.flac": "duplicate"}
    assert reasons(primary, collected) == BROKEN | expected
    genres = primary[0].set_index("audio_path")["genre"]
    assert genres["multi_genre.wav"] == "jazz"
    assert genres["copies_agree.wav"] == "rock"
    assert genres["a.wav"] == "rock"


def test_genre_that_only_the_primary_one_names_is_used(collected: pd.DataFrame, folder: Path) -> None:
    song = collected[collected["source_id"] == "no_genre.wav"].assign(primary_genre="pop")
    assert judge(song, folder, "primary")[0]["genre"].tolist() == ["pop"]
    assert judge(song, folder, "drop")[0].empty


def test_song_without_audio_is_excluded_as_the_source_says_and_never_opened(
    either: Ledger, collected: pd.DataFrame
) -> None:
    names = collected.set_index("track_id")["source_id"]
    excluded = either[1].assign(name=either[1]["track_id"].map(names)).set_index("name")
    assert excluded.loc[list(REFUSED), "reason"].to_dict() == REFUSED
    assert set(excluded.loc[list(REFUSED), "detail"]) == {"as the source says"}


def test_songs_of_rare_genres_are_in_the_exclusion_log(collected: pd.DataFrame, folder: Path, first: Ledger) -> None:
    counts = first[0]["genre"].value_counts()
    tracks, excluded = judge(collected, folder, "first", min_songs_per_genre=int(counts.max()))
    assert set(tracks["genre"]) == {counts.idxmax()}
    rare = excluded[excluded["reason"] == "rare_genre"]
    assert set(rare["track_id"]) == set(first[0]["track_id"]) - set(tracks["track_id"])
    assert rare["detail"].str.contains("min_songs_per_genre").all()


def test_rare_genres_become_one_that_may_be_rare_too(collected: pd.DataFrame, folder: Path, first: Ledger) -> None:
    genres = first[0].set_index("track_id")["genre"]
    most = int(genres.value_counts().max())
    tracks, excluded = judge(collected, folder, "first", min_songs_per_genre=most + 1, rare_genres="other")
    assert set(tracks["genre"]) == {"other"}
    assert set(tracks["track_id"]) == set(genres.index)
    tracks, excluded = judge(collected, folder, "first", min_songs_per_genre=len(genres) + 1, rare_genres="other")
    assert tracks.empty
    assert (excluded.set_index("track_id").loc[genres.index, "reason"] == "rare_genre").all()


def test_balanced_genres_have_as_many_songs_as_the_rarest(balanced: Ledger, first: Ledger) -> None:
    assert first[0]["genre"].value_counts().to_dict() == {"rock": 7, "jazz": 1}
    assert balanced[0]["genre"].value_counts().to_dict() == {"rock": 1, "jazz": 1}
    beyond = balanced[1][balanced[1]["reason"] == "over_limit"]
    assert len(beyond) == 6 + 1  # the source had refused one
    assert beyond["detail"].str.contains(r"\brock\b.*\b1\b").sum() == 6


@pytest.mark.parametrize("seed", [1, 2])
def test_songs_with_the_lowest_hashes_stay(first: Ledger, collected: pd.DataFrame, folder: Path, seed: int) -> None:
    rock = first[0].loc[first[0]["genre"] == "rock", "track_id"]
    kept = judge(collected, folder, "first", balance_genres=True, seed=seed)[0]
    expected = min(rock, key=lambda track_id: hash_to_unit_interval(track_id, seed))
    assert kept.loc[kept["genre"] == "rock", "track_id"].tolist() == [expected]


def test_detail_names_what_is_the_same_and_which_song_stays(dropping: Ledger, collected: pd.DataFrame) -> None:
    track_id = collected.set_index("source_id")["track_id"]
    detail = dropping[1].set_index("track_id")["detail"]
    for name, same, stays in (
        ("a_again.wav", "bytes", "a.wav"),
        ("b_smaller.mp3", "recording", "b.flac"),
        ("c.wav", "recording", "c_smaller.ogg"),
    ):
        assert same in detail[track_id[name]]
        assert track_id[stays] in detail[track_id[name]]
    assert "recording" not in detail[track_id["multi_genre.wav"]]
    assert "recording" in detail[track_id["conflict_rock.wav"]]
    for name in ("multi_genre.wav", "conflict_rock.wav"):
        assert "rock" in detail[track_id[name]]
        assert "jazz" in detail[track_id[name]]


def test_clip_is_from_the_middle(dropping: Ledger, folder: Path) -> None:
    for track in dropping[0].itertuples():
        assert (track.clip_start_s, track.clip_duration_s) == (1, 6)
        assert len(load_clip(Clip(folder / track.audio_path, 1, 6), SR)) == 6 * SR


def test_order_of_the_catalogue_does_not_matter(dropping: Ledger, collected: pd.DataFrame, folder: Path) -> None:
    shuffled = judge(collected.sample(frac=1, random_state=1), folder, "drop")
    for before, after in zip(dropping, shuffled, strict=True):
        after = after.sort_values("track_id", ignore_index=True)
        pd.testing.assert_frame_equal(after, before.sort_values("track_id", ignore_index=True))


@pytest.mark.integration
def test_other_processes_find_the_same(
    dropping: Ledger, collected: pd.DataFrame, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "parallel_map", parallel_map)
    for here, there in zip(dropping, judge(collected, folder, "drop"), strict=True):
        pd.testing.assert_frame_equal(here, there)


def test_no_song_left_is_an_error_that_says_where_to_look(collected: pd.DataFrame, folder: Path) -> None:
    broken = collected[collected["source_id"].isin(["empty.mp3", "silent.wav"])]
    tracks, excluded = judge(broken, folder, "drop")
    with pytest.raises(UserError, match=r"(?=.*empty 1)(?=.*silent 1).*wrangling\.min_duration_s"):
        check_not_empty(tracks, excluded, collected)


def test_excluded_songs_and_those_of_several_genres_are_counted(dropping: Ledger, collected: pd.DataFrame) -> None:
    tracks, excluded = dropping
    counts = cleaning.count_reasons(excluded, collected)
    assert counts["all"].drop("all").index.tolist() == sorted(excluded["reason"].unique())
    n_genres = collected.set_index("track_id")["genres"].str.len().clip(lower=1)
    assert counts.loc["all", "all"] == n_genres[excluded["track_id"]].sum()
    assert cleaning.count_reasons(excluded.head(0), collected).empty
    several = cleaning.count_several_genres(collected, tracks)
    assert several["songs"].sum() == (n_genres > 1).sum()
    assert several["used"].sum() == 0
    assert cleaning.count_several_genres(collected[collected["genres"].str.len() == 1], tracks).empty


@pytest.mark.parametrize(
    ("duration_s", "clip"), [(40, (5, 30)), (30, (0, 30)), (29.5, (0, 29.5)), (30.015, (0, 30)), (33.333, (1.66, 30))]
)
def test_middle(duration_s: float, clip: tuple[float, float]) -> None:
    assert center_clip(duration_s, 30) == pytest.approx(clip)
    assert sum(center_clip(duration_s, 30)) <= duration_s


def test_catalogue_without_any_audio_is_an_error_that_says_where_to_look(collected: pd.DataFrame, folder: Path) -> None:
    tracks, excluded = judge(collected[collected["audio_path"].isna()], folder, "drop", balance_genres=True)
    assert len(excluded) == len(REFUSED)
    with pytest.raises(UserError, match=r"wrangling\.min_duration_s"):
        check_not_empty(tracks, excluded, collected)


def test_file_that_vanished_is_unreadable(collected: pd.DataFrame, folder: Path) -> None:
    catalogue = collected[collected["source_id"].isin(["a.wav", "b.flac"])].copy()
    catalogue.loc[catalogue["source_id"] == "b.flac", "audio_path"] = "vanished.flac"
    used, excluded = judge(catalogue, folder, "drop")
    assert used["audio_path"].tolist() == ["a.wav"]
    assert excluded["reason"].tolist() == ["unreadable"]


def test_file_of_which_libsndfile_cannot_find_the_middle_is_used(collected: pd.DataFrame, folder: Path) -> None:
    content = bytearray((folder / "b.flac").read_bytes())
    content[8:10] = bytes(2)  # the length of a block
    (folder / "b_damaged.flac").write_bytes(content)
    catalogue = collected[collected["source_id"].isin(["a.wav", "b.flac"])].copy()
    catalogue.loc[catalogue["source_id"] == "b.flac", "audio_path"] = "b_damaged.flac"
    used, _ = judge(catalogue, folder, "drop")
    assert used["audio_path"].tolist() == ["a.wav", "b_damaged.flac"]
