import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from songgenre.plots.scraping import plot_listings
from songgenre.plots.style import show_table, use_style


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
