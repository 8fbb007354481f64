"""The command ``songgenre predict``, from its arguments to its output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from songgenre.atomic import GENERATOR, check_output_file
from songgenre.errors import UserError
from songgenre.predict import formatting, inputs, loading
from songgenre.predict.inference import SongPrediction, predict_songs
from songgenre.progress import echo
from songgenre.redaction import printable
from songgenre.runtime.temporary import temporary_folder

Form = Literal["text", "json", "csv"]


def run(
    sources: Sequence[str],
    name: loading.Name,
    threshold: float,
    form: Form,
    html: Path | None,
    skip_hash_check: bool = False,
    with_tags: bool = False,
    force: bool = False,
) -> bool:
    """Predict songs and print each result at once; print the reason of each skipped song to standard error.

    Parameters
    ----------
    sources : sequence of str
        Files, folders, web addresses or ``-``, see `songgenre.predict.inputs.resolve`.
    name : str
        Name of the model, see `songgenre.predict.loading.load_model`.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.
    form : str
        Format of the output: ``"text"``, ``"json"`` or ``"csv"``.
    html : Path or None
        HTML page to write besides.
    skip_hash_check : bool
        Whether to load a model of the project even if its hash differs from ``dvc.lock``.
    with_tags : bool
        Whether the text lists the most probable tags of each window.
    force : bool
        Whether the page may replace a file that is not such a page.

    Returns
    -------
    bool
        Whether every song was predicted.

    Raises
    ------
    UserError
        If the model is unavailable, its hash differs, or the page cannot be written.
    """
    if html:
        check_output_file(html, ".html", GENERATOR, force)
    if not skip_hash_check:
        loading.verify_models(name)
    failures: list[str] = []
    predicted: list[SongPrediction] = []

    def fail(reason: str) -> None:
        failures.append(reason)
        echo(printable(reason))

    with temporary_folder() as temporary:
        audio_inputs = list(_resolve(sources, temporary, fail))
        lines = _lines(_predictions(audio_inputs, name, predicted if html else None, fail), threshold, form, with_tags)
        for_reader = sys.stdout if not sys.stdout.isatty() else None
        for line in lines:
            print(line, file=for_reader, flush=True)
        if html and predicted:
            from songgenre.predict import page

            page.write(predicted, threshold, html)
            echo(f"Wrote {html.resolve()}")
    return not failures


def _resolve(sources: Sequence[str], folder: Path, fail: Callable[[str], None]) -> Iterator[inputs.AudioInput]:
    for source in sources:
        try:
            yield from inputs.resolve(source, folder)
        except UserError as error:
            fail(str(error))


def _predictions(
    audio_inputs: Sequence[inputs.AudioInput],
    name: loading.Name,
    predicted: list[SongPrediction] | None,
    fail: Callable[[str], None],
) -> Iterator[SongPrediction]:
    """Yield the predictions, and append each to `predicted` unless that is None, as thousands of them fill memory."""
    for answer in predict_songs(audio_inputs, name):
        if isinstance(answer, SongPrediction):
            answer = answer._replace(song=answer.song.with_tags())
            if predicted is not None:
                predicted.append(answer)
            yield answer
        else:
            fail(f"{answer.song.title}: {answer.reason}")


def _lines(predictions: Iterable[SongPrediction], threshold: float, form: Form, with_tags: bool) -> Iterator[str]:
    if form == "csv":
        yield from formatting.as_csv(predictions, threshold)
    elif form == "json":
        yield from (formatting.as_json(prediction, threshold) for prediction in predictions)
    else:
        console = Console(highlight=False)
        for prediction in predictions:
            with console.capture() as captured:
                text = formatting.render_song(prediction, threshold, with_tags)
                console.print(text, soft_wrap=not console.is_terminal)
            yield captured.get()
