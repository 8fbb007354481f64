"""The plugin of beets, run by beets."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from songgenre.audio.tags import read_tags
from songgenre.errors import UserError
from songgenre.models import musicnn_weights
from songgenre.predict.inference import SongPrediction, predict_song
from songgenre.predict.inputs import AudioInput

ROOT = Path(__file__).parents[2]
pytest.importorskip("beets")


@pytest.mark.integration
def test_imported_song_gets_its_genre_and_a_query_another_model(
    tmp_path: Path,
    write_audio: Callable[..., Path],
    melody: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        musicnn_weights.download_wheel(ROOT / "data" / "cache" / "wheels")
    except UserError as error:
        pytest.skip(f"No published weights: {error}")
    monkeypatch.chdir(ROOT)
    song = write_audio(tmp_path / "music" / "song.flac", melody(7, 3))
    prediction = predict_song(AudioInput("song.flac", song), "pretrained")
    assert isinstance(prediction, SongPrediction)
    assert not prediction.is_outside
    (tmp_path / "config.yaml").write_text(
        f"library: {tmp_path}/library.db\nplugins: songgenre\nimport: {{copy: no}}\n"
        "songgenre: {auto: yes, threshold: 0}\n"
    )

    def beet(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"BEETSDIR": str(tmp_path)}
        command = [Path(sys.executable).with_name("beet"), *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    imported = beet("import", "--noautotag", "--quiet", str(song.parent))
    assert imported.returncode == 0, imported.stderr
    assert beet("ls", "--format", "$genres").stdout.strip() == prediction.genre
    assert read_tags(song).genre == prediction.genre
    (tmp_path / "config.yaml").write_text(
        f"library: {tmp_path}/library.db\nplugins: songgenre\nsonggenre: {{model: x.songgenre}}\n"
    )
    refused = beet("songgenre")
    assert refused.returncode == 1
    assert "x.songgenre" in refused.stderr
    assert "Traceback" not in refused.stderr
