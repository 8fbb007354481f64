"""Demo source: the record shop of invented music, served on this machine and crawled like any other web site."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from songgenre.demo.corpus import plan_corpus
from songgenre.demo.genres import GENRES
from songgenre.demo.server import HOST, Shop, running_server
from songgenre.sources.base import Source, SourceInfo, Track
from songgenre.sources.website import CrawlConfig, Website

INFO = SourceInfo(
    name="demo",
    description=(
        "A record shop of invented music: each song is composed by rules for its genre and habits of its artist, and "
        "played by a General MIDI synthesizer."
    ),
    homepage="songgenre demo serve",
    citation="",
    license="CC0 1.0",
    terms="None. Accuracy on these songs predicts nothing about real music.",
)


@dataclass(frozen=True)
class Demo(Source):
    """The record shop as a source.

    Parameters
    ----------
    songs_per_genre, artists_per_genre, seed : int
        Size and seed of the corpus, see `songgenre.demo.corpus.plan_corpus`.
    concurrency : int
        Number of simultaneous requests.
    timeout_s : float
        Timeout of a request in s.
    retries : int
        Retries of a request.
    folder : Path
        Folder for composed and downloaded files until `cleanup`, so that an interrupted crawl can be resumed.
    about : SourceInfo
        Description of the source.
    """

    songs_per_genre: int
    artists_per_genre: int
    seed: int
    concurrency: int
    timeout_s: float
    retries: int
    folder: Path
    about: SourceInfo = INFO

    def collect(self, audio: Path) -> list[Track]:
        """Open the shop and crawl it.

        Parameters
        ----------
        audio : Path
            Existing folder for the audio.

        Returns
        -------
        list of Track
            All songs, without addresses, because the port of the shop changes.

        Raises
        ------
        UserError
            If there are more artists than songs or names.
        """
        recordings = plan_corpus(self.songs_per_genre, self.artists_per_genre, self.seed)
        stock = self.folder / "stock"
        stock.mkdir(parents=True, exist_ok=True)
        with running_server(recordings, stock) as shop:
            task = CrawlConfig(
                name="demo",
                listing_urls={genre: [f"{shop}/genre/{genre}"] for genre in GENRES},
                song_url_pattern=f"^{re.escape(shop)}/song/",
                next_page_pattern=r"[?]page=\d+$",
                audio_hosts=[],
                max_songs_per_genre=len(recordings),
                max_file_bytes=10_000_000,
                max_total_bytes=10_000_000 * len(recordings),
                concurrency=self.concurrency,
                autothrottle=False,
                timeout_s=self.timeout_s,
                retries=self.retries,
                folder=str(self.folder),
            )
            songs = Website(task).collect(audio)
        return [replace(song, url=None, detail=song.detail and song.detail.replace(shop, "")) for song in songs]

    def page(self, source_id: str) -> str:
        """Return the page of a song in the shop, without the port, which changes.

        Parameters
        ----------
        source_id : str
            Path of the page.

        Returns
        -------
        str
            HTML.
        """
        shop = Shop(plan_corpus(self.songs_per_genre, self.artists_per_genre, self.seed), self.folder)
        return shop.render_song(f"{source_id.removeprefix('/song/')}.mp3", f"http://{HOST}")

    def cleanup(self) -> None:
        """Remove the files with which an interrupted crawl could be resumed."""
        shutil.rmtree(self.folder, ignore_errors=True)
