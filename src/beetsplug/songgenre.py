"""Plugin of beets that sets the genre of songs to the prediction of songgenre, where that is sure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from optparse import Values
from pathlib import Path

from beets.exceptions import UserError as BeetsError
from beets.importer import ImportSession, ImportTask
from beets.library import Item, Library
from beets.plugins import BeetsPlugin
from beets.ui import Subcommand, should_write

from songgenre.errors import UserError
from songgenre.predict.inference import SkippedSong, predict_songs
from songgenre.predict.inputs import AudioInput


class SonggenrePlugin(BeetsPlugin):
    """Adds the command ``beet songgenre``, and predicts new songs at import if ``auto`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"auto": False, "model": "pretrained", "threshold": 0.5})
        if self.config["auto"].get(bool):
            self.import_stages = [self.predict_imported]

    def commands(self) -> list[Subcommand]:
        """List the commands of the plugin."""
        command = Subcommand("songgenre", help="set genres to the predictions of songgenre")
        command.func = self.predict_queried
        return [command]

    def predict_queried(self, library: Library, options: Values, query: Sequence[str]) -> None:
        """Predict the songs that match a query, and write their tags as ``import.write`` says."""
        self._predict(list(library.items(query)))

    def predict_imported(self, session: ImportSession, task: ImportTask) -> None:
        """Predict the songs of an import, whose tags beets writes."""
        self._predict(list(task.imported_items()))

    def _predict(self, items: Sequence[Item]) -> None:
        try:
            self._set_genres(items)
        except UserError as error:
            raise BeetsError(str(error)) from None

    def _set_genres(self, items: Sequence[Item]) -> None:
        songs = [AudioInput(os.fsdecode(item.path), Path(os.fsdecode(item.path))) for item in items]
        for item, answer in zip(items, predict_songs(songs, self.config["model"].as_str()), strict=True):
            if isinstance(answer, SkippedSong):
                self._log.warning("{}: {}", answer.song.title, answer.reason)
            elif not answer.is_outside and not answer.is_unsure(self.config["threshold"].as_number()):
                item.genres = [answer.genre]
                item.store()
                if should_write():
                    item.try_write()
