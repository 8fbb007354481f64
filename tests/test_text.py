import pytest

from songgenre.text import MAX_TEXT_LENGTH, sanitize_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Été, 日本語", "Été, 日本語"),
        (" a\nb\t\x00c\u2028d ", "a b c d"),
        (f"caf{chr(0xDCE9)}", "caf\ufffd"),
        ("x" * 10_000, "x" * MAX_TEXT_LENGTH),
        ("", None),
        ("\x00\n", None),
        (None, None),
    ],
)
def test_text_is_made_fit_for_a_table(text: str | None, shown: str | None) -> None:
    assert sanitize_text(text) == shown
