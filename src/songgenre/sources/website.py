"""A web site that describes its songs with schema.org markup, crawled with Scrapy.

The crawler is a process of its own, `songgenre.sources.spider`, because Scrapy cannot be started twice in one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from songgenre.errors import UserError
from songgenre.progress import echo, progress_bar
from songgenre.sources.base import Source, SourceInfo, Track

INFO = SourceInfo(
    name="site",
    description="Songs that a web site lists by genre, described with schema.org markup.",
    homepage="https://schema.org/MusicRecording",
    citation="",
    license="That of each song, as its page says.",
    terms=(
        "A site's terms of use come before everything here: many, Envato Elements among them, forbid automated "
        "collection, and what may be heard may not be kept or shared. The crawler obeys robots.txt, says who it is, "
        "and waits when asked to; whether you may crawl at all is for you to find out."
    ),
)


@dataclass(frozen=True)
class CrawlConfig:
    """What to crawl.

    Parameters
    ----------
    name : str
        Of the source.
    listing_urls : dict of str to list of str
        For each genre the addresses where its songs are listed.
    song_url_pattern, next_page_pattern : str
        Regular expressions for the addresses of song pages, and of a listing's next page where it is not marked as
        ``rel="next"``.
    audio_hosts : list of str
        Hosts besides those of the listings from which may be loaded.
    max_songs_per_genre : int
        The first so many of each genre.
    max_file_bytes, max_total_bytes : int
    concurrency : int
        Requests at once.
    autothrottle : bool
    timeout_s : float
        For one request.
    retries : int
        Of one request.
    folder : str
        Where to put the audio, and what is known; what is there from an earlier crawl is used.
    """

    name: str
    listing_urls: dict[str, list[str]]
    song_url_pattern: str
    next_page_pattern: str
    audio_hosts: list[str]
    max_songs_per_genre: int
    max_file_bytes: int
    max_total_bytes: int
    concurrency: int
    autothrottle: bool
    timeout_s: float
    retries: int
    folder: str

    @property
    def songs(self) -> Path:
        """Where the crawler writes what it knows of the songs, when all are done."""
        return Path(self.folder) / "songs.json"

    @property
    def journal(self) -> Path:
        """Where it writes what it read of each song, before it loads the audio."""
        return Path(self.folder) / "journal.jsonl"


@dataclass(frozen=True)
class Website(Source):
    """A web site as a source.

    Parameters
    ----------
    task : CrawlConfig
        What to crawl.
    about : SourceInfo
    """

    task: CrawlConfig
    about: SourceInfo = INFO

    def collect(self, audio: Path) -> list[Track]:
        """Crawl the site.

        What is loaded stays in the folder of the task until `cleanup`; so a crawl that was killed goes on where it
        stopped, and no audio is loaded twice.

        Parameters
        ----------
        audio : Path
            Existing folder for the audio.

        Returns
        -------
        list of Track
            In the order of the site's listings. A song whose page or audio could not be had is there with the reason.

        Raises
        ------
        UserError
            If a listing cannot be read, none of the songs can be had, or the crawler is ended.
        """
        folder = Path(self.task.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.task.songs.unlink(missing_ok=True)
        _crawl(self.task)
        songs = [_song(fields) for fields in json.loads(self.task.songs.read_text("utf-8"))]
        if not any(song.file for song in songs):
            first = songs[0]
            raise UserError(
                f"Expected songs from {self.task.name}, but none of the {len(songs)} that it lists could be had. "
                f"The first, {first.url}: {first.detail}."
            )
        for song in songs:
            if song.file:
                shutil.copyfile(folder / song.file, audio / song.file)
        return songs

    def cleanup(self) -> None:
        """Remove what was kept for the case that the crawl is ended."""
        shutil.rmtree(self.task.folder, ignore_errors=True)


def _crawl(task: CrawlConfig) -> None:
    log = Path(task.folder) / "crawl.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "songgenre.sources.spider"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as crawler,
    ):
        assert crawler.stdin
        assert crawler.stdout
        crawler.stdin.write(json.dumps(asdict(task)) + "\n")
        crawler.stdin.flush()
        messages = map(json.loads, crawler.stdout)
        total = next((message["total"] for message in _handle_messages(messages) if "total" in message), 0)
        for _ in progress_bar(_handle_messages(messages), f"collecting from {task.name}", total):
            pass
    if crawler.returncode:
        raise UserError(
            f"The crawler of {task.name} ended before its time (exit code {crawler.returncode}); {log} may say why. "
            "Run it again: it goes on where it stopped."
        )


def _handle_messages(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pass messages on; tell the user the notes among them, and raise the problems."""
    for message in messages:
        if "problem" in message:
            raise UserError(message["problem"])
        if "note" in message:
            echo(message["note"])
        else:
            yield message


def _song(fields: dict[str, Any]) -> Track:
    return Track(**fields | {"genres": tuple(fields["genres"])})
