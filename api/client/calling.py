"""How the client calls: the token in the header, waits as the server asks, pages walked, failures as exceptions.

A call that changes something carries an ``Idempotency-Key`` where the API takes one, so trying again after a lost
answer does nothing twice. No redirect is followed, and a token does not cross a network readable.
"""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Final

import httpx

from api.client.errors import NotOurs, Unreachable, Untrusted, error_of
from api.client.generated import Operations

PREFIX: Final = "/api/v1"
TRIES: Final = 4
LONGEST_WAIT: Final = 60.0
"""Seconds, of one wait; who is asked to wait longer is told."""
_TOO_MANY: Final = 429
"""Nothing was done."""
_UNAVAILABLE: Final = 503
_OURS: Final = "TG"
"""How our codes begin."""
IDEMPOTENCY: Final = "Idempotency-Key"


class Client(Operations):
    """One server. ``client.exceptions.list_exceptions()`` and so on; use it with ``with``, from one thread at a time.

    Raises ``ValueError`` for what is no address or no token, and for an address that would carry the token readable,
    unless ``plain`` says that this is meant.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 60.0,
        plain: bool = False,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL as exc:
            raise ValueError(f"the address of the API: {exc}") from exc
        if not is_token(token):
            raise ValueError("the token holds what no token has")
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError("the address of the API: http or https and a host, as in https://tokgate.example.org")
        if parts.scheme == "http" and not plain and not _is_loopback(parts.host):
            raise ValueError(f"http to {parts.host} would carry the token readable: use https")
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "tokgate-client/1"}
        self._http = httpx.Client(
            base_url=url.rstrip("/").removesuffix(PREFIX),
            headers=headers,
            timeout=timeout,
            verify=ssl.create_default_context(),
            trust_env=False,
            transport=transport,
        )
        self._sleep = sleep
        super().__init__(self.call, self.pages)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: object = None,
    ) -> Any:
        """What a route below ``/api/v1`` answers, as JSON. Raises ``ApiError``."""
        return _json(self._answered(method, path, query=query, headers=headers, body=body))

    def text(self, path: str, *, query: Mapping[str, Any] | None = None) -> str:
        """What a route answers that is no JSON: a report as a page, a week as a picture. Raises ``ApiError``."""
        return self._answered("GET", path, query=query).text

    def content(self, path: str, *, query: Mapping[str, Any] | None = None) -> bytes:
        """The same as it came: a report as PDF. Raises ``ApiError``."""
        return self._answered("GET", path, query=query).content

    def _answered(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: object = None,
    ) -> httpx.Response:
        """The good answer, after as many tries as it took."""
        said = {name: value for name, value in (headers or {}).items() if value is not None}
        if headers is not None and IDEMPOTENCY in headers:
            said.setdefault(IDEMPOTENCY, uuid.uuid4().hex)
        asked: list[tuple[str, str | int | float | bool | None]] = [
            pair for name, value in (query or {}).items() for pair in _words(name, value)
        ]
        safe = method == "GET" or IDEMPOTENCY in said
        for tries in range(TRIES):
            last = tries == TRIES - 1
            try:
                answer = self._http.request(
                    method, PREFIX + path, params=httpx.QueryParams(asked), headers=said, json=body
                )
            except httpx.DecodingError as exc:
                raise NotOurs({"detail": f"the answer cannot be read: {_why(exc)}"}) from exc
            except httpx.TransportError as exc:
                if _is_untrusted(exc):
                    raise Untrusted({"detail": f"{self._http.base_url}: {_why(exc)}"}) from exc
                if safe and not last:
                    self._sleep(2.0**tries)
                    continue
                raise Unreachable({"detail": f"no answer from {self._http.base_url}: {_why(exc)}"}) from exc
            if answer.is_success:
                return answer
            wait = _asked_to_wait(answer, tries)
            may = answer.status_code == _TOO_MANY or (answer.status_code == _UNAVAILABLE and safe)
            if not may or last or wait > LONGEST_WAIT:
                raise error_of(_problem(answer))
            self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    def pages(self, path: str, *, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Everything that a list holds, page by page."""
        cursor: str | None = None
        while True:
            page = self.call("GET", path, query={**(query or {}), "cursor": cursor})
            if not isinstance(page, dict) or not {"items", "next_cursor"} <= page.keys():
                raise NotOurs({"detail": "the answer is no list of tokgate's"})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def is_token(text: str) -> bool:
    """Whether it can be one: what a header cannot carry would be repeated in an error."""
    return text.isascii() and text.isprintable() and text != "" and " " not in text


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _words(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """None is left out."""
    match value:
        case None:
            return
        case bool():
            yield name, str(value).lower()
        case list() | tuple():
            yield from ((name, str(one)) for one in value)
        case _:
            yield name, str(value)


def _asked_to_wait(answer: httpx.Response, tries: int) -> float:
    said = answer.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else 2.0**tries


def _json(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as exc:
        raise NotOurs({"status": answer.status_code, "detail": "the answer is no JSON: is this a tokgate?"}) from exc


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    """What the server says of a failure; of an answer that is none of ours, its status."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    said = answer.headers.get("retry-after", "")
    wait = {"retry_after": float(said)} if said.isascii() and said.isdigit() else {}
    if isinstance(found, dict) and str(found.get("code", "")).startswith(_OURS):
        return {**found, **wait}
    detail = f"answered {answer.status_code} {answer.reason_phrase}, and not as tokgate does"
    return {"status": answer.status_code, "detail": detail, **wait}


def _is_untrusted(exc: BaseException | None) -> bool:
    """Whether it comes of a certificate that was not accepted: trying again changes nothing."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _why(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
