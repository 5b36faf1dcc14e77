"""What NetBox and Nautobot have in common: a session that asks each page once, within a time, of one server only.

The clients follow the ``next`` of each page by themselves, wherever it points and however often; the token goes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from controller.inventory.importing.errors import SourceFailed
from core.secret import SecretRef

TIMEOUT_SECONDS: Final = 30.0
MAX_PAGES: Final = 20_000
PAGE: Final = 200
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_T = TypeVar("_T")


def session_for(url: str, ca_file: str | None) -> Any:
    """A session of requests for one server. Raises ``SourceFailed``: not https, or the package is not there."""
    try:
        import requests
    except ImportError as exc:
        raise missing("requests") from exc
    origin = urlsplit(url)
    if origin.username or origin.password:
        raise SourceFailed("the address holds a password", hint="give the token with --token secret://…")
    if origin.scheme != "https" and not (origin.scheme == "http" and origin.hostname in LOOPBACK):
        raise SourceFailed("the address must begin with https://", hint="a token is sent there")

    class Once(requests.Session):
        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            place = requests.Request("GET", str(url), params=kwargs.get("params")).prepare().url or ""
            if urlsplit(place)[:2] != origin[:2]:
                raise SourceFailed("a page points to another server", hint="see the server's own address of itself")
            if place in seen or len(seen) >= MAX_PAGES:
                raise SourceFailed(
                    "its pages point back to themselves", hint="nothing was taken; ask its administrator"
                )
            seen.add(place)
            ours = {"timeout": TIMEOUT_SECONDS, "allow_redirects": False, "verify": verify}
            return super().request(method, url, *args, **{**kwargs, **ours})

    seen: set[str] = set()
    verify = ca_file or None  # said with each request: requests prefers REQUESTS_CA_BUNDLE to what the session says
    return Once()


def missing(package: str) -> SourceFailed:
    return SourceFailed(f"the package {package} is not installed", hint="pip install 'tokgate[inventory]'")


def asked(read: Callable[[], _T]) -> _T:
    """The answer, or ``SourceFailed`` with what client, connection or server had to say; never a secret."""
    import requests

    try:
        return read()
    except requests.exceptions.SSLError as exc:
        raise SourceFailed("its certificate is not trusted", hint="name your authority with --ca-file") from exc
    except requests.exceptions.JSONDecodeError as exc:
        raise SourceFailed("the answer is cut off or no JSON", hint="is it the address of the server itself?") from exc
    except requests.exceptions.RequestException as exc:
        raise SourceFailed(f"no answer: {type(exc).__name__}", hint="check the address and the network") from exc
    except OSError as exc:  # how requests says that the file of --ca-file is none
        raise SourceFailed("the file of --ca-file cannot be used", hint="a PEM file with the authority") from exc
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise SourceFailed("the answer is of an unknown form", hint="is it the address of the server itself?") from exc
    except Exception as exc:  # the clients' own errors share no root
        raise _refused(exc) from exc


def _refused(exc: Exception) -> Exception:
    if isinstance(exc, SourceFailed):
        return exc
    status = getattr(getattr(exc, "req", None), "status_code", None)
    if status in (401, 403):
        return SourceFailed(f"the token was refused ({status})", hint="check --token and what the token may read")
    if status == 404:
        return SourceFailed("the server answered 404", hint="is it the address of its pages, without /api?")
    if status is not None and status != 200:
        return SourceFailed(f"the server answered {status}", hint="nothing was taken; try again later")
    if type(exc).__name__ == "ContentError":
        return SourceFailed("the answer is cut off or no JSON", hint="is it the address of the server itself?")
    return exc


def token_of(reference: SecretRef | None) -> str | None:
    return None if reference is None else reference.resolve().reveal()


def plain(records: Iterable[Any]) -> list[dict[str, Any]]:
    """The records as mappings, in which nothing asks the server again."""
    return [dict(record) for record in records]


def text(value: object, *keys: str) -> str:
    """The word at the end of the keys; empty when there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
