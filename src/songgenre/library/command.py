"""The command ``songgenre tag``, from its arguments to its output."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from songgenre.errors import UserError
from songgenre.library.genre_tag import require_mutagen
from songgenre.library.journal import (
    JOURNAL,
    LOCK,
    UNDO_LOG,
    Journal,
    Stamp,
    Version,
    check_state,
    open_journal,
    read_stamp,
    state_folder,
)
from songgenre.library.jsonlines import JsonLines, Record
from songgenre.library.outputs import Outputs, is_sure
from songgenre.library.tagging import Change, Tagger, describe
from songgenre.predict import loading
from songgenre.predict.formatting import as_record, summary
from songgenre.predict.inference import SongPrediction, load_classifier, model_hash, predict_songs
from songgenre.predict.inputs import AudioInput
from songgenre.progress import echo, progress_bar
from songgenre.redaction import printable
from songgenre.sources.files import find_songs


class Failures:
    """Prints reasons to standard error and counts them."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, reason: str) -> None:
        """Print a reason.

        Parameters
        ----------
        reason : str
            What failed, for the user.
        """
        self.number += 1
        echo(printable(reason))


class ModelOptions(NamedTuple):
    """Model with which a library is predicted.

    Parameters
    ----------
    name : str
        Name of the model, see `songgenre.predict.loading.load_model`.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.
    skip_hash_check : bool
        Whether to load a model of the project even if its hash differs from ``dvc.lock``.
    """

    name: loading.Name
    threshold: float
    skip_hash_check: bool = False


def run(
    library: Path,
    model: ModelOptions,
    outputs: Outputs,
    journal_folder: Path | None = None,
    write_genre: bool = False,
    dry_run: bool = False,
    force: bool = False,
) -> bool:
    """Predict the new and changed songs of a library, then write what is asked for.

    Parameters
    ----------
    library : Path
        Folder of music.
    model : ModelOptions
        The model.
    outputs : Outputs
        Files to write.
    journal_folder : Path or None
        Folder of the journal and of the undo log; by default, one in the user's state.
    write_genre : bool
        Whether to write the genre into the tags of the songs that are neither unsure nor outside.
    dry_run : bool
        Whether to print the changes of tags without making them.
    force : bool
        Whether `outputs` replace any other file, too.

    Returns
    -------
    bool
        Whether every song has a prediction and every tag was written.

    Raises
    ------
    UserError
        If the library contains no song, the model is unavailable, its hash differs, an output cannot be written or
        would replace another file, or the journal is in use.
    """
    if write_genre:
        require_mutagen()
    if not model.skip_hash_check:
        loading.verify_models(model.name)
    genres = load_classifier(model.name).genres
    outputs.check(library, genres, force)
    folder = journal_folder or state_folder(library)
    failures = Failures()
    state = [folder / JOURNAL, folder / UNDO_LOG, folder / LOCK]
    if outputs.json and outputs.json.resolve() in map(Path.resolve, state):
        raise UserError(f"{outputs.json}: a file of the journal. Name another file.")
    files = _find_files(library, [*state, *filter(None, outputs)], failures)
    with open_journal(folder, library) as journal:
        _predict(library, files, model, journal, failures)

        def songs() -> Iterator[Record]:
            return (_song(journal, file, library, model.threshold) for file in files)

        _print_counts(songs())
        if write_genre:
            tagger = Tagger(library, journal, JsonLines(folder / UNDO_LOG), _print_change, failures, dry_run)
            for file, song in progress_bar(zip(files, songs(), strict=True), "genre tags", total=len(files)):
                if is_sure(song):
                    tagger.write(file, song["genre"])
        for path in outputs.write(songs, library, genres):
            echo(printable(f"Wrote {path.resolve()}"))
        return not failures.number and not any("reason" in song for song in songs())


def undo(library: Path, journal_folder: Path | None = None, dry_run: bool = False) -> bool:
    """Restore the genres that `run` replaced in the tags of a library.

    Parameters
    ----------
    library : Path
        Folder of music.
    journal_folder : Path or None
        As for `run`.
    dry_run : bool
        Whether to print the changes of tags without making them.

    Returns
    -------
    bool
        Whether every genre was restored.

    Raises
    ------
    UserError
        If no genre was written, or the journal is in use.
    """
    require_mutagen()
    folder = journal_folder or state_folder(library)
    check_state(folder)
    undo_log = JsonLines(folder / UNDO_LOG)
    if not any(undo_log):
        raise UserError(f"{library}: no genre was written, so there is nothing to undo. Check LIBRARY and --journal.")
    failures = Failures()
    with open_journal(folder, library) as journal:
        Tagger(library, journal, undo_log, _print_change, failures, dry_run).undo()
    return not failures.number


def _find_files(library: Path, own: Sequence[Path], fail: Callable[[str], None]) -> list[str]:
    """List the songs of a library, but none of the files that this program writes."""
    if not library.is_dir():
        raise UserError(f"{library}: not a folder. Name a folder of music.")
    found = find_songs(library, fail)
    if others := found.describe_others():
        echo(printable(f"{library}: {others}"))
    left_out = set(map(os.path.realpath, own))
    files = [path.relative_to(library).as_posix() for path in found.songs if os.path.realpath(path) not in left_out]
    if not files:
        raise UserError(f"{library}: contains no song. Name a folder of music.")
    return files


def _predict(
    library: Path, files: Sequence[str], model: ModelOptions, journal: Journal, fail: Callable[[str], None]
) -> None:
    """Predict the songs that are new or changed, and append each to the journal at once."""
    current_hash = model_hash(model.name)
    waiting: list[tuple[str, Version]] = []
    n_unchanged = 0
    for file in files:
        stamp, fault = _read_stamp(library / file)
        version = Version(stamp, current_hash)
        if fault:
            fail(f"{library / file}: {fault}")
        if journal.is_current(file, version):
            n_unchanged += 1
        elif fault:
            journal.append(file, version, {"reason": fault})
        else:
            waiting.append((file, version))
    echo(printable(f"{library}: {len(files)} songs, of which {n_unchanged} are unchanged"))
    start_s = time.monotonic()
    songs = [AudioInput(str(library / file), library / file) for file, _ in waiting]
    for (file, version), answer in zip(waiting, predict_songs(songs, model.name, isolate_single=True), strict=True):
        if isinstance(answer, SongPrediction):
            prediction = answer._replace(song=answer.song.with_tags())
            journal.append(file, version, as_record(prediction, model.threshold))
            _print(f"{prediction.song.label}: {summary(prediction, model.threshold)}")
        else:
            is_readable, _ = _read_stamp(answer.song.path)
            journal.append(file, version if is_readable else version._replace(stamp=None), {"reason": answer.reason})
            fail(f"{answer.song.title}: {answer.reason}")
    if waiting:
        seconds = time.monotonic() - start_s
        echo(f"{len(waiting)} songs in {seconds:.0f} s, {len(waiting) / seconds:.1f} songs a second")


def _read_stamp(path: Path) -> tuple[Stamp | None, str]:
    """Read the state of a file, or the reason why it cannot be read, with which it is not skipped in a later run."""
    try:
        return read_stamp(path), ""
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"


def _song(journal: Journal, file: str, library: Path, threshold: float) -> Record:
    """Read a song from the journal, with its absolute path; it is unsure by the threshold of this run."""
    song = {**journal.read(file), "file": str(library.absolute() / file)}
    return song if "reason" in song else {**song, "unsure": max(song["probabilities"].values()) < threshold}


def _print_counts(songs: Iterator[Record]) -> None:
    counts = Counter(_class(song) for song in songs)
    echo(", ".join(f"{name} {number}" for name, number in counts.most_common()))


def _class(song: Record) -> str:
    if "reason" in song:
        return "without a prediction"
    return str(song["genre"]) if is_sure(song) else "outside" if song["is_outside"] else "unsure"


def _print_change(change: Change) -> None:
    _print(f"{printable(change.file)}: {printable(describe(change))}")


def _print(line: str) -> None:
    """Print a line to standard output, above the progress bar if that is on the same terminal."""
    print(line, file=sys.stdout if not sys.stdout.isatty() else None, flush=True)
