"""Signed bundles: what one place seals the other opens, and nothing else; in the form of the minisign tool."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TokgateError
from core.ids import SnapshotId
from core.net import DomainName
from ipsets import bundle as bundles
from ipsets.bundle import Bundle, Sealed, join, refuse_outdated, seal, split, unseal
from ipsets.errors import BundleOutdated, BundleUnreadable, BundleUntrusted, KeyUnusable
from ipsets.minisign import (
    MAX_SIGNATURE_BYTES,
    PublicKey,
    SigningKey,
    key_id_of,
    new_key,
    read_public_key,
    read_signing_key,
    sign,
    verify,
)
from ipsets.model import ServiceSet, Snapshot
from ipsets.snapshot import content_id, dumps, loads
from ipsets.text import canonical, sha256
from tests.ipsets.making import entry, snapshot
from tests.ipsets.mutating import mutated

HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def fixed(number: int) -> SigningKey:
    """A key that is the same in every run."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return SigningKey(
        public=PublicKey(raw_id=bytes([number]) * 8, raw=private.public_key().public_bytes_raw()), private=private
    )


KEY, OTHER = fixed(1), fixed(2)
# Made with minisign 0.11: `minisign -G -W`, then `minisign -S -m FILE` over "hello\n"; -l for the legacy form.
TOOL_PUBLIC = "RWQG+237hmZ3era5/d0rt6kD48MT7PIki1eC7TKz2+MkNe4Ma/eXZuRA"
TOOL_SIGNATURE = """\
untrusted comment: signature from minisign secret key
RUQG+237hmZ3en/pbFr5xzVh5nPQfD7w0nBJzFyC8HlG4iEhqE7BSDxoiSBtm0Y0SjtvDfAwwABsGl+hntiM8FhWa9vHY8dmBAE=
trusted comment: timestamp:1795675752	file:hello	hashed
e5od7EZn0RDwgJZ7yj4q14U8Vr4S/QvRbh/c2tt4ts+cptUfDbdW4YOJLEy6vNseBl5p/2sF4dSbrRs3Z5h1Dg==
"""
TOOL_LEGACY = """\
untrusted comment: signature from minisign secret key
RWQG+237hmZ3ejZa0qGP0BRPDkfPEtGqQZx3MYkevoWtHfQOGqPvkuk7R0Dfp5x4dPo8FwZ7zFg4XceiamFPtFJC1ftQjlUsPg8=
trusted comment: timestamp:1795675752	file:hello
53XwrxCyv8XmUPHOnp++kcY5rq+qXtEK58NN7erciRvMGlF1gi+WhSUcRhWbq02X2UoLl5BVs/sJvGODNjkiCg==
"""


def made(*networks: str, at: datetime = NOON) -> Snapshot:
    services = (
        ServiceSet(
            service="tiktok",
            networks=tuple(ip_network(n) for n in networks),
            domains=(DomainName("tiktok.com", suffix=True),),
        ),
    )
    return Snapshot(
        id=content_id(services),
        created_at=at,
        parent=None,
        services=services,
        indicators=(),
        dropped=(),
        source_ages=(("curated", at),),
    )


BUNDLE = Bundle(snapshot=made("103.136.220.0/23"), made_at=NOON, made_by="01k", comment="für den Süden")
SEALED = seal(BUNDLE, KEY)


def signed(content: object, key: SigningKey = KEY) -> Sealed:
    """Rightly signed, whatever it holds."""
    data = content if isinstance(content, bytes) else canonical(content).encode()
    return Sealed(data=data, signature=sign(data, key, comment="x"))


def test_what_was_sealed_is_opened_the_same() -> None:
    assert unseal(SEALED, KEY.public) == BUNDLE
    assert seal(BUNDLE, KEY) == SEALED, "equal input, equal bytes"


def test_what_a_list_allows_above_its_entries_travels_with_it() -> None:
    """Without it the other place would block what is never blocked."""
    plain = made("103.136.220.0/23")
    services = tuple(replace(s, allows=(ip_network("103.136.220.9/32"),)) for s in plain.services)
    bundle = replace(BUNDLE, snapshot=replace(plain, id=content_id(services), services=services))
    opened = unseal(seal(bundle, KEY), KEY.public).snapshot.services
    assert opened == services
    assert ip_network("103.136.220.0/23") not in opened[0].blocked


def test_a_bundle_of_another_key_is_not_taken() -> None:
    with pytest.raises(BundleUntrusted, match=f"signed with key {KEY.public.id}, not with {OTHER.public.id}"):
        unseal(SEALED, OTHER.public)
    disguised = replace(OTHER.public, raw_id=KEY.public.raw_id)
    with pytest.raises(BundleUntrusted, match="does not match"):
        unseal(SEALED, disguised)


@given(at=st.integers(0, len(SEALED.data) - 1), bits=st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, bits: int) -> None:
    data = bytearray(SEALED.data)
    data[at] ^= bits
    with pytest.raises(BundleUntrusted):
        unseal(replace(SEALED, data=bytes(data)), KEY.public)


@given(at=st.integers(SEALED.signature.index("\n") + 1, len(SEALED.signature) - 2), to=st.characters(codec="utf-8"))
def test_a_changed_character_of_the_signature_is_noticed(at: int, to: str) -> None:
    """The first line is a comment that nobody signs; all after it counts."""
    text = f"{SEALED.signature[:at]}{to}{SEALED.signature[at + 1 :]}"
    if text == SEALED.signature:
        return
    with pytest.raises((BundleUntrusted, BundleUnreadable)):
        unseal(replace(SEALED, signature=text), KEY.public)


@given(kept=st.integers(0, len(SEALED.data) - 1))
def test_a_bundle_that_is_cut_off_is_not_taken(kept: int) -> None:
    with pytest.raises(BundleUntrusted):
        unseal(replace(SEALED, data=SEALED.data[:kept]), KEY.public)


@given(kept=st.integers(0, len(SEALED.signature) - 2))
def test_a_signature_that_is_cut_off_is_none(kept: int) -> None:
    with pytest.raises((BundleUnreadable, BundleUntrusted)):
        unseal(replace(SEALED, signature=SEALED.signature[:kept]), KEY.public)


@given(st.text(max_size=400))
def test_no_text_is_taken_for_a_signature_or_a_key(text: str) -> None:
    with pytest.raises(BundleUnreadable):
        verify(b"x", text, KEY.public)
    with pytest.raises(KeyUnusable):
        read_public_key(text)
    with pytest.raises(KeyUnusable):
        read_signing_key(text)


def test_one_that_is_too_large_is_not_even_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BYTES", len(SEALED.data))
    assert unseal(SEALED, KEY.public) == BUNDLE
    monkeypatch.setattr(bundles, "MAX_BYTES", len(SEALED.data) - 1)
    with pytest.raises(BundleUnreadable, match=f"{len(SEALED.data)} bytes, more than"):
        unseal(SEALED, OTHER.public)
    with pytest.raises(BundleUnreadable, match="more than"):
        seal(BUNDLE, KEY)


GOOD = json.loads(SEALED.data)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**GOOD, "format": "\x1b[2J" * 999}, "its format is"),
        ({**GOOD, "format": "tokgate-bundle-2"}, "its format is 'tokgate-bundle-2'"),
        ({k: v for k, v in GOOD.items() if k != "format"}, "KeyError"),
        ({**GOOD, "more": "x"}, "expected the texts"),
        ({**GOOD, "made_by": 7}, "expected the texts"),
        ({**GOOD, "made_at": "2026-11-25T12:00:00"}, "time zone"),
        ({**GOOD, "snapshot": GOOD["snapshot"].replace("103.136", "104.136")}, "does not match its checksum"),
        ({**GOOD, "snapshot": ""}, "cannot be used"),
        ([], "TypeError"),
        (b"", "JSONDecodeError"),
        (b"\xff\xfe\xfd", "UnicodeDecodeError"),
        (b"[" * 200_000, "RecursionError"),
    ],
)
def test_what_is_rightly_signed_but_no_bundle_is_refused(content: object, said: str) -> None:
    with pytest.raises(BundleUnreadable, match=said):
        unseal(signed(content), KEY.public)


# --- whatever comes in ------------------------------------------------------------------------------------------------

JOINED = join(SEALED)
COMMENT = range(len(SEALED.data), len(SEALED.data) + SEALED.signature.index("\n"))
"""Where the one line stands that nobody signs: a comment for people."""


def opened(body: bytes, key: PublicKey = KEY.public) -> Bundle | None:
    """As an import does it with one file."""
    return taken(lambda: unseal(split(body), key))


def taken(opening: Callable[[], Bundle]) -> Bundle | None:
    """What was opened; None when it is refused in one line."""
    refused: TokgateError
    try:
        return opening()
    except (BundleUnreadable, BundleUntrusted) as exc:
        refused = exc
    assert refused.message.isprintable()
    assert len(refused.message) < 1000
    return None


@given(at=st.integers(0, len(JOINED) - 1), bits=st.integers(1, 255))
def test_i02_whichever_byte_is_changed_it_never_verifies(at: int, bits: int) -> None:
    body = bytearray(JOINED)
    body[at] ^= bits
    found = opened(bytes(body))
    assert found is None or (found == BUNDLE and at in COMMENT)


@given(
    mutated(JOINED, words=(b"\n", b"\r", b"\r\n", b" ", b"\0", b"\xff", b"=", b"untrusted comment: ", b"RUQ", JOINED))
)
def test_i02_whatever_is_put_in_or_cut_out_never_verifies(body: bytes) -> None:
    found = opened(body)
    end = JOINED[COMMENT.stop :].removesuffix(b"\n")
    same = body.startswith(SEALED.data) and body.removesuffix(b"\n").endswith(end)
    assert found is None or (found == BUNDLE and same)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda raw: SEALED.data + raw))
def test_i02_no_bytes_are_taken_for_a_bundle(body: bytes) -> None:
    assert opened(body) is None


JSON = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 9e99, "", "x", "\ud800", ".com", "10.0.0.0/8", "1.2.3.4", NOON.isoformat(), 1 << 90]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "x"]), inner, max_size=2),
    max_leaves=4,
)
FULL = replace(
    snapshot([entry("103.136.220.0/23", detail="AS138699"), entry(".tiktok.com"), entry("10.0.0.0/8")]),
    parent=SnapshotId("0" * 64),
)


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in plain data."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*at, key))


def changed(value: Any, at: tuple[str | int, ...], to: Any) -> Any:
    """The same with another thing at this place."""
    if not at:
        return to
    made = value.copy()
    made[at[0]] = changed(value[at[0]], at[1:], to)
    return made


CONTENT = json.loads(dumps(FULL))["content"]
SPOTS = [at for at in places(CONTENT) if at]


@given(st.lists(st.tuples(st.sampled_from(SPOTS), JSON), min_size=1, max_size=2), st.booleans())
def test_i02_what_is_rightly_signed_is_a_bundle_in_every_part_or_refused(
    changes: list[tuple[tuple[str | int, ...], Any]], addressed: bool
) -> None:
    """Whoever holds the key, or writes into the store, can make every checksum too."""
    content = CONTENT
    for at, to in changes:
        with contextlib.suppress(LookupError, TypeError, AttributeError):
            content = changed(content, at, to)
    if addressed and isinstance(content, dict):
        with contextlib.suppress(LookupError, UnicodeEncodeError):
            content = {**content, "id": sha256(canonical(content["services"]))}
    try:
        text = canonical({"checksum": sha256(canonical(content)), "content": content})
        sealed = signed({**GOOD, "snapshot": text})
    except UnicodeEncodeError:  # half characters: no file holds them
        return
    if bundle := taken(lambda: unseal(sealed, KEY.public)):
        assert loads(dumps(bundle.snapshot)) == bundle.snapshot
        check_snapshot(bundle.snapshot)


def check_snapshot(found: Snapshot) -> None:
    """Every part is what its type says: whoever uses it asks no more."""
    said = [found.id, found.parent or "", *(name for name, _ in found.source_ages)]
    for verdict in found.dropped:
        said += [verdict.guard, verdict.entry, verdict.reason]
        assert isinstance(verdict.held, bool)
    for i in found.indicators:
        said += [i.app, i.category, *(text for p in i.sources for text in (p.source, p.detail))]
    for service in found.services:
        said.append(service.service)
        assert all(HOST.fullmatch(domain.name) for domain in service.domains), service.domains
    assert all(isinstance(text, str) for text in said)
    assert all(HOST.fullmatch(i.value.name) for i in found.indicators if isinstance(i.value, DomainName))


# --- replayed -------------------------------------------------------------------------------------------------------


def test_an_older_one_is_refused_and_the_same_or_a_later_is_not() -> None:
    hour = timedelta(hours=1)
    later = made("16.162.0.0/24", at=NOON + hour)
    with pytest.raises(BundleOutdated, match="is older than the one in force"):
        refuse_outdated(BUNDLE, in_force=later, last_made_at=None)
    with pytest.raises(BundleOutdated, match="before the one that was imported last"):
        refuse_outdated(BUNDLE, in_force=None, last_made_at=NOON + timedelta(seconds=1))
    refuse_outdated(BUNDLE, in_force=None, last_made_at=None)
    refuse_outdated(BUNDLE, in_force=made("16.162.0.0/24", at=NOON - hour), last_made_at=NOON)
    found_again = replace(BUNDLE.snapshot, created_at=NOON + hour)
    refuse_outdated(BUNDLE, in_force=found_again, last_made_at=NOON - hour)


# --- keys, and the tool ---------------------------------------------------------------------------------------------


def test_a_key_is_read_back_and_shows_itself_nowhere() -> None:
    text = KEY.text()
    again = read_signing_key(text)
    assert again.public == KEY.public
    assert seal(BUNDLE, again) == SEALED
    assert read_signing_key(text.split("\n")[1]).public == KEY.public, "as an environment variable may hold it"
    assert read_public_key(f"untrusted comment: x\n{KEY.public}\n") == KEY.public
    hidden = text.split("\n")[1][90:120]
    assert hidden not in repr(KEY)
    assert "private" not in repr(KEY)


def test_a_key_that_is_locked_damaged_or_another_thing_is_refused_without_repeating_it() -> None:
    body = base64.b64decode(KEY.text().split("\n")[1])
    for changed, said in (
        (body[:2] + b"Sc" + body[4:], "locked with a password"),
        (body[:-1] + bytes([body[-1] ^ 1]), "damaged"),
        (body[:70] + bytes([body[70] ^ 1]) + body[71:-32] + bytes(32), "damaged"),
        (body[:-1], "none of minisign's form"),
    ):
        text = base64.b64encode(changed).decode()
        with pytest.raises(KeyUnusable, match=said) as told:
            read_signing_key(text)
        assert text[90:120] not in str(told.value)
    with pytest.raises(KeyUnusable, match="public key"):
        read_public_key(KEY.text())


def test_keys_and_signatures_of_the_minisign_tool_are_taken() -> None:
    key = read_public_key(TOOL_PUBLIC)
    assert key.id == "7A776686FB6DFB06"
    assert verify(b"hello\n", TOOL_SIGNATURE, key).startswith("timestamp:")
    with pytest.raises(BundleUntrusted):
        verify(b"hello", TOOL_SIGNATURE, key)
    body = base64.b64decode(KEY.text().split("\n")[1])
    unchecked = base64.b64encode(body[:-32] + bytes(32)).decode()  # the tool writes no checksum with -W
    assert read_signing_key(unchecked).public == KEY.public


def test_the_legacy_form_of_the_tool_is_refused_by_name() -> None:
    with pytest.raises(BundleUnreadable, match="legacy form"):
        verify(b"hello\n", TOOL_LEGACY, read_public_key(TOOL_PUBLIC))


def test_both_files_in_one_are_parted_where_they_were_joined() -> None:
    sealed = seal(BUNDLE, KEY)
    assert split(join(sealed)) == sealed
    told = seal(replace(BUNDLE, comment="\nuntrusted comment: not this one"), KEY)
    assert split(join(told)) == told, "inside the JSON it is no line of its own"
    assert key_id_of(sealed.signature) == KEY.public.id


@given(st.binary(max_size=200))
def test_whatever_is_parted_is_refused_or_joins_to_the_same(body: bytes) -> None:
    for text in (body, b"\nuntrusted comment: " + body, body + b"\nuntrusted comment: x"):
        try:
            found = split(text)
        except BundleUnreadable:
            continue
        assert join(found) == text


def test_what_stands_at_the_end_is_no_signature_when_it_is_endless() -> None:
    with pytest.raises(BundleUnreadable, match="no signature stands at its end"):
        split(b"{}\nuntrusted comment: " + b"x" * MAX_SIGNATURE_BYTES)


@pytest.mark.parametrize("text", ["", "one line", "untrusted comment: x\n!!!!", "untrusted comment: x\nUldR"])
def test_a_signature_that_names_no_key_is_none(text: str) -> None:
    with pytest.raises(BundleUnreadable, match="the signature cannot be used"):
        key_id_of(text)


def test_a_comment_is_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        sign(b"x", KEY, comment="two\nlines")


def test_each_new_key_is_another_and_works() -> None:
    one, two = new_key(), new_key()
    assert one.public.id != two.public.id
    assert unseal(seal(BUNDLE, one), read_public_key(str(one.public))) == BUNDLE
    with pytest.raises(BundleUntrusted):
        unseal(seal(BUNDLE, one), two.public)
