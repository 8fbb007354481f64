"""The command as it is used: in a process of its own, outside the project, with the model that ships."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import psutil
import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from songgenre import audio
from songgenre.cli import app
from songgenre.models import musicnn, musicnn_weights
from songgenre.models.pretrained import archive, embedding, head

if TYPE_CHECKING:
    from subprocess import CompletedProcess

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
def ended(predict: "Command", music: Path) -> "CompletedProcess[str]":
    """After a folder, a file that is not there, and a song on the standard input."""
    return predict("--csv", str(music), "nowhere.mp3", "-", stdin=(music / "a.wav").read_bytes())


@pytest.fixture(scope="module")
def answered(ended: "CompletedProcess[str]") -> pd.DataFrame:
    """What is said of each song."""
    return pd.read_csv(io.StringIO(ended.stdout), index_col="file").rename(lambda file: Path(file).name)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "page.html"


@pytest.fixture(scope="module")
def printed(predict: "Command", music: Path, page: Path, ended: "CompletedProcess[str]") -> "CompletedProcess[str]":
    """What is said of the long song, on a page, too; Python tells what it imports."""
    options = ("--threshold", "0", "--html", str(page))
    printed = predict(str(music / "deep" / "b.flac"), *options, PYTHONPROFILEIMPORTTIME="1")
    assert printed.returncode == 0, printed.stderr
    return printed


def probabilities(answered: pd.DataFrame, file: str) -> dict[str, float]:
    return answered.loc[file].filter(like="p_").rename(lambda name: name.removeprefix("p_")).to_dict()


def bundled(clip: audio.Clip, pretrained: Path) -> pd.Series:
    network = musicnn_weights.load_weights(pretrained, embedding.NETWORK)
    y = audio.load_clip(clip, musicnn.SAMPLE_RATE)
    return head.load_head().predict(embedding.embed(y, network).embedding).probabilities


@pytest.mark.integration
def test_weights_come_from_the_wheel_by_themselves_and_give_the_same_answer(
    answered: pd.DataFrame, music: Path, user_cache: Path
) -> None:
    pretrained = user_cache / "songgenre" / "pretrained"
    expected = bundled(audio.Clip(music / "a.wav", 0.0, 12.0), pretrained)
    assert probabilities(answered, "a.wav") == pytest.approx(expected.to_dict(), abs=1e-6)
    assert answered.loc["a.wav", "genre"] == expected.idxmax()
    assert answered.loc["a.wav", "unsure"] == (expected.max() < 0.5)


@pytest.mark.integration
def test_long_song_is_the_mean_of_its_windows(answered: pd.DataFrame, music: Path, user_cache: Path) -> None:
    pretrained = user_cache / "songgenre" / "pretrained"
    clips = [audio.Clip(music / "deep" / "b.flac", start_s, 30.0) for start_s in (0.5, 30.5)]
    said = [bundled(clip, pretrained) for clip in clips]
    assert probabilities(answered, "b.flac") == pytest.approx(pd.DataFrame(said).mean().to_dict(), abs=1e-6)


@pytest.mark.integration
def test_bad_files_are_told_and_the_others_judged(ended: "CompletedProcess[str]", answered: pd.DataFrame) -> None:
    assert answered.index.tolist() == ["a.wav", "b.flac", "-"]
    assert ended.returncode == 1
    nowhere, broken, silent = ended.stderr.splitlines()
    assert "nowhere.mp3" in nowhere
    assert "broken.mp3" in broken
    assert "wav, aiff" in broken
    assert "silent.ogg" in silent
    assert "dB" in silent


@pytest.mark.integration
def test_audio_on_the_standard_input(answered: pd.DataFrame) -> None:
    assert probabilities(answered, "-") == pytest.approx(probabilities(answered, "a.wav"), abs=1e-6)


@pytest.mark.integration
def test_strip_without_a_terminal_has_no_escapes(printed: "CompletedProcess[str]") -> None:
    assert "\x1b" not in printed.stdout
    assert printed.stdout.splitlines()[1].split()[0] == "0:00"
    assert len(printed.stdout.splitlines()[1].split()) == 4


@pytest.mark.integration
def test_page_is_written_beside_the_answer(
    printed: "CompletedProcess[str]", page: Path, answered: pd.DataFrame
) -> None:
    assert f"Wrote {page.resolve()}" in printed.stderr.splitlines()
    soup = BeautifulSoup(page.read_text(), "html.parser")
    assert answered.loc["b.flac", "genre"] in soup.select_one(".verdict").get_text()
    assert answered.loc["b.flac", "genre"] in printed.stdout.splitlines()[0]


@pytest.mark.integration
def test_tensorflow_is_not_started_for_the_model_that_ships(printed: "CompletedProcess[str]") -> None:
    assert "soundfile" in printed.stderr
    assert not {"tensorflow", "keras", "librosa", "scipy", "sklearn"} & {
        line.rpartition("|")[2].strip() for line in printed.stderr.splitlines()
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("a.wav", "--json", "--csv"), 2, "--json, --csv"),
        (("a.wav", "--model", "oracle"), 2, "pretrained"),
        (("a.wav", "--threshold", "2"), 2, "--threshold"),
        ((), 2, "FILE"),
        (("a.wav", "--model", "sklearn"), 1, "params.yaml"),
        (("a.wav", "--html", "nowhere/page.html"), 1, "nowhere"),
    ],
)
def test_wrong_use_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").touch()
    result = CliRunner().invoke(app, ["predict", *arguments])
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr + str(result.exception)


@pytest.mark.integration
@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_name_that_the_terminal_cannot_show_is_escaped(
    predict: "Command", music: Path, tmp_path: Path, encoding: str
) -> None:
    song = shutil.copy(music / "a.wav", tmp_path / "日本語.wav")
    result = predict(str(song), PYTHONIOENCODING=encoding)
    assert result.returncode == 0, result.stderr
    assert r"\u65e5\u672c\u8a9e.wav" in result.stdout


@pytest.mark.integration
def test_song_in_the_place_of_the_page_stays(predict: "Command", music: Path, tmp_path: Path) -> None:
    songs = [shutil.copy(music / "a.wav", tmp_path / name) for name in ("a.html", "b.wav")]
    for place in songs:
        ended = predict(*map(str, songs), "--html", str(place))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert Path(place).read_bytes() == (music / "a.wav").read_bytes()


@pytest.mark.integration
def test_name_of_a_page_that_is_too_long_is_told(predict: "Command", music: Path, tmp_path: Path) -> None:
    result = predict(str(music / "a.wav"), "--html", str(tmp_path / f"{'x' * 250}.html"))
    assert result.returncode == 1
    assert "too long" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.integration
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_do_no_harm(music: Path, closed: str, user_cache: Path) -> None:
    program = Path(sys.executable).with_name("songgenre")
    command = ["sh", "-c", f'exec "$0" predict --json "$1" {closed}', str(program), str(music / "a.wav")]
    environment = os.environ | {"XDG_CACHE_HOME": str(user_cache)}
    ended = subprocess.run(command, capture_output=True, text=True, cwd=music, env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ("genre" in ended.stdout) == ("1>&-" not in closed)


@pytest.mark.integration
def test_stopped_it_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("songgenre"), "predict", "-"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
        while not any(tmp_path.glob("*/standard input")):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
@pytest.mark.parametrize(("imported", "after_s"), [("typer", 0), ("joblib", 0.2), ("joblib", 0.6)])
def test_ctrl_c_while_processes_start_shows_no_traceback(
    music: Path, user_cache: Path, imported: str, after_s: float
) -> None:
    """Python tells what it imports; the worker processes start after joblib is imported."""
    with subprocess.Popen(
        [sys.executable, "-m", "songgenre", "predict", music],
        env=os.environ | {"XDG_CACHE_HOME": str(user_cache), "PYTHONPROFILEIMPORTTIME": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # SIGINT is ignored where tests run in the background
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as command:
        assert command.stderr is not None
        assert any(line.split("|")[-1].strip() == imported for line in iter(command.stderr.readline, ""))
        time.sleep(after_s)
        started = psutil.Process(command.pid).children(recursive=True)
        os.killpg(command.pid, signal.SIGINT)
        _, errors = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "Traceback" not in errors
    assert psutil.wait_procs(started, timeout=20)[1] == []


@pytest.mark.integration
def test_no_weights_and_no_way_to_get_them_is_told(run: "Command", music: Path, tmp_path: Path) -> None:
    ended = run("predict", str(music / "a.wav"), XDG_CACHE_HOME=str(tmp_path), PIP_NO_INDEX="1")
    assert ended.returncode == 1
    assert "pip download" in ended.stderr
    assert str(tmp_path / "songgenre" / "wheels" / musicnn_weights.MUSICNN.file) in "".join(ended.stderr.split("\n"))
    assert "Traceback" not in ended.stderr


@pytest.mark.integration
def test_new_clone_takes_the_wheel_that_setup_has_kept(
    run: "Command", music: Path, user_cache: Path, tmp_path: Path, answered: pd.DataFrame
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(user_cache / "songgenre" / "wheels", clone / "data" / "cache" / "wheels")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, clone)
    nowhere = {"XDG_CACHE_HOME": str(tmp_path / "none"), "PIP_NO_INDEX": "1"}
    ended = run("predict", str(music / "a.wav"), "--json", cwd=clone, **nowhere)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["probabilities"] == pytest.approx(probabilities(answered, "a.wav"), abs=1e-6)
    assert not (clone / "data" / "pretrained").exists()
    assert not (tmp_path / "none" / "songgenre").exists()


@pytest.mark.integration
def test_most_real_songs_are_right(predict: "Command", real_music: Path) -> None:
    """That all is connected; no measure, as the model was trained on these songs."""
    listing = pd.read_csv(real_music / "tracks.csv").groupby("genre").head(4)
    ended = predict("--json", *(str(real_music / file) for file in listing["file"]))
    assert ended.returncode == 0
    said = [json.loads(line)["genre"] for line in ended.stdout.splitlines()]
    assert (np.array(said) == listing["genre"].to_numpy()).mean() > 0.8


def test_help_teaches_by_example() -> None:
    for command in ("predict", "similar"):
        result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"})
        assert f"songgenre {command} song.mp3" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completes_commands_and_options(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

    def songgenre(*arguments: str, **variables: str) -> str:
        return CliRunner().invoke(app, arguments, prog_name="songgenre", env=variables).stdout

    assert "_SONGGENRE_COMPLETE" in songgenre("--show-completion", shell)
    words = {"bash": {"COMP_WORDS": "songgenre pre", "COMP_CWORD": "1"}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": "songgenre pre"}
    )
    completed = songgenre(**words, _SONGGENRE_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert "predict" in completed
    assert "pretrained" in completed
    assert "similar" not in completed


@pytest.mark.integration
def test_a_model_file_predicts_outside_a_project(predict: "Command", music: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.songgenre"
    archive.save_archive(archive.Archive("mine", head.load_head(), ""), file)
    songs = [str(music / "a.wav"), str(music / "deep" / "b.flac")]
    by_file, bundled = (
        [json.loads(line) for line in predict("--json", *options, *songs).stdout.splitlines()]
        for options in (["--model", str(file)], [])
    )
    assert len(by_file) == len(songs)
    assert by_file == [prediction | {"model": "mine"} for prediction in bundled]
