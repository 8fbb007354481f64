"""Web site source: a site that describes its songs with schema.org markup, crawled with Scrapy.

The crawler, `songgenre.sources.spider`, runs in its own process, because Scrapy starts only once in a process.
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
    license="That of each song, in the markup of its page.",
    terms=(
        "Read the site's terms of use first. Many sites, including Envato Elements, forbid automated collection, and "
        "permission to listen to a song is not permission to keep or share it. The crawler obeys robots.txt, "
        "identifies itself, and waits when the site asks it to; you must find out whether you may crawl the site."
    ),
)


@dataclass(frozen=True)
class CrawlConfig:
    """Configuration of a crawl.

    Parameters
    ----------
    name : str
        Name of the source.
    listing_urls : dict of str to list of str
        For each genre, addresses of the pages that list its songs.
    song_url_pattern, next_page_pattern : str
        Regular expressions for the addresses of song pages, and of a listing's next page if it is not marked as
        ``rel="next"``.
    audio_hosts : list of str
        Allowed hosts in addition to those of the listings.
    max_songs_per_genre : int
        Number of songs to collect of each genre.
    max_file_bytes, max_total_bytes : int
        Largest audio file, and largest total size of audio, in bytes.
    concurrency : int
        Number of simultaneous requests.
    autothrottle : bool
        Whether to wait longer between requests when the site responds more slowly.
    timeout_s : float
        Timeout of a request in s.
    retries : int
        Retries of a request.
    folder : str
        Folder for audio and metadata; an earlier crawl in it is resumed.
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
        """File of all songs, which the crawler writes at the end."""
        return Path(self.folder) / "songs.json"

    @property
    def journal(self) -> Path:
        """File of the metadata of each song, which the crawler writes before it requests the audio."""
        return Path(self.folder) / "journal.jsonl"


@dataclass(frozen=True)
class Website(Source):
    """A web site as a source.

    Parameters
    ----------
    task : CrawlConfig
        What to crawl.
    about : SourceInfo
        Description of the source.
    """

    task: CrawlConfig
    about: SourceInfo = INFO

    def collect(self, audio: Path) -> list[Track]:
        """Crawl the site.

        Downloaded files stay in the folder of the task until `cleanup`, so a killed crawl resumes and downloads no
        audio twice.

        Parameters
        ----------
        audio : Path
            Existing folder for the audio.

        Returns
        -------
        list of Track
            All songs, in the order of the listings; those whose page or audio could not be collected have a reason.

        Raises
        ------
        UserError
            If a listing cannot be read, no song can be collected, or the crawler is killed.
        """
        folder = Path(self.task.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.task.songs.unlink(missing_ok=True)
        _crawl(self.task)
        songs = [_song(fields) for fields in json.loads(self.task.songs.read_text("utf-8"))]
        if not any(song.file for song in songs):
            first = songs[0]
            raise UserError(
                f"{self.task.name}: none of the {len(songs)} listed songs could be collected. "
                f"The first one, {first.url}: {first.detail}."
            )
        for song in songs:
            if song.file:
                shutil.copyfile(folder / song.file, audio / song.file)
        return songs

    def cleanup(self) -> None:
        """Remove the files with which an interrupted crawl could be resumed."""
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
            f"{task.name}: the crawler was stopped (exit code {crawler.returncode}); {log} may show the reason. "
            "Run the command again to resume."
        )


def _handle_messages(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Print notes, raise problems, and yield all other messages."""
    for message in messages:
        if "problem" in message:
            raise UserError(message["problem"])
        if "note" in message:
            echo(message["note"])
        else:
            yield message


def _song(fields: dict[str, Any]) -> Track:
    return Track(**fields | {"genres": tuple(fields["genres"])})
