import numpy as np
import pandas as pd
import pytest

from songgenre.plots.features import MAX_SONGS_SHOWN, choose_songs


@pytest.mark.parametrize("n", [0, 1, MAX_SONGS_SHOWN, MAX_SONGS_SHOWN + 1, 3 * MAX_SONGS_SHOWN])
def test_songs_are_chosen_in_order_from_the_first_to_the_last(n: int) -> None:
    ids = np.arange(n)
    chosen = choose_songs(pd.DataFrame({"track_id": ids}))["track_id"].to_numpy()
    assert len(chosen) == min(n, MAX_SONGS_SHOWN)
    assert (np.diff(chosen) > 0).all()
    assert [*chosen[:1], *chosen[-1:]] == [*ids[:1], *ids[-1:]]
