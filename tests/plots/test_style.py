import io

import matplotlib.pyplot as plt
import pandas as pd

from songgenre.plots.scraping import plot_listings
from songgenre.plots.style import use_style


def test_dollar_signs_in_names_are_no_formulas() -> None:
    with plt.rc_context():
        use_style()
        figure = plot_listings(pd.DataFrame({"genres": ["rock $x^{$", "$a$ $b$"]}))
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)
