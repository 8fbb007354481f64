"""What the best model confuses."""

import pandas as pd

from songgenre.report.scores import Confusion, confusions


def test_mistakes_are_counted_the_most_first_of_all_songs_of_the_genre() -> None:
    said = pd.DataFrame(
        {
            "genre": ["rock", "rock", "rock", "jazz", "jazz", "folk"],
            "predicted": ["jazz", "jazz", "rock", "rock", "folk", "folk"],
        }
    )
    assert confusions(said) == [
        Confusion("rock", "jazz", 2, 3),
        Confusion("jazz", "folk", 1, 2),
        Confusion("jazz", "rock", 1, 2),
    ]


def test_who_is_never_wrong_or_unknown_confuses_nothing() -> None:
    assert confusions(pd.DataFrame({"genre": ["rock"], "predicted": ["rock"]})) == []
    assert confusions(None) == []
