"""Executed notebooks become self-contained pages that show results first and code on demand."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.notebook_page import (
    Navigation,
    postprocess,
    read_notebook,
    render_notebook,
    report_names,
    sanitize,
)

PAGES = ["01_scraping", "02_wrangling"]
NAVIGATION = Navigation(PAGES, ["model_card"])
RUNS = "provenance.js"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def saved(folder: Path, *cells: nbformat.NotebookNode, name: str = "02_wrangling") -> Path:
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def rendered(folder: Path, *cells: nbformat.NotebookNode) -> BeautifulSoup:
    return BeautifulSoup(render_notebook(saved(folder, *cells), NAVIGATION), "html.parser")


def figure(**about: str) -> nbformat.NotebookNode:
    metadata = {"image/png": about} if about else {}
    return new_code_cell("plot()", outputs=[new_output("display_data", {"image/png": PIXEL}, metadata=metadata)])


def test_a_percentage_stays_on_one_line(tmp_path: Path) -> None:
    soup = rendered(tmp_path, new_markdown_cell("# One\n\nTwo.\n\nAt least **95 %** of them, see `95 %`."))
    assert soup.strong.get_text() == "95\N{NO-BREAK SPACE}%"
    assert "95 %" in [code.get_text() for code in soup("code")]


def displayed(table: pd.DataFrame) -> nbformat.NotebookNode:
    return new_code_cell("table", outputs=[new_output("execute_result", {"text/html": table.to_html()})])


def tagged(source: str, *tags: str) -> nbformat.NotebookNode:
    return new_code_cell(source, metadata={"tags": list(tags)})


def test_the_title_comes_from_the_first_heading(tmp_path: Path) -> None:
    soup = rendered(tmp_path, new_markdown_cell("# Cleaning the `raw` corpus\n\nWhich songs are used?"))
    assert soup.title.get_text() == "Cleaning the raw corpus"
    assert [heading.get_text() for heading in soup("h1")] == ["Cleaning the raw corpus"]


def test_a_notebook_without_heading_is_called_by_its_name(tmp_path: Path) -> None:
    assert rendered(tmp_path, new_code_cell("1")).h1.get_text() == "02_wrangling"


def test_the_same_notebook_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    cells = [new_markdown_cell("# Title\n\n## Part"), figure(), displayed(pd.DataFrame({"songs": [1, 2]}))]
    here, there = saved(tmp_path / "here", *cells), saved(tmp_path / "there", *cells)
    assert render_notebook(here, NAVIGATION) == render_notebook(there, NAVIGATION)
    assert str(tmp_path) not in render_notebook(here, NAVIGATION)


def test_navigation_lists_every_report_and_marks_the_current_one(tmp_path: Path) -> None:
    navigation = rendered(tmp_path, new_markdown_cell("# Title")).select_one("nav.reports")
    assert [link["href"] for link in navigation("a")] == [
        "map.html",
        "01_scraping.html",
        "02_wrangling.html",
        "model_card.html",
    ]
    assert [link["href"] for link in navigation("a", {"aria-current": "page"})] == ["02_wrangling.html"]


def test_contents_lead_to_the_sections_even_where_titles_repeat(tmp_path: Path) -> None:
    soup = rendered(tmp_path, new_markdown_cell("# Title\n\n## Songs\n\n### Detail\n\n## Songs\n\n## Content"))
    anchors = [link["href"].removeprefix("#") for link in soup.select("nav.contents a")]
    assert len(set(anchors)) == 3
    assert [soup.find(id=anchor).get_text() for anchor in anchors] == ["Songs", "Songs", "Content"]
    identifiers = [tag["id"] for tag in soup(id=True)]
    assert len(identifiers) == len(set(identifiers))


def test_a_figure_has_its_alternative_text_and_caption(tmp_path: Path) -> None:
    shown = rendered(tmp_path, figure(alt='Bars of "rock" & <roll>', caption="Forty songs each.")).figure
    assert shown.img["alt"] == 'Bars of "rock" & <roll>'
    assert shown.figcaption.get_text() == "Figure 1. Forty songs each."
    assert base64.b64decode(shown.img["src"].removeprefix("data:image/png;base64,")) == base64.b64decode(PIXEL)


def test_figures_are_numbered_and_their_alternative_text_is_seen_too(tmp_path: Path) -> None:
    shown = rendered(tmp_path, figure(alt="Bars of <jazz>"), figure(alt="A line"))
    captions = [caption.get_text() for caption in shown("figcaption")]
    assert captions == ["Figure 1. Bars of <jazz>", "Figure 2. A line"]


def test_a_figure_without_alternative_text_gets_the_title(tmp_path: Path) -> None:
    shown = rendered(tmp_path, new_markdown_cell("# Songs & artists"), figure()).figure
    assert shown.img["alt"] == "Songs & artists"
    assert shown.figcaption.get_text() == "Figure 1. Songs & artists"


def test_code_is_folded_and_its_outputs_are_not(tmp_path: Path) -> None:
    cell = new_code_cell("print('hello')", outputs=[new_output("stream", name="stdout", text="hello <you>\n")])
    soup = rendered(tmp_path, cell)
    assert not soup.details.has_attr("open")
    assert soup.details.summary.get_text() == "Code"
    assert soup.details.select_one(".highlight").get_text().strip() == "print('hello')"
    assert soup.select_one(".cells > pre.output").get_text() == "hello <you>\n"


def test_injected_parameters_take_the_place_of_the_defaults(tmp_path: Path) -> None:
    default, injected = tagged("seed = 0", "parameters"), tagged("seed = 42", "injected-parameters")
    folded = rendered(tmp_path, default, injected)("details")
    assert [(details.summary.get_text(), details.pre.get_text().strip()) for details in folded] == [
        ("Parameters", "seed = 42")
    ]


def test_default_parameters_are_shown_if_none_were_injected(tmp_path: Path) -> None:
    folded = rendered(tmp_path, tagged("seed = 0", "parameters")).details
    assert folded.summary.get_text() == "Parameters"
    assert "seed = 0" in folded.get_text()


def test_hidden_cells_are_left_out(tmp_path: Path) -> None:
    assert "secret" not in render_notebook(saved(tmp_path, tagged("secret = 1", "hide")), NAVIGATION)


def test_tables_scroll_and_align_their_numbers(tmp_path: Path) -> None:
    songs = pd.DataFrame({"genre": ["rock", "jazz"], "songs": [40, 38], "share": [0.51, -1e-3]})
    soup = rendered(tmp_path, displayed(songs))
    assert soup.table.parent["class"] == ["scroll"]
    assert soup.table.parent["tabindex"] == "0"
    assert [head.get_text() for head in soup.select("thead th.number")] == ["songs", "share"]
    assert len(soup.select("td.number")) == 4


def test_messages_and_errors_are_told_apart(tmp_path: Path) -> None:
    outputs = [
        new_output("stream", name="stderr", text="a warning"),
        new_output("error", ename="ValueError", evalue="<b>", traceback=["\x1b[31mValueError\x1b[0m: <b>"]),
    ]
    soup = rendered(tmp_path, new_code_cell("work()", outputs=outputs))
    assert soup.select_one("aside.stderr pre").get_text() == "a warning"
    assert soup.select_one("aside.error strong").get_text() == "ValueError"
    assert soup.select_one("aside.error pre").get_text() == "ValueError: <b>"


def test_hostile_text_is_not_run(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    cells = [
        new_markdown_cell(f"# Songs {hostile}\n\n## Part {hostile}\n\n<img src=x onerror=alert(1)>"),
        new_code_cell("show()", outputs=[new_output("display_data", {"text/html": f"{hostile}<b>kept</b>"})]),
        figure(alt=hostile, caption=hostile),
    ]
    soup = rendered(tmp_path, *cells)
    assert [script["src"] for script in soup("script", src=True)] == [RUNS]
    assert not [script for script in soup("script") if "alert" in script.get_text()]
    assert not [tag for tag in soup(True) if any(name.startswith("on") for name in tag.attrs)]
    assert soup.title.get_text() == "Songs"
    assert soup.select_one("nav.contents a").get_text() == "Part"
    assert soup.select_one("figcaption").get_text().endswith(hostile)
    assert soup.select_one(".html b").get_text() == "kept"


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    elsewhere = "<img src='https://example.org/x.png'><a href='https://example.org'>documentation</a>"
    html = render_notebook(saved(tmp_path, new_markdown_cell(f"# Title\n\n{elsewhere}"), figure()), NAVIGATION)
    soup = BeautifulSoup(html, "html.parser")
    loaded = [tag.get("src") or tag.get("href") or "" for tag in soup(["img", "script", "link", "iframe", "audio"])]
    assert [address for address in loaded if not address.startswith("data:") and address] == [RUNS]
    assert not re.search(r"@import|url\(", soup.style.get_text())
    assert soup.find("a", href="https://example.org")


def test_sound_inside_the_page_is_kept() -> None:
    sound = '<audio controls="controls"><source src="data:audio/wav;base64,UklGRg==" type="audio/wav"/></audio>'
    assert BeautifulSoup(sanitize(sound), "html.parser").source["src"] == "data:audio/wav;base64,UklGRg=="


@pytest.mark.parametrize("address", ["data:text/html,<b>", " DATA:text/html,x", "da\tta:text/html,x"])
def test_links_to_pages_within_an_address_are_removed(address: str) -> None:
    assert not BeautifulSoup(sanitize(f'<a href="{address}">x</a>'), "html.parser").a.has_attr("href")


def test_picture_beside_an_empty_html_is_shown(tmp_path: Path) -> None:
    for html in ("", " \n", "<script>draw()</script>"):
        output = new_output("display_data", {"text/html": html, "image/png": PIXEL, "text/plain": "<Chart>"})
        assert rendered(tmp_path, new_code_cell("chart", outputs=[output])).select_one("figure img")


def test_a_figure_of_vectors_keeps_its_text_and_width(tmp_path: Path) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">\n<text fill="#fff">100 % & more</text></svg>'
    about = {"image/svg+xml": {"alt": "A text", "width": 90}}
    output = new_output("display_data", {"image/svg+xml": svg}, metadata=about)
    [image] = rendered(tmp_path, new_code_cell("draw()", outputs=[output])).select("figure img")
    kind, _, content = image["src"].partition(",")
    assert (kind, unquote(content)) == ("data:image/svg+xml", svg)
    assert (image["alt"], image["width"]) == ("A text", "90")


def test_tables_within_tables_are_quick(tmp_path: Path) -> None:
    start = time.perf_counter()
    postprocess("<table><tbody><tr><td>" * 300 + "x" + "</td></tr></tbody></table>" * 300)
    assert time.perf_counter() - start < 5


def test_missing_attachment_is_replaced_by_its_text(tmp_path: Path) -> None:
    for attachments in ({}, {"gone.png": {}}):
        soup = rendered(tmp_path, new_markdown_cell("# A\n\n![A wave](attachment:gone.png)", attachments=attachments))
        assert soup.main.em.get_text() == "A wave"
        assert not soup.select("main img")


@pytest.mark.parametrize("odd", [[], ["a", "b"], "text", None, 3, {"alt": ["a"], "caption": {}, "width": "x"}])
def test_metadata_of_another_form_is_ignored(tmp_path: Path, odd: object) -> None:
    path = saved(tmp_path, new_markdown_cell("# Title"), figure())
    content = json.loads(path.read_text())
    content["cells"][1]["outputs"][0]["metadata"] = {"image/png": odd}
    content["metadata"] = {"songgenre": {"inputs": odd, "models": odd, "packages": odd}}
    path.write_text(json.dumps(content))
    soup = BeautifulSoup(render_notebook(path, NAVIGATION), "html.parser")
    assert soup.select_one("figure img")["alt"] == "Title"


def test_tags_that_are_no_list_are_reported(tmp_path: Path) -> None:
    path = saved(tmp_path, new_markdown_cell("# Title"))
    path.write_text(path.read_text().replace('"metadata": {}', '"metadata": {"tags": "hide"}', 1))
    with pytest.raises(UserError, match=r"(?s)02_wrangling\.ipynb.*dvc repro"):
        render_notebook(path, NAVIGATION)


def test_ids_are_unique(tmp_path: Path) -> None:
    own = "<h2 id='songs'>Songs</h2>\n\n<p id='part'>x</p><p id='part'>y</p><p id='content'>z</p>\n\n## Part\n\n## Menu"
    ids = [tag["id"] for tag in rendered(tmp_path, new_markdown_cell(f"# A\n\n## Songs\n\n{own}"))(id=True)]
    assert len(ids) == len(set(ids))


def test_tables_of_pandas_are_tidied(tmp_path: Path) -> None:
    numbers = {"share": [0.123456, 0.5], "year": [None, 1999], "tempo": [120.51234, 99.0], "p": [1e-6, 1]}
    table = pd.DataFrame({"track_id": ["x1", "x2"], **numbers})
    soup = rendered(tmp_path, displayed(table))
    rows = [[cell.get_text() for cell in row(["th", "td"])] for row in soup.table("tr")]
    assert rows == [
        ["share", "year", "tempo", "p", "track_id"],
        ["0.123", "\N{EN DASH}", "120.5", "1e-06", "x1"],
        ["0.500", "1999", "99.0", "1.000", "x2"],
    ]


@pytest.mark.parametrize(
    ("table", "header"),
    [
        ({"title": ["Song"], "track_id": ["x"]}, ["title", "track_id"]),
        ({"track_id": ["x"], "hash": ["y"]}, ["track_id", "hash"]),
        ({"track_id": ["x"], "title": ["Song"], "hash": ["y"]}, ["title", "track_id", "hash"]),
    ],
)
def test_ids_stand_last_even_where_they_did_before(
    tmp_path: Path, table: dict[str, list[str]], header: list[str]
) -> None:
    page = rendered(tmp_path, displayed(pd.DataFrame(table)))
    assert [cell.get_text() for cell in page.select("thead th")] == header


def test_enormous_numbers_keep_their_exponent(tmp_path: Path) -> None:
    page = rendered(tmp_path, displayed(pd.DataFrame({"value": [1.25e300, 2.0]})))
    assert len(page.select_one("tbody td").get_text()) < 20


@pytest.mark.parametrize(
    "html",
    [
        "<figure><img></figure>",
        '<figure><img src="http://example.org/x.png"></figure>',
        '<figure><img src="data:image/png;base64,A"></figure>',
        '<figure><img src="data:image/png;base64,é"></figure>',
        "<table><thead><tr></tr></thead><tbody><tr></tr></tbody></table>",
    ],
)
def test_broken_html_does_not_stop_a_page(tmp_path: Path, html: str) -> None:
    cell = new_code_cell("x", outputs=[new_output("display_data", {"text/html": f"{html}<p>below</p>"})])
    assert "below" in rendered(tmp_path, cell).get_text()


def test_name_of_an_index_stands_in_the_first_header_row(tmp_path: Path) -> None:
    table = pd.DataFrame({"songs": [1, 2]}, index=pd.Index([1999, 2000], name="year"))
    soup = rendered(tmp_path, displayed(table))
    rows = [[cell.get_text() for cell in row(["th", "td"])] for row in soup.table("tr")]
    assert rows == [["year", "songs"], ["1999", "1"], ["2000", "2"]]


def test_tables_with_several_header_rows_keep_them(tmp_path: Path) -> None:
    table = pd.DataFrame({("f1", "rock"): [1.0], ("f1", "jazz"): [2.0]}, index=["svm"])
    assert len(rendered(tmp_path, displayed(table)).select("thead tr")) == 2


def test_the_first_paragraph_is_the_question(tmp_path: Path) -> None:
    soup = rendered(tmp_path, new_markdown_cell("# A\n\nWhich *songs*?\n\nMore."), new_markdown_cell("## Part"))
    assert soup.select_one(".question").get_text() == "Which songs?"
    assert soup.select_one(".cells").get_text().split() == ["More.", "Part"]


def test_attached_pictures_are_shown(tmp_path: Path) -> None:
    cell = new_markdown_cell("![A wave](attachment:wave.png)", attachments={"wave.png": {"image/png": PIXEL}})
    image = rendered(tmp_path, cell).select_one("main img")
    assert image["alt"] == "A wave"
    assert image["src"] == f"data:image/png;base64,{PIXEL}"


def test_a_story_has_title_question_and_sections(tmp_path: Path) -> None:
    told = read_notebook(saved(tmp_path, new_markdown_cell("# Title\n\nWhich *songs*?\n\nMore.\n\n## Part"), figure()))
    assert (told.title, told.question) == ("Title", "Which songs?")
    assert [section.title for section in told.sections] == ["Part"]


def test_reports_are_named_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name in reversed(PAGES):
        saved(project.notebooks, new_markdown_cell("# Title"), name=name)
    assert report_names(project) == PAGES


def test_a_missing_notebook_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"04_features\.ipynb.*dvc repro"):
        render_notebook(tmp_path / "04_features.ipynb", NAVIGATION)


@pytest.mark.parametrize("content", ["", "not a notebook", "[]", "{}", '{"nbformat": 4}', "\ufeff\x00"])
def test_a_broken_notebook_says_where(tmp_path: Path, content: str) -> None:
    path = tmp_path / "04_features.ipynb"
    path.write_text(content)
    with pytest.raises(UserError, match=r"(?s)04_features\.ipynb.*\bgit\b.*dvc repro"):
        render_notebook(path, NAVIGATION)
