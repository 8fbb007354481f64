"""Names from outside are shown as they are by every renderer."""

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import mistune
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from songgenre.audio.tags import Tags
from songgenre.plots.style import use_style
from songgenre.predict import formatting, page
from songgenre.predict.inference import SongPrediction
from songgenre.predict.inputs import AudioInput
from songgenre.redaction import printable
from songgenre.report import markdown

MARKUP = st.sampled_from([*"$_|<>&\\*`[]{}^~#!=+-@'\"%/:", "\n", "\r", "\x1b[31m", "</script>", "$x^{$", "https://"])
names = st.lists(MARKUP | st.text(max_size=3), max_size=12).map("".join).filter(str.strip)
quickly = settings(max_examples=40, deadline=None, derandomize=True)
SONG = Path(__file__)


def prediction(name: str) -> SongPrediction:
    windows = pd.DataFrame({name: [0.75], "other": [0.25]}, index=[0.0])
    return SongPrediction(AudioInput(name, SONG, Tags(artist=name, title=name)), "pretrained", windows, 30.0)


@pytest.mark.filterwarnings("ignore:Glyph")
@settings(quickly, max_examples=10)
@given(names)
def test_figure(name: str) -> None:
    use_style()
    figure, axes = plt.subplots(figsize=(2, 2))
    axes.bar([name, "other"], [1, 2], label=name)
    axes.set_title(name)
    axes.legend()
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    plt.close(figure)


@quickly
@given(names)
def test_markdown(name: str) -> None:
    text = f"{markdown.escape(name)} x\n\n{markdown.table(['genre', name], [[name, 1], ['other', 2]])}"
    soup = BeautifulSoup(mistune.create_markdown(plugins=["table"])(f"x {text}"), "html.parser")
    shown = " ".join(name.split())
    assert soup.p.get_text() == f"x {shown} x"
    assert [cell.get_text() for cell in soup("td")] == [shown, "1", "other", "2"]
    assert soup("th")[1].get_text() == shown


@pytest.mark.parametrize("plugins", [["table"], ["table", "url"]])
@pytest.mark.parametrize(
    "address", ["https://a.org/b/1.0/", "http://a-b.org", "https://a.org/_b_", "https://a.org/*b*?c&d"]
)
def test_address_in_a_table(address: str, plugins: list[str]) -> None:
    render = mistune.create_markdown(plugins=plugins)
    soup = BeautifulSoup(render(markdown.table(["license", "n"], [[address, 1]])), "html.parser")
    assert [cell.get_text() for cell in soup("td")] == [address, "1"]
    assert {link["href"] for link in soup("a")} <= {address}


def test_a_plain_address_is_readable_in_the_source() -> None:
    address = "https://creativecommons.org/publicdomain/zero/1.0/"
    assert f"| {address} |" in markdown.table(["license"], [[address]])


@quickly
@given(names)
def test_page(name: str) -> None:
    with TemporaryDirectory() as folder:
        page.write([prediction(name)], 0.5, Path(folder) / "page.html")
        soup = BeautifulSoup((Path(folder) / "page.html").read_text("utf-8", errors="surrogatepass"), "html.parser")
    assert soup.h2.get_text().startswith(printable(name))
    assert [script for script in soup("script") if not script.get("src")] == soup("script")
    assert len(soup("h2")) == 1


@quickly
@given(names)
def test_csv(name: str) -> None:
    [row] = csv.DictReader(io.StringIO("\n".join(formatting.as_csv([prediction(name)], 0.5)), newline=""))
    assert row["genre"] in (name, f"'{name}")
    assert not (len(row["genre"]) > 1 and row["genre"].startswith(formatting.FORMULA))


@quickly
@given(names)
def test_json(name: str) -> None:
    line = formatting.as_json(prediction(name), 0.5)
    assert "\n" not in line
    assert json.loads(line)["file"] == json.loads(line)["genre"] == name


@quickly
@given(names)
def test_terminal(name: str) -> None:
    console = Console(file=io.StringIO(), width=10_000, force_terminal=False, highlight=False)
    console.print(formatting.render_song(prediction(name), 0.5))
    shown = console.file.getvalue()
    assert printable(name) in shown
    assert "\x1b" not in shown
