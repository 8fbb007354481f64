"""Scrapy downloader middlewares: hosts, public addresses, proxies, robots.txt, ``Retry-After`` and size of headers."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.httpproxy import HttpProxyMiddleware
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.resolver import CachingThreadedResolver
from scrapy.robotstxt import RobotParser
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.web._newclient import HTTPClientParser

from songgenre.errors import UserError
from songgenre.sources.download import check_proxies, is_loopback, parse_retry_after

MAX_HEADER_BYTES = 65_536
"""Largest headers of a response in bytes."""
MAX_WAIT_S = 300
"""Longest wait in s; a request for which a site asks for more is given up."""


class AllowedHostsMiddleware:
    """Refuse requests and redirects to hosts outside the site.

    Parameters
    ----------
    hosts : list of str
        Setting ``SITE_HOSTS``: ``host`` for the default ports, or ``host:port``.
    """

    def __init__(self, hosts: list[str]) -> None:
        self.hosts = frozenset(hosts)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware from the settings of a crawler.

        Parameters
        ----------
        crawler : scrapy.crawler.Crawler
            The crawler.

        Returns
        -------
        AllowedHostsMiddleware
            The middleware.
        """
        return cls(crawler.settings.getlist("SITE_HOSTS"))

    def process_request(self, request: Request) -> None:
        """Check the host of a request.

        Parameters
        ----------
        request : scrapy.Request
            Request or redirect.

        Raises
        ------
        scrapy.exceptions.IgnoreRequest
            If the host is not one of the site.
        """
        address = urlsplit(request.url)
        if address.scheme not in ("http", "https"):
            raise IgnoreRequest(f"{request.url} is not a web address")
        if address.netloc not in self.hosts and not (
            netloc(request.url) in self.hosts and address.port in (None, 80, 443)
        ):
            hosts = ", ".join(sorted(self.hosts))
            raise IgnoreRequest(
                f"{request.url} is not on the hosts of the site ({hosts}); see scraping.site.audio_hosts"
            )


def netloc(url: str) -> str:
    """Return the host of an address.

    Parameters
    ----------
    url : str
        Web address.

    Returns
    -------
    str
        Host, followed by the port unless it is a default port.

    Examples
    --------
    >>> netloc("https://shop.example:443/rock"), netloc("http://localhost:8080/")
    ('shop.example', 'localhost:8080')
    """
    address = urlsplit(url)
    name = address.hostname or ""
    return name if address.port in (None, 80, 443) else f"{name}:{address.port}"


class PublicResolver(CachingThreadedResolver):
    """Refuse host names that resolve to private addresses (SSRF guard).

    ``localhost`` and literal addresses are allowed.
    """

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred[str]:  # noqa: N802
        """Resolve a host name.

        Parameters
        ----------
        name : str
            Host name or address.
        timeout : sequence of float
            Timeouts in s.

        Returns
        -------
        twisted.internet.defer.Deferred
            The address, or an error if it is private.
        """
        return super().getHostByName(name, timeout).addCallback(require_public_address, name)


def require_public_address(address: str, name: str) -> str:
    """Check that a host name resolves to a public address.

    Parameters
    ----------
    address : str
        IP address of the name.
    name : str
        Host name, ``localhost`` or a literal address.

    Returns
    -------
    str
        `address`.

    Raises
    ------
    twisted.internet.error.DNSLookupError
        If the address is private, and the name is neither ``localhost`` nor the address itself.
    """
    if name not in ("localhost", address) and not ipaddress.ip_address(address).is_global:
        raise DNSLookupError(f"{name} is {address}, which is not a public address")
    return address


class ProxyMiddleware(HttpProxyMiddleware):
    """Use the proxy that environment variables name, but not for this machine, which a proxy cannot reach."""

    def process_request(self, request: Request) -> None:  # type: ignore[override]
        """Choose the proxy of a request.

        Parameters
        ----------
        request : scrapy.Request
            The request.

        Raises
        ------
        scrapy.exceptions.IgnoreRequest
            If the proxy is not usable.
        """
        if is_loopback(urlsplit(request.url).hostname or ""):
            request.meta["proxy"] = None
        else:
            try:
                check_proxies()
            except UserError as error:
                raise IgnoreRequest(str(error)) from None
        super().process_request(request)


class RobotsMiddleware(RobotsTxtMiddleware):
    """Obey robots.txt; as long as it cannot be read, nothing is allowed (RFC 9309, section 2.3.1.4)."""

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise IgnoreRequest(f"HTTP {response.status}")
        await super()._parse_robots(response, netloc, request)

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        why = "too large" if "DOWNLOAD_MAXSIZE" in str(exc) else str(exc) or type(exc).__name__
        unreadable = _UnreadableRobots(f"{netloc}/robots.txt cannot be read ({why}), so nothing there may be read")
        waiting = self._parsers[netloc]
        assert isinstance(waiting, Deferred)
        self._parsers[netloc] = unreadable
        waiting.callback(unreadable)


class _UnreadableRobots(RobotParser):
    """Rules of a host whose robots.txt cannot be read."""

    def __init__(self, why: str) -> None:
        self.why = why

    @classmethod
    def from_crawler(cls, crawler: Crawler, robotstxt_body: bytes) -> Self:
        return cls(robotstxt_body.decode())

    def allowed(self, url: str | bytes, user_agent: str | bytes) -> bool:
        raise IgnoreRequest(self.why)


def limit_headers() -> None:
    """Let Twisted, which has no limit, give up a response whose headers are larger than `MAX_HEADER_BYTES`."""
    receive = HTTPClientParser.dataReceived

    def receive_within_limit(parser: Any, data: bytes) -> None:
        receive(parser, data)  # type: ignore[no-untyped-call]
        if parser.line_mode:  # the headers go on
            parser.header_bytes = getattr(parser, "header_bytes", 0) + len(data)
            if parser.header_bytes > MAX_HEADER_BYTES:
                raise ValueError(f"headers larger than {MAX_HEADER_BYTES} bytes")

    HTTPClientParser.dataReceived = receive_within_limit  # type: ignore[method-assign]


class RetryAfterMiddleware(RetryMiddleware):
    """Retry after 1, 2, 4, ... s or as ``Retry-After`` asks; hold back other requests to the host until then.

    Parameters
    ----------
    settings : scrapy.settings.BaseSettings
        Settings of the crawler.
    """

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.not_before: dict[str, float] = {}

    async def process_request(self, request: Request) -> None:
        """Wait as long as the host has asked for.

        Parameters
        ----------
        request : scrapy.Request
            Request to the host.
        """
        while (wait_s := self.not_before.get(netloc(request.url), 0) - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """Retry a request if the status of its response allows it.

        Parameters
        ----------
        request : scrapy.Request
            The request.
        response : scrapy.http.Response
            Its response.

        Returns
        -------
        scrapy.Request or scrapy.http.Response
            Request to repeat, or the response.
        """
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
        """Retry a request after a failed connection.

        Parameters
        ----------
        request : scrapy.Request
            The request.
        exception : Exception
            Its failure.

        Returns
        -------
        scrapy.Request, scrapy.http.Response or None
            Request to repeat; None without further retries.
        """
        answer = super().process_exception(request, exception)
        if isinstance(answer, Request):
            await asyncio.sleep(backoff_seconds(request))
        return answer


def backoff_seconds(request: Request) -> float:
    """Compute the wait before a request is repeated.

    Parameters
    ----------
    request : scrapy.Request
        Request with the number of earlier retries.

    Returns
    -------
    float
        Wait in s.
    """
    return min(2.0 ** request.meta.get("retry_times", 0), MAX_WAIT_S)
