"""Which exceptions a list is of, decided by the database: a row is read only when it is wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Integer, Select, and_, bindparam, func, not_, or_, select

from controller.model import AccessException, ExceptionState
from controller.store.schema import device_exceptions, exception_sites, exceptions
from controller.store.searching import Listing
from core.ids import ExceptionId, SiteName

_HOLDERS: Final = (
    select(func.aggregate_strings(device_exceptions.c.device, ","))
    .where(device_exceptions.c.exception == exceptions.c.id)
    .scalar_subquery()
)
_PAGES: Final[dict[tuple[object, ...], Select[Any]]] = {}  # by what is asked with


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionQuery(Listing):
    """By the key, which is in the order in which they were asked for.

    ``live``: whether they are in force at ``at``. ``text`` is looked for in all that is shown of an exception;
    ``text_at`` are the sites whose devices say it, for they are not kept with it.
    """

    KEYS = (exceptions.c.id,)
    SAID = (exceptions.c.said,)

    state: ExceptionState | None = None
    sites: Collection[SiteName] | None = None  # those that name any of them
    live: bool | None = None
    at: datetime | None = None
    service: str | None = None
    code: str | None = None
    owner: str | None = None
    requested_by: str | None = None
    text_at: Collection[SiteName] = ()

    def _equal(self) -> Iterator[tuple[Any, str]]:
        """Columns, and what stands in them."""
        for column, wanted in (
            (exceptions.c.state, self.state and self.state.value),
            (exceptions.c.service, self.service),
            (exceptions.c.code, self.code),
            (exceptions.c.owner, self.owner),
            (exceptions.c.requested_by, self.requested_by),
        ):
            if wanted is not None:
                yield column, wanted

    def filters(self) -> Iterator[ColumnElement[bool]]:
        for column, wanted in self._equal():
            yield column == _given(column.name, wanted, column)
        if self.sites is not None:
            yield exceptions.c.id.in_(_named(self.sites))
        if self.live is not None:
            at = _given("at", self.at, exceptions.c.starts)
            now = and_(
                exceptions.c.state == ExceptionState.APPROVED.value, exceptions.c.starts <= at, exceptions.c.ends > at
            )
            yield now if self.live else not_(now)

    def page(self, after: ExceptionId | None, size: int) -> tuple[Select[Any], dict[str, Any]]:
        """The statement for so many rows behind that one, and what it is asked with: the key, the exception, and the
        devices that hold it, parted by commas.

        To put one together takes longer than to ask it, so there is one for all that ask with the same fields.
        """
        if self.text is not None:
            return self._page(after, size), {}
        given: dict[str, Any] = {column.name: wanted for column, wanted in self._equal()} | {"size": size}
        if self.sites is not None:
            given["site"] = tuple(self.sites)
        if self.live is not None:
            given["at"] = self.at
        if after is not None:
            given["after"] = after
        shape = (*given, self.live, self.oldest_first)
        if (known := _PAGES.get(shape)) is None:
            known = _PAGES[shape] = self._page(after, size)
        return known, given

    def _page(self, after: ExceptionId | None, size: int) -> Select[Any]:
        key = exceptions.c.id
        behind = [] if after is None else [self.behind(_given("after", after, key))]
        rows = select(key, exceptions.c.body, _HOLDERS).where(*self.all(*behind)).order_by(*self.order)
        return rows.limit(bindparam("size", size, type_=Integer))

    def all(self, *more: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        """Text is looked for in every one of them: what it is looked for in is short, and kept for that."""
        conditions = [*self.filters(), *more]
        if self.text is None:
            return conditions
        text = self.text.lower()
        holding = select(device_exceptions.c.exception).where(_says(func.lower(device_exceptions.c.device), text))
        said = [_says(exceptions.c.said, text), exceptions.c.id.in_(holding)]
        there = select(exception_sites.c.exception).where(exception_sites.c.site.in_(self.text_at))
        return [*conditions, or_(*said, *([exceptions.c.id.in_(there)] if self.text_at else []))]


def _named(sites: Collection[SiteName]) -> Any:
    wanted = bindparam("site", tuple(sites), type_=exception_sites.c.site.type, expanding=True)
    return select(exception_sites.c.exception).where(exception_sites.c.site.in_(wanted))


def _given(name: str, value: Any, column: Any) -> BindParameter[Any]:
    """A value for that column, which may be another one when the statement is asked again."""
    return bindparam(name, value, type_=column.type)


def _says(column: Any, text: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.contains(text, autoescape=True)
    return found


def said_by(exception: AccessException) -> str:
    """Every word that is shown of it, in lower case, a line each; times and numbers are no words."""
    return "\n".join(word for word in _words(exception) if word).lower()


def _words(e: AccessException) -> Iterator[str]:
    yield from (e.id, e.state.value, *e.sites, *map(str, e.sources), *e.roles, *e.hosts, e.service, e.surface)
    yield from (*map(str, e.hours), e.reason, e.code, e.owner, e.ticket, e.lead, e.renews or "")
    yield from (e.requested_by, e.decided_by or "", e.declared.key if e.declared else "")
    for found in e.lookups:
        yield from (found.site, found.host, *map(str, found.addresses), found.trouble)
    for approval in e.approvals:
        yield from (approval.actor, approval.preview)
    yield from (*e.live_on, *e.devices)
