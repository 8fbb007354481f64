"""The command as it is used: in a process of its own, outside the project, with the model that ships."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from songgenre import audio
from songgenre.models import embeddings, head, weights

if TYPE_CHECKING:
    from conftest import Command

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def music(
    tmp_path_factory: pytest.TempPathFactory, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> Path:
    """Two songs, of which one has two windows, and two files that are none."""
    folder = tmp_path_factory.mktemp("music")
    write_audio(folder / "a.wav", melody(1, 12))
    write_audio(folder / "deep" / "b.flac", melody(2, 61))
    (folder / "broken.mp3").write_bytes(b"no music")
    write_audio(folder / "silent.ogg", np.zeros(44_100))
    return folder


@pytest.fixture(scope="module")
def answered(predict: "Command", music: Path) -> list[dict]:
    ended = predict("--json", str(music / "a.wav"), str(music / "deep"))
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_weights_come_from_the_wheel_by_themselves_and_give_the_same_answer(
    answered: list[dict], music: Path, user_cache: Path
) -> None:
    pretrained = user_cache / "songgenre" / "pretrained"
    clip = audio.Clip(music / "a.wav", 0.0, 12.0)
    expected = head.load().probabilities(embeddings.embed(clip, embeddings.networks(pretrained)).embedding)
    assert answered[0]["probabilities"] == pytest.approx(expected.to_dict(), abs=1e-6)
    assert answered[0]["genre"] == expected.idxmax()
    assert answered[0]["unsure"] == (expected.max() < 0.5)


def test_long_song_is_the_mean_of_its_windows(answered: list[dict], music: Path, user_cache: Path) -> None:
    networks = embeddings.networks(user_cache / "songgenre" / "pretrained")
    clips = [audio.Clip(music / "deep" / "b.flac", start_s, 30.0) for start_s in (0.5, 30.5)]
    said = [head.load().probabilities(embeddings.embed(clip, networks).embedding) for clip in clips]
    assert answered[1]["probabilities"] == pytest.approx(pd.DataFrame(said).mean().to_dict(), abs=1e-6)


def test_bad_files_are_told_and_the_others_judged(predict: "Command", music: Path) -> None:
    ended = predict("--csv", str(music), "nowhere.mp3")
    rows = list(csv.DictReader(ended.stdout.splitlines()))
    assert [Path(row["file"]).name for row in rows] == ["a.wav", "b.flac"]
    assert ended.returncode == 1
    told = ended.stderr.splitlines()
    assert len(told) == 3
    assert "there is no nowhere.mp3" in told[0]
    assert "broken.mp3: expected wav, aiff" in told[1]
    assert "silent.ogg: its level is" in told[2]


def test_audio_on_the_standard_input(predict: "Command", music: Path, answered: list[dict]) -> None:
    ended = predict("-", "--json", stdin=(music / "a.wav").read_bytes())
    assert ended.returncode == 0
    answer = json.loads(ended.stdout)
    assert answer["file"] == "-"
    assert answer["probabilities"] == pytest.approx(answered[0]["probabilities"], abs=1e-6)


def test_strip_without_a_terminal_has_no_escapes(predict: "Command", music: Path) -> None:
    ended = predict(str(music / "deep" / "b.flac"), "--threshold", "0")
    assert "\x1b" not in ended.stdout
    assert ended.stdout.splitlines()[1].split()[0] == "0:00"
    assert len(ended.stdout.splitlines()[1].split()) == 4


def test_page_is_written_beside_the_answer(predict: "Command", music: Path, tmp_path: Path) -> None:
    ended = predict(str(music / "a.wav"), "--json", "--html", str(tmp_path / "page.html"))
    assert json.loads(ended.stdout)
    soup = BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser")
    assert json.loads(ended.stdout)["genre"] in soup.strong.get_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("a.wav", "--json", "--csv"), 2, "give one of the two"),
        (("a.wav", "--model", "oracle"), 2, "pretrained"),
        (("a.wav", "--threshold", "2"), 2, "less than or equal to 1"),
        ((), 2, "Missing argument"),
        (("a.wav", "--model", "sklearn"), 1, "inside the project"),
    ],
)
def test_wrong_use_is_told(
    predict: "Command", music: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ended = predict(*arguments, cwd=music)
    assert ended.returncode == code
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_weights_and_no_way_to_get_them_is_told(run: "Command", music: Path, tmp_path: Path) -> None:
    ended = run("predict", str(music / "a.wav"), XDG_CACHE_HOME=str(tmp_path), PIP_NO_INDEX="1")
    assert ended.returncode == 1
    assert f"put it at {tmp_path / 'songgenre' / 'wheels' / weights.MUSICNN.file}" in "".join(ended.stderr.split("\n"))
    assert "Traceback" not in ended.stderr


def test_new_clone_takes_the_wheel_that_setup_has_kept(
    run: "Command", music: Path, user_cache: Path, tmp_path: Path, answered: list[dict]
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(user_cache / "songgenre" / "wheels", clone / "data" / "cache" / "wheels")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, clone)
    nowhere = {"XDG_CACHE_HOME": str(tmp_path / "none"), "PIP_NO_INDEX": "1"}
    ended = run("predict", str(music / "a.wav"), "--json", cwd=clone, **nowhere)
    assert json.loads(ended.stdout)["probabilities"] == pytest.approx(answered[0]["probabilities"], abs=1e-6)
    assert not (clone / "data" / "pretrained").exists()
    assert not (tmp_path / "none" / "songgenre").exists()


def test_tensorflow_is_not_started_for_the_model_that_ships(run: "Command", music: Path, user_cache: Path) -> None:
    ended = run("predict", str(music / "a.wav"), XDG_CACHE_HOME=str(user_cache), PYTHONPROFILEIMPORTTIME="1")
    assert ended.returncode == 0
    assert "librosa" in ended.stderr
    assert not {"tensorflow", "keras"} & {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}


def test_most_real_songs_are_right(predict: "Command", real_music: Path) -> None:
    """That all is connected; no measure, as the model was trained on these songs."""
    listing = pd.read_csv(real_music / "tracks.csv").groupby("genre").head(4)
    ended = predict("--json", *(str(real_music / file) for file in listing["file"]))
    assert ended.returncode == 0
    said = [json.loads(line)["genre"] for line in ended.stdout.splitlines()]
    assert (np.array(said) == listing["genre"].to_numpy()).mean() > 0.8


def test_help_teaches_by_example(run: "Command") -> None:
    for command in ("predict", "similar"):
        assert f"songgenre {command} song.mp3" in run(command, "--help", COLUMNS="100").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completes_commands_and_options(run: "Command", shell: str) -> None:
    assert (
        "_SONGGENRE_COMPLETE"
        in run("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").stdout
    )
    words = {"bash": {"COMP_WORDS": "songgenre pre", "COMP_CWORD": "1"}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": "songgenre pre"}
    )
    completed = run(**words, _SONGGENRE_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_FISH_ACTION="get-args").stdout
    assert "predict" in completed
    assert "pretrained" in completed
    assert "similar" not in completed
