"""Make the source that the parameters name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from songgenre.params import LOCAL, Compute
from songgenre.paths import Project
from songgenre.sources.base import Source
from songgenre.sources.demo import Demo
from songgenre.sources.fma import Fma
from songgenre.sources.folder import Folder
from songgenre.sources.website import CrawlConfig, Website

MB = 1_000_000


def make_source(
    project: Project,
    source: str,
    folder: str,
    genre_from: str,
    demo: Mapping[str, Any],
    fma: Mapping[str, Any],
    site: Mapping[str, Any],
    crawl: Mapping[str, Any],
    compute: Compute = LOCAL,
    crawls: Path | None = None,
) -> Source:
    """Make the source that ``scraping.source`` names.

    Parameters
    ----------
    project : Project
        The project; its origin is the base of relative folders.
    source : {"demo", "folder", "fma", "site"}
        ``scraping.source`` in ``params.yaml``.
    folder : str
        ``scraping.folder``; ``~`` stands for the home folder.
    genre_from : {"folder", "tags"}
        ``scraping.genre_from``.
    demo, fma, site, crawl : mapping
        Sections of ``scraping``.
    compute : Compute
        Section ``compute`` of ``params.yaml``, which says where files are copied.
    crawls : Path, optional
        Folder for the files with which an interrupted crawl is resumed; that of the project by default.

    Returns
    -------
    Source
        The source, which has not collected anything yet.
    """
    crawls = crawls or project.downloads
    connection = {name: crawl[name] for name in ("timeout_s", "retries")}
    match source:
        case "demo":
            resumable = crawls / "-".join(["demo", *map(str, demo.values())])
            return Demo(**demo, **connection, concurrency=crawl["concurrency"], folder=resumable)
        case "fma":
            downloaded = project.origin / Path(folder).expanduser() if folder else None
            return Fma(
                **fma,
                **connection,
                folder=downloaded,
                downloads=project.downloads,
                max_file_mb=crawl["max_file_mb"],
                compute=compute,
            )
        case "site":
            task = CrawlConfig(
                **site,
                **connection,
                max_songs_per_genre=crawl["max_songs_per_genre"],
                max_file_bytes=round(crawl["max_file_mb"] * MB),
                max_total_bytes=round(crawl["max_total_mb"] * MB),
                concurrency=crawl["concurrency"],
                autothrottle=crawl["autothrottle"],
                folder=str(crawls / site["name"]),
            )
            return Website(task)
    return Folder(project.origin / Path(folder).expanduser(), genre_from)
