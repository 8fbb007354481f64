"""How the crawler behaves towards a site, and what it does not let a site do: downloader middlewares of Scrapy."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Any, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.resolver import CachingThreadedResolver
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError

from songgenre.sources.download import parse_retry_after

MAX_WAIT_S = 300
"""A site that asks for more patience is not asked again."""


class AllowedHostsMiddleware:
    """Refuse every request, redirected ones too, that leaves the hosts of the site.

    The setting ``SITE_HOSTS`` lists them: ``host`` for its usual ports, or ``host:port``.
    """

    def __init__(self, hosts: list[str]) -> None:
        self.hosts = frozenset(hosts)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:  # noqa: D102
        return cls(crawler.settings.getlist("SITE_HOSTS"))

    def process_request(self, request: Request) -> None:
        """Let a request pass, or raise `IgnoreRequest`."""
        address = urlsplit(request.url)
        if address.scheme not in ("http", "https"):
            raise IgnoreRequest(f"{request.url} is no web address")
        if address.netloc not in self.hosts and not (
            netloc(request.url) in self.hosts and address.port in (None, 80, 443)
        ):
            raise IgnoreRequest(f"{request.url} is on none of the site's hosts ({', '.join(sorted(self.hosts))})")


def netloc(url: str) -> str:
    """The host of an address, with the port if that is unusual."""
    address = urlsplit(url)
    name = address.hostname or ""
    return name if address.port in (None, 80, 443) else f"{name}:{address.port}"


class PublicResolver(CachingThreadedResolver):
    """Find no addresses of this machine or its network behind a name: a site might send us there.

    Who means such a host writes ``localhost`` or the address itself.
    """

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred[str]:  # noqa: D102, N802
        return super().getHostByName(name, timeout).addCallback(require_public_address, name)


def require_public_address(address: str, name: str) -> str:
    """Pass on the address behind a name.

    Raises
    ------
    DNSLookupError
        If it is not one of the public internet, but the name is neither ``localhost`` nor the address itself.
    """
    if name not in ("localhost", address) and not ipaddress.ip_address(address).is_global:
        raise DNSLookupError(f"{name} is {address}, which is not a public address")
    return address


class RetryAfterMiddleware(RetryMiddleware):
    """Ask again after 1, 2, 4, ... seconds, or when the site says in ``Retry-After``, and till then leave it alone."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.not_before: dict[str, float] = {}

    async def process_request(self, request: Request) -> None:
        """Wait as long as the host has asked for."""
        while (wait_s := self.not_before.get(netloc(request.url), 0) - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """Try again where the status says that it may help."""
        wait_s = parse_retry_after((response.headers.get("Retry-After") or b"").decode("latin-1"))
        if wait_s is not None and wait_s > MAX_WAIT_S:
            return response
        answer = super().process_response(request, response)
        if isinstance(answer, Request):
            if wait_s is not None:
                self.not_before[netloc(request.url)] = time.monotonic() + wait_s
            await asyncio.sleep(wait_s if wait_s is not None else backoff_seconds(request))
        return answer

    async def process_exception(self, request: Request, exception: Exception) -> Request | Response | None:  # type: ignore[override]
        """Try again after a failed connection."""
        answer = super().process_exception(request, exception)
        if isinstance(answer, Request):
            await asyncio.sleep(backoff_seconds(request))
        return answer


def backoff_seconds(request: Request) -> float:
    """Seconds to wait before a request is repeated."""
    return min(2.0 ** request.meta.get("retry_times", 0), MAX_WAIT_S)
