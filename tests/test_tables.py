import re
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from songgenre.errors import UserError
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import check_table, read_table, write_table
from songgenre.tables.predictions import PREDICTIONS
from songgenre.tables.tracks import TRACKS

VALID_CATALOGUE = pd.DataFrame(
    {
        "track_id": ["folder-1", "folder-2"],
        "source": "folder",
        "collection": "folder",
        "source_id": ["a.mp3", "b.mp3"],
        "title": ["A", None],
        "year": None,
        "artist": pd.Series([None, None], dtype="str"),
        "genres": [["rock", "jazz"], []],
        "primary_genre": ["jazz", None],
        "split": ["train", None],
        "audio_path": ["1.mp3", "2.mp3"],
        "url": pd.Series([None, None], dtype="str"),
        "license": ["CC0", None],
        "sha256": ["0" * 64, "f" * 64],
        "bytes": [1, 0],
        "reason": pd.Series([None, None], dtype="str"),
        "detail": pd.Series([None, None], dtype="str"),
    }
)

NO_AUDIO = {"audio_path": None, "sha256": None, "reason": "over_limit", "detail": "beyond the limit of a site"}


def with_second_song(**values: object) -> pd.DataFrame:
    table = VALID_CATALOGUE.copy()
    for column, value in values.items():
        table.loc[1, column] = value
    return table


VALID_EXCLUDED = pd.DataFrame({"track_id": ["a", "b"], "reason": ["silent", "empty"], "detail": ["-90 dB", "0 bytes"]})

VALID_PREDICTIONS = pd.DataFrame(
    {"track_id": ["a", "b"], "model": "svm", "genre": "rock", "predicted": "jazz", "p_rock": 0.0, "p_jazz": 1.0}
)


def problem(table: pd.DataFrame, schema: pa.DataFrameSchema) -> str:
    with pytest.raises(UserError) as error:
        check_table(table, schema, "x.parquet")
    assert "x.parquet" in str(error.value)
    assert schema.name in str(error.value)
    return str(error.value)


def test_round_trip_keeps_lists_and_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "raw" / "catalogue.parquet"
    write_table(VALID_CATALOGUE, CATALOGUE, path)
    table = read_table(CATALOGUE, path)
    assert [list(genres) for genres in table["genres"]] == [["rock", "jazz"], []]
    pd.testing.assert_frame_equal(table.drop(columns="genres"), VALID_CATALOGUE.drop(columns="genres"))


def test_index_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "excluded.parquet"
    write_table(VALID_EXCLUDED.set_index(pd.Index([7, 3])), EXCLUDED, path)
    pd.testing.assert_frame_equal(read_table(EXCLUDED, path), VALID_EXCLUDED)


def test_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_table(VALID_EXCLUDED.copy(), EXCLUDED, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_missing_column_is_named() -> None:
    assert "detail" in problem(VALID_EXCLUDED.drop(columns="detail"), EXCLUDED)


def test_unexpected_column_is_named() -> None:
    assert "remark" in problem(VALID_EXCLUDED.assign(remark=""), EXCLUDED)


def test_every_problem_is_named_at_once() -> None:
    message = problem(VALID_EXCLUDED.assign(reason=["boring", "silent"], track_id="a"), EXCLUDED)
    assert "boring" in message
    assert "track_id" in message


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("genres", [["rock", ""], ["jazz"]]),
        ("genres", [["rock", 3], ["jazz"]]),
        ("sha256", ["0" * 63, "f" * 64]),
        ("bytes", [-1, 0]),
        ("bytes", ["1", "0"]),
        ("audio_path", ["same.mp3", "same.mp3"]),
        ("audio_path", ["1.mp3", "../2.mp3"]),
        ("audio_path", ["1.mp3", ".2.mp3"]),
        ("split", ["train", "dev"]),
        ("reason", [None, "boring"]),
        ("source", [None, "folder"]),
    ],
)
def test_catalogue_with_a_wrong_value_is_refused(column: str, values: list[object]) -> None:
    assert column in problem(VALID_CATALOGUE.assign(**{column: values}), CATALOGUE)


def test_song_without_audio_says_why(tmp_path: Path) -> None:
    table = with_second_song(**NO_AUDIO)
    write_table(table, CATALOGUE, tmp_path / "catalogue.parquet")
    assert read_table(CATALOGUE, tmp_path / "catalogue.parquet")["reason"][1] == "over_limit"
    several = pd.concat([table, table[1:].assign(track_id="folder-3")], ignore_index=True)
    assert check_table(several, CATALOGUE, "x.parquet") is not None


@pytest.mark.parametrize("column", NO_AUDIO)
def test_song_with_neither_or_both_of_audio_and_reason_is_refused(column: str) -> None:
    without = {name: value for name, value in NO_AUDIO.items() if name != column}
    assert re.search("audio.*reason", problem(with_second_song(**without), CATALOGUE))
    only = {column: NO_AUDIO[column]}
    assert re.search("audio.*reason", problem(with_second_song(**only), CATALOGUE))


def test_damaged_table_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "excluded.parquet").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(UserError, match=r"excluded\.parquet.*Delete.*`dvc repro`"):
        read_table(EXCLUDED, tmp_path / "excluded.parquet")


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_probability_out_of_range_is_refused(value: float) -> None:
    assert "p_rock" in problem(VALID_PREDICTIONS.assign(p_rock=value), PREDICTIONS)


def test_track_may_be_predicted_once_per_model(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_table(pd.concat([VALID_PREDICTIONS, VALID_PREDICTIONS.assign(model="cnn")]), PREDICTIONS, path)
    assert len(read_table(PREDICTIONS, path)) == 4
    with pytest.raises(UserError, match=r"svm"):
        write_table(pd.concat([VALID_PREDICTIONS, VALID_PREDICTIONS]), PREDICTIONS, path)


def test_descriptors_are_numbers_whatever_their_names() -> None:
    table = pd.DataFrame({"track_id": ["a"], "mfcc_01_mean": [1.5], "tempo": [120.0]})
    assert check_table(table, DESCRIPTORS, "x.parquet") is not None
    assert "tempo" in problem(table.assign(tempo="fast"), DESCRIPTORS)
    assert "tempo" in problem(table.assign(tempo=np.nan), DESCRIPTORS)


def test_bad_table_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "excluded.parquet"
    write_table(VALID_EXCLUDED, EXCLUDED, path)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"excluded\.parquet(.|\n)*boring"):
        write_table(VALID_EXCLUDED.assign(reason="boring"), EXCLUDED, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_missing_table_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tracks\.parquet.*dvc repro"):
        read_table(TRACKS, tmp_path / "tracks.parquet")


def test_folder_of_parts_is_read_as_one_table_in_the_order_of_the_names(tmp_path: Path) -> None:
    whole = pd.DataFrame({"track_id": [f"t{row}" for row in range(30)], "rms_mean": np.arange(30.0)})
    for part in (2, 0, 1):
        write_table(whole[10 * part : 10 * (part + 1)], DESCRIPTORS, tmp_path / "parts" / f"part-00000{part}.parquet")
    for name in (".DS_Store", "._part-000000.parquet"):  # as macOS adds them
        (tmp_path / "parts" / name).write_text("not a table")
    pd.testing.assert_frame_equal(read_table(DESCRIPTORS, tmp_path / "parts"), whole)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parts"), whole)
    some = read_table(DESCRIPTORS, tmp_path / "parts", ["t25", "t3"])
    pd.testing.assert_frame_equal(some, whole.iloc[[3, 25]].reset_index(drop=True))


def test_same_song_in_two_parts_is_refused(tmp_path: Path) -> None:
    for part in range(2):
        song = pd.DataFrame({"track_id": ["t"], "rms_mean": [0.0]})
        write_table(song, DESCRIPTORS, tmp_path / "parts" / f"part-00000{part}.parquet")
    with pytest.raises(UserError, match="field_uniqueness"):
        read_table(DESCRIPTORS, tmp_path / "parts")


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro"):
        read_table(DESCRIPTORS, tmp_path)
