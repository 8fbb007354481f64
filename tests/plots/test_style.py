import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.markers import MarkerStyle

from songgenre.plots import style
from songgenre.plots.models import plot_confusion
from songgenre.plots.scraping import plot_listings
from songgenre.plots.style import MARKERS, draw_svg, format_range, genre_markers, show_table, use_style
from songgenre.plots.transfer import plot_embedding_map
from songgenre.report.listen import SHAPES


def test_dollar_signs_in_names_are_no_formulas() -> None:
    with plt.rc_context():
        use_style()
        figure = plot_listings(pd.DataFrame({"genres": ["rock $x^{$", "$a$ $b$"]}))
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)


def test_table_without_rows_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"title": ["Song"]})
    show_table(table, otherwise="There are none.")
    assert "Song" in capsys.readouterr().out
    show_table(table.head(0), otherwise="There are none.")
    assert "Columns" not in capsys.readouterr().out


def test_a_genre_has_one_marker_in_the_figure_and_on_the_map() -> None:
    assert set(SHAPES) == set(MARKERS)
    genres = pd.Series(["rock", "jazz", "rock", "blues"])
    markers = genre_markers(genres)
    assert len(set(markers.values())) == 3
    figure = plot_embedding_map(np.arange(8.0).reshape(4, 2), genres)
    for points in figure.axes[0].collections:
        drawn, expected = points.get_paths()[0], MarkerStyle(markers[points.get_label()])
        np.testing.assert_allclose(drawn.vertices, expected.get_path().transformed(expected.get_transform()).vertices)
    plt.close(figure)


def test_more_genres_than_markers_have_markers() -> None:
    assert len(genre_markers(map(str, range(2 * len(MARKERS))))) == 2 * len(MARKERS)


def test_a_figure_of_many_points_is_small_and_has_the_same_bytes() -> None:
    with plt.rc_context():
        use_style()
        drawings = []
        for _ in range(2):
            figure, (mesh, points) = plt.subplots(1, 2)
            mesh.pcolormesh(np.arange(90_000.0).reshape(300, 300))
            points.scatter(np.arange(20_000.0), np.arange(20_000.0) % 7)
            drawings.append(draw_svg(figure))
            plt.close(figure)
    assert drawings[0] == drawings[1]
    assert len(drawings[0]) < 200_000


def test_caption_is_the_finding_that_the_plot_states(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, object]] = []
    monkeypatch.setattr(style, "display", lambda *_, metadata, **__: shown.append(metadata["image/svg+xml"]))
    listed = pd.DataFrame({"genres": ["rock", "rock", "jazz"]})
    style.show(plot_listings(listed), alt="Bars")
    style.show(plot_listings(listed), alt="Bars", caption="Another finding.")
    assert [about["alt"] for about in shown] == ["Bars", "Bars"]
    assert re.findall(r"\d \S*\(?\w+\)?", str(shown[0]["caption"])) == ["1 (jazz)", "2 songs"]
    assert shown[1]["caption"] == "Another finding."


def test_range_of_no_numbers_is_none() -> None:
    assert format_range(pd.Series(dtype=float)) == format_range(pd.Series([np.nan])) == "none"


def test_range_of_equal_numbers_is_one_number() -> None:
    values = pd.Series({"rock": 0.501, "jazz": 0.499})
    assert "0.50" in (text := format_range(values, digits=2))
    assert "rock" not in text
    assert "rock" in format_range(values, digits=3)


def test_figures_of_many_genres_show_the_largest() -> None:
    n_songs = pd.Series(range(1, 31), index=[f"genre {number:02d}" for number in range(30)])
    songs = pd.Series(n_songs.index.repeat(n_songs))
    largest = [f"genre {number:02d}" for number in range(10, 30)]
    rng = np.random.default_rng(0)
    listings = plot_listings(pd.DataFrame({"genres": songs}))
    places = plot_embedding_map(rng.standard_normal((len(songs), 2)), songs)
    matrix = pd.DataFrame(np.diag(n_songs), n_songs.index, n_songs.index)
    confusion = plot_confusion(matrix, "svm")
    shown = [
        [label.get_text() for label in listings.axes[0].get_yticklabels()],
        [points.get_label() for points in places.axes[0].collections],
        [label.get_text() for label in confusion.axes[0].get_yticklabels()],
    ]
    plt.close("all")
    assert shown == [largest] * 3
    assert all("20 of 30" in figure.axes[0].get_title() for figure in (listings, places, confusion))
    assert f"{len(songs)} of {len(songs)} predictions" in confusion.get_label()
