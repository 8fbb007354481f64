"""Two versions of a file, and what is said of them."""

import base64
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from songgenre.models.storage import save_sklearn
from songgenre.reproduce.diff import MAX_LINES, explain


@pytest.fixture
def versions(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Where two versions of a file lie."""

    def make(name: str) -> tuple[Path, Path]:
        for folder in ("before", "after"):
            (tmp_path / folder).mkdir(exist_ok=True)
        return tmp_path / "before" / name, tmp_path / "after" / name

    return make


Versions = Callable[[str], tuple[Path, Path]]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"track_id": ["a", "b", "c"], "rms": [0.5, 0.25, np.nan], "genre": ["rock", "jazz", None]})


def png(value: float) -> str:
    image = np.full((10, 20, 3), 0.5)
    image[:5] += value
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, image, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def notebook(path: Path, source: str = "1 + 1", text: str = "2\n", image: float = 0.0) -> None:
    shown = new_output("display_data", {"image/png": png(image), "text/plain": "<Figure>"})
    cell = new_code_cell(source, id="b", outputs=[new_output("stream", name="stdout", text=text), shown])
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Story", id="a"), cell]), path)


def check(lines: list[str], *expected: str) -> None:
    """That there is a line for each text, which has the words of the text in their order."""
    for line, text in zip(lines, expected, strict=True):
        assert re.search(".*".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in text.split()), line), line


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.npy", "t.ipynb", "t.json", "t.skops", "t.html", "t.mp3"])
def test_same_bytes_need_no_explanation(versions: Versions, name: str) -> None:
    before, after = versions(name)
    for path in (before, after):
        path.write_bytes(b"anything")
    assert explain(before, after) == []


def test_table_says_column_rows_and_distance(versions: Versions, table: pd.DataFrame) -> None:
    before, after = versions("t.parquet")
    table.to_parquet(before)
    table.assign(rms=[0.5, 0.26, np.nan]).to_parquet(after)
    check(explain(before, after), "rms 1 3 rows 0.01 0.04 1 0.25 0.26")


def test_table_says_rows_columns_types_and_texts(versions: Versions, table: pd.DataFrame) -> None:
    before, after = versions("t.parquet")
    table.to_parquet(before)
    changed = table.assign(genre=["rock", "folk", None], rms=np.float32([0.5, 0.25, np.nan]), new=1)
    changed.drop(columns="track_id").head(2).to_parquet(after)
    check(
        explain(before, after),
        "3 rows 2",
        "track_id missing",
        "new new",
        "rms float64 float32",
        "genre 1 2 rows 1 jazz folk",
    )


def test_csv_is_a_table_too(versions: Versions, table: pd.DataFrame) -> None:
    before, after = versions("t.csv")
    table.to_csv(before, index=False)
    table.assign(rms=[1.0, 0.25, np.nan]).to_csv(after, index=False)
    check(explain(before, after), "rms 1 3 rows 0.5 1 0 0.5 1.0")


def test_array_says_where_and_how_far_without_wrapping_around(versions: Versions) -> None:
    before, after = versions("mel.npy")
    a = np.full((3, 4, 5), 10, dtype=np.uint8)
    b = a.copy()
    b[1, 2, 3], b[2, 0, 0] = 12, 5
    np.save(before, a)
    np.save(after, b)
    check(explain(before, after), "2 60 5 0.5 1 2 3 10 12")


def test_array_of_another_shape(versions: Versions) -> None:
    before, after = versions("mel.npy")
    np.save(before, np.zeros((2, 3)))
    np.save(after, np.zeros((2, 4)))
    check(explain(before, after), "shape 2 3 2 4")


def test_notebook_says_the_cell_and_the_line(versions: Versions) -> None:
    before, after = versions("n.ipynb")
    notebook(before, text="one\ntwo\n")
    notebook(after, source="1 + 2", text="one\nthree\n")
    check(explain(before, after), "cell 1 source line 1 1 + 1 1 + 2", "cell 1 output line 2 two three")


def test_notebook_says_how_far_an_image_is(versions: Versions) -> None:
    before, after = versions("n.ipynb")
    notebook(before)
    notebook(after, image=0.4)
    [line] = explain(before, after)
    # A fourth channel, opacity, is the same everywhere.
    check([line], "cell 1 output image 50.00 0.15")


def test_notebook_with_another_number_of_cells_and_outputs(versions: Versions) -> None:
    before, after = versions("n.ipynb")
    notebook(before)
    cell = new_code_cell("1 + 1", id="b")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Story", id="a"), cell, new_code_cell(id="c")]), after)
    check(explain(before, after), "2 cells 3", "cell 1 2 outputs 0")


def test_metrics_say_path_and_both_values(versions: Versions) -> None:
    before, after = versions("m.json")
    content = {"svm": {"accuracy": 0.8, "ci95": [0.7, 0.9], "log_loss": float("nan")}, "old": 1}
    before.write_text(json.dumps(content))
    after.write_text(json.dumps({"svm": {"accuracy": 0.75, "ci95": [0.7, 0.95], "log_loss": float("nan")}, "new": {}}))
    check(
        explain(before, after),
        "svm.accuracy 0.8 0.75",
        "svm.ci95.1 0.9 0.95",
        "old 1 missing",
        "new {} new",
    )


def test_model_of_scikit_learn_says_the_member(versions: Versions) -> None:
    before, after = versions("svm.skops")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.repeat(["jazz", "rock"], 20)
    for path, shift in ((before, 0.0), (after, 1e-6)):
        save_sklearn(make_pipeline(StandardScaler(), LogisticRegression()).fit(X + shift * X**2, y), path)
    lines = explain(before, after)
    assert len(lines) > 2
    assert all(re.search(r"\.npy\b.*\b\d+ of \d+\b", line) for line in lines)


def test_weights_of_keras_say_the_layer(versions: Versions) -> None:
    before, after = versions("cnn.keras")
    for path, value in ((before, 1.0), (after, 1.5)):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file["layers/conv2d/vars/0"] = np.array([0.0, value, 2.0])
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.weights.h5", buffer.getvalue())
            archive.writestr("config.json", "{}")
    check(explain(before, after), "model.weights.h5 layers/conv2d/vars/0 1 3 0.5 0.5 1 1.0 1.5")


def test_page_says_the_first_line_around_the_first_difference(versions: Versions) -> None:
    before, after = versions("p.html")
    before.write_text("<html>\n" + "x" * 1000 + "1" + "y" * 1000)
    after.write_text("<html>\n" + "x" * 1000 + "2" + "y" * 1000)
    [line] = explain(before, after)
    check([line], f"line 2 '…{'x' * 30}1{'y' * 29}…' '…{'x' * 30}2{'y' * 29}…'")


def test_anything_else_says_sizes_and_the_first_byte(versions: Versions) -> None:
    before, after = versions("song.mp3")
    before.write_bytes(b"abcdef")
    after.write_bytes(b"abxdefg")
    check(explain(before, after), "6 bytes 7", "byte 2")


def test_same_content_that_is_stored_otherwise_is_told_by_its_bytes(versions: Versions, table: pd.DataFrame) -> None:
    before, after = versions("t.parquet")
    table.to_parquet(before, compression="snappy")
    table.to_parquet(after, compression="gzip")
    *_, last = explain(before, after)
    assert re.search(r"\bbyte\b.*\d", last)


@pytest.mark.parametrize("name", ["t.parquet", "t.npy", "t.npz", "n.ipynb", "m.json", "w.h5", "m.keras"])
def test_broken_file_is_named_and_told_by_its_bytes(versions: Versions, name: str) -> None:
    before, after = versions(name)
    before.write_bytes(b"no such thing")
    after.write_bytes(b"nothing either")
    first, *rest = explain(before, after)
    assert before.suffix in first
    check(rest, "13 bytes 14", "byte 2")


def test_folder_says_which_files(versions: Versions) -> None:
    before, after = versions("audio")
    for folder, names in ((before, "ab"), (after, "bc")):
        for name in names:
            (folder / "sub").mkdir(parents=True, exist_ok=True)
            (folder / "sub" / f"{name}.mp3").write_bytes(str(folder).encode())
    first, *others, last = explain(before, after)
    check([first, last], "sub/a.mp3 missing", "sub/c.mp3 new")
    assert others
    assert all("sub/b.mp3" in line for line in others)


def test_file_that_is_gone_or_has_become_a_folder(versions: Versions) -> None:
    before, after = versions("t.csv")
    before.write_text("a\n1\n")
    check(explain(before, after), "missing")
    after.mkdir()
    check(explain(before, after), "folder")


def test_long_explanations_are_cut(versions: Versions) -> None:
    before, after = versions("m.json")
    before.write_text(json.dumps(dict.fromkeys(map(str, range(30)), 1)))
    after.write_text(json.dumps(dict.fromkeys(map(str, range(30)), 2)))
    lines = explain(before, after)
    assert len(lines) == MAX_LINES + 1
    check(lines[-1:], f"{30 - MAX_LINES} more")
