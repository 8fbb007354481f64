"""Proxies that environment variables name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from songgenre.errors import UserError
from songgenre.predict import inputs
from songgenre.sources.download import check_proxies
from songgenre.sources.website import CrawlConfig, Website

ODD = ["socks5://127.0.0.1:9", "socks4://x", "ftp://x", "://///", "http://", "http://[::", "http://a:99999", "a:b:c"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("url", ODD)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy_that_cannot_be_used_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(UserError) as error:
        inputs.download("https://example.org/song.mp3", tmp_path / "song")
    assert f"{name.upper()}={url}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["http://proxy:8080", "proxy:8080", "https://user:word@10.0.0.1/", "http://[::1]:3128", ""]
)
def test_http_proxy_is_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, url)
    check_proxies()


def test_password_of_a_proxy_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:word@proxy")
    with pytest.raises(UserError) as error:
        check_proxies()
    assert "word" not in str(error.value)


def test_prediction_asks_a_proxy_for_other_hosts_alone(
    monkeypatch: pytest.MonkeyPatch, site: Any, open_site: Callable[..., Any], tmp_path: Path
) -> None:
    site.file("/song.mp3", b"la la")
    with open_site() as proxy:
        proxy.file("http://shop.test/song.mp3", b"lo lo")
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        inputs.download(f"{site.url}/song.mp3", tmp_path / "here")
        inputs.download("http://shop.test/song.mp3", tmp_path / "there")
        assert list(proxy.counts()) == ["http://shop.test/song.mp3"]
    assert [(tmp_path / name).read_bytes() for name in ("here", "there")] == [b"la la", b"lo lo"]


@pytest.mark.integration
def test_crawl_of_this_machine_asks_no_proxy(
    monkeypatch: pytest.MonkeyPatch, site: Any, task: Callable[..., CrawlConfig], tmp_path: Path, audio: Path
) -> None:
    site.song("one", content=b"la la")
    site.listing("/rock", "one")
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    [song] = Website(task(site, tmp_path / "kept")).collect(audio)
    assert song.file


@pytest.mark.slow
def test_crawl_of_another_host_names_a_proxy_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, site: Any, task: Callable[..., CrawlConfig], tmp_path: Path, audio: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:9")
    elsewhere = task(site, tmp_path / "kept", listing_urls={"rock": ["http://shop.test/rock"]}, retries=0)
    with pytest.raises(UserError, match=r"HTTP_PROXY=socks5://127\.0\.0\.1:9"):
        Website(elsewhere).collect(audio)
