"""The page to listen to, of real audio files."""

import base64
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from songgenre import audio
from songgenre.evaluation.files import write_metrics
from songgenre.evaluation.metrics import Metrics
from songgenre.evaluation.similarity import nearest_by_other_artists
from songgenre.paths import Project
from songgenre.plots.excerpts import encode_excerpt
from songgenre.report.listen import HEIGHT, WIDTH, encode_picture, layout, sample_songs, write_listen_page
from songgenre.report.notebook_page import Navigation
from songgenre.report.scores import best_model, load_scores


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory,
    write_corpus: Callable[[Project], pd.DataFrame],
    measured: Callable[[float], Metrics],
) -> Project:
    project = Project(tmp_path_factory.mktemp("map") / "project")
    write_corpus(project)
    write_metrics({"svm": measured(0.8)}, project.metrics("sklearn"))
    return project


@pytest.fixture
def changeable(project: Project, tmp_path: Path) -> Project:
    """A copy."""
    return Project(shutil.copytree(project.root, tmp_path / "project"))


def written(project: Project, folder: Path) -> BeautifulSoup:
    folder.mkdir()
    write_listen_page(project, best_model(load_scores(project)), folder, Navigation([]))
    return BeautifulSoup((folder / "map.html").read_text("utf-8"), "html.parser")


@pytest.fixture(scope="module")
def site(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("site") / "html"
    written(project, folder)
    return folder


@pytest.fixture(scope="module")
def soup(site: Path) -> BeautifulSoup:
    return BeautifulSoup((site / "map.html").read_text("utf-8"), "html.parser")


def two_clouds() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(40, 60)), rng.normal(3, size=(40, 60))])


@pytest.mark.integration
def test_every_song_is_a_dot_and_an_entry_and_can_be_heard(project: Project, site: Path, soup: BeautifulSoup) -> None:
    tracks = pd.read_parquet(project.tracks)
    ids = sorted(tracks["track_id"])
    assert sorted(dot["data-song"] for dot in soup.select(".map svg a")) == ids
    assert sorted(entry["id"] for entry in soup.select("li[id]")) == ids
    for clip, track_id in zip(audio.clips(tracks, project.audio), tracks["track_id"], strict=True):
        assert (site / "audio" / f"{track_id}.mp3").read_bytes() == encode_excerpt(clip).content.tobytes()


@pytest.mark.integration
def test_names_are_shown_as_they_are_and_what_is_missing_is_said(soup: BeautifulSoup) -> None:
    first, second = soup.select("li[id]#demo-000000000000, li[id]#demo-000000000001")
    assert first["data-title"] == "<b>Loud</b> & clear"
    artist, genre, said = first["data-about"].split(" · ")
    assert "unknown" in artist
    assert genre == "classical"
    assert "SVM" in said
    assert "classical" in said
    assert second["data-title"] == "demo-000000000001"
    assert not soup.select("article b:not([aria-hidden])")


@pytest.mark.integration
def test_each_cell_of_the_confusion_matrix_leads_to_its_songs(soup: BeautifulSoup) -> None:
    links = soup.select(".matrix a")
    assert [(link["href"], link.get_text()) for link in links] == [
        ("#classical-as-classical", "6"),
        ("#hip-hop-as-classical", "1"),
        ("#hip-hop-as-hip-hop", "5"),
    ]
    listed = [soup.select(f"{link['href']} .play") for link in links]
    assert [len(songs) for songs in listed] == [6, 1, 5]
    assert listed[1][0]["href"] == "audio/demo-000000000003.mp3"
    assert [dot["data-song"] for dot in soup.select(".map .wrong")] == ["demo-000000000003"]


@pytest.mark.integration
def test_some_songs_of_each_genre_have_a_picture(soup: BeautifulSoup) -> None:
    pictures = soup.select(".pictures img")
    assert [image["alt"].rpartition(", ")[2] for image in pictures] == ["classical"] * 3 + ["hip-hop"] * 3
    shown = matplotlib.image.imread(io.BytesIO(base64.b64decode(pictures[0]["src"].partition(",")[2])))
    assert shown.shape[:2] == (32, round(10 * 22_050 / 512))


@pytest.mark.integration
def test_the_same_project_gives_the_same_bytes(changeable: Project, site: Path, tmp_path: Path) -> None:
    shutil.rmtree(changeable.feature_cache)
    written(changeable, tmp_path / "again")
    for path in site.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(site)).read_bytes()


@pytest.mark.parametrize("missing", ["tracks", "embeddings"])
def test_before_its_stages_have_run_the_page_says_so(changeable: Project, tmp_path: Path, missing: str) -> None:
    getattr(changeable, missing).unlink()
    soup = written(changeable, tmp_path / "html")
    assert "dvc repro" in soup.main.get_text()
    assert not soup.select(".map")
    assert not (tmp_path / "html" / "audio").exists()


@pytest.mark.integration
def test_without_answers_and_images_there_is_still_a_map(changeable: Project, tmp_path: Path) -> None:
    changeable.predictions("sklearn").unlink()
    changeable.mel.unlink()
    soup = written(changeable, tmp_path / "html")
    assert len(soup.select(".map svg a")) == 12
    assert not soup.select(".matrix, .pictures, .wrong")


def test_of_many_songs_as_many_of_each_genre_are_shown_the_judged_first() -> None:
    tracks = pd.DataFrame({"track_id": [f"{n:03}" for n in range(100)], "genre": ["rock"] * 70 + ["jazz"] * 30})
    said = pd.DataFrame({"track_id": ["069", "099"]})
    chosen = sample_songs(tracks, said, 20)
    assert chosen["genre"].value_counts().to_dict() == {"rock": 10, "jazz": 10}
    assert {"069", "099"} < set(chosen["track_id"])
    assert sample_songs(tracks, None, 100) is tracks


def test_layout_fills_the_map_and_keeps_what_is_alike_together() -> None:
    places = layout(two_clouds())
    assert places.min() >= 0
    assert (places.max(axis=0) <= [WIDTH, HEIGHT]).all()
    nearest = NearestNeighbors(n_neighbors=6).fit(places).kneighbors(return_distance=False)
    assert ((nearest < 40) == (np.arange(80) < 40)[:, np.newaxis]).all()


def test_layout_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    class Noted(TSNE):
        def fit_transform(self, X: np.ndarray, y: None = None) -> np.ndarray:
            threads.update(pool["num_threads"] for pool in threadpool_info())
            return super().fit_transform(X)

    monkeypatch.setattr("songgenre.report.listen.TSNE", Noted)
    places = []
    for number in (1, 3):
        with threadpool_limits(number):
            places.append(layout(two_clouds()))
    np.testing.assert_array_equal(*places)
    assert threads == {1}


def test_songs_alike_are_the_nearest_by_cosine_and_by_others() -> None:
    embeddings = two_clouds()
    X = StandardScaler().fit_transform(embeddings)
    artists = [str(number % 10) for number in range(80)]
    found = nearest_by_other_artists(embeddings, artists, 3)
    for row, artist in enumerate(artists):
        others = [other for other in range(80) if artists[other] != artist]
        reference = NearestNeighbors(n_neighbors=3, metric="cosine").fit(X[others]).kneighbors(X[[row]])[1][0]
        assert list(found[row]) == [others[other] for other in reference]


def test_where_there_are_too_few_other_artists_fewer_songs_are_named() -> None:
    found = nearest_by_other_artists(two_clouds()[:4], ["a", "a", "a", "b"], 3)
    assert [(row >= 0).sum() for row in found] == [1, 1, 1, 3]


def test_picture_has_low_notes_below() -> None:
    mel = np.zeros((16, 30), np.uint8)
    mel[:4] = 255
    shown = matplotlib.image.imread(io.BytesIO(base64.b64decode(encode_picture(mel))))
    assert shown.shape[:2] == (16, 30)
    assert (shown[-4:, :, :3].sum(axis=2) > 2).all()
    assert (shown[:-4, :, :3].sum(axis=2) < 0.1).all()
