"""Sign-in by an OpenID provider: the code flow with PKCE, and nothing believed that was not checked.

``begin`` sends a browser to the provider; ``finish`` turns the code that it comes back with into claims: state and
nonce tie them to that browser, issuer, audience, times and a signature by a key of the provider's to that provider
(OpenID Connect Core 1.0, 3.1.3.7; RFC 7636; RFC 9207). What the provider says of itself, and its keys, are kept for an
hour.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.errors import ProviderTrouble, SignInRefused
from controller.inventory.access import Access, Provider
from core.clock import Clock
from core.errors import SecretUnavailable

log = structlog.get_logger()

KEPT: Final = timedelta(hours=1)
"""What the provider says of itself, and its keys."""
KEYS_AGAIN: Final = timedelta(minutes=1)
"""An unknown key has them asked for again, this often at most."""
SIGN_IN_LIFE: Final = timedelta(minutes=10)
MAX_BYTES: Final = 512 * 1024
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_AGAIN: Final = "begin the sign-in again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sign-in that was begun in one browser, which keeps this. ``at``: seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    next: str
    at: int

    def dumps(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")

    @classmethod
    def loads(cls, text: str) -> Pending | None:
        """None for what ``dumps`` did not write."""
        try:
            found = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
            words = {name: str(found[name]) for name in ("state", "nonce", "verifier", "next")}
            return cls(**words, at=int(found["at"])) if all(words.values()) else None
        except (ValueError, TypeError, KeyError, binascii.Error):
            return None


class OpenIdProvider:
    """The provider of an inventory. One for an application; safe to use from any number of threads."""

    def __init__(self, access: Access, provider: Provider, clock: Clock) -> None:
        self._access = access
        self._config = provider
        self._clock = clock
        self._guard = threading.Lock()
        self._metadata: tuple[datetime, Mapping[str, Any]] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    @property
    def title(self) -> str:
        return self._config.title

    # --- the way there and back -----------------------------------------------------------------------------------

    def begin(self, redirect_uri: str, *, where: str) -> tuple[str, Pending]:
        """Where to send the browser, and what it keeps meanwhile. Raises ``ProviderTrouble``."""
        pending = Pending(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=where,
            at=int(self._clock.now().timestamp()),
        )
        uri = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            client_id=self._config.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=" ".join(self._config.scopes),
            state=pending.state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier),
            code_challenge_method="S256",
        )
        return str(uri), pending

    def finish(self, pending: Pending | None, answer: Mapping[str, str], redirect_uri: str) -> Mapping[str, Any]:
        """What the provider vouches for. Raises ``SignInRefused``, ``ProviderTrouble``."""
        if pending is None or not hmac.compare_digest(pending.state.encode(), answer.get("state", "").encode()):
            raise SignInRefused("this browser did not begin that sign-in", hint=_AGAIN)
        if self._clock.now().timestamp() - pending.at > SIGN_IN_LIFE.total_seconds():
            raise SignInRefused(f"the sign-in took longer than {SIGN_IN_LIFE.seconds // 60} minutes", hint=_AGAIN)
        self._refuse_other_issuer(answer.get("iss"))
        if "error" in answer or not answer.get("code"):
            raise SignInRefused(f"the provider refused: {_word(answer.get('error', 'no code'))}", hint=_AGAIN)
        tokens = self._tokens(answer["code"], pending.verifier, redirect_uri)
        claims = self._claims(tokens, pending.nonce)
        return self._with_more(claims, tokens)

    def logout_url(self, back: str) -> str | None:
        """Where one signs out at the provider too, as far as that is known without asking (RP-Initiated Logout 1.0)."""
        metadata = self._metadata[1] if self._metadata else {}
        endpoint = metadata.get("end_session_endpoint")
        if not isinstance(endpoint, str) or not _is_safe(endpoint):
            return None
        asked = urlencode({"client_id": self._config.client_id, "post_logout_redirect_uri": back})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{asked}"

    def _refuse_other_issuer(self, said: str | None) -> None:
        """RFC 9207: whose answer this is."""
        told = bool(self._described().get("authorization_response_iss_parameter_supported"))
        if (said is None and told) or (said is not None and said != self._config.issuer):
            raise SignInRefused("the answer is not from the provider that was asked", hint=_AGAIN)

    # --- tokens ---------------------------------------------------------------------------------------------------

    def _tokens(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._config.client_id,
        }
        uri = self._endpoint("token_endpoint")
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        method = "none" if self._config.client_secret is None else f"client_secret_{self._config.client_auth}"
        auth = ClientAuth(self._config.client_id, self._secret(), method)
        uri, headers, body = auth.prepare("POST", uri, headers, urlencode(fields))
        answer = self._ask("POST", uri, headers=headers, content=body)
        if answer.status_code >= 500:
            raise self._trouble(f"its token endpoint answers {answer.status_code}")
        found = self._json(answer)
        if answer.status_code != 200 or not isinstance(found.get("id_token"), str):
            why = _word(found.get("error", f"status {answer.status_code}"))
            raise SignInRefused(f"the provider did not take the code: {why}", hint=_AGAIN)
        return found

    def _secret(self) -> str | None:
        if self._config.client_secret is None:
            return None
        try:
            return self._config.client_secret.resolve().reveal()
        except SecretUnavailable as exc:
            raise ProviderTrouble("the secret of tokgate at the provider cannot be read", hint=exc.message) from exc

    def _claims(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Those of the ID token. Raises ``SignInRefused``."""
        try:
            token = self._decoded(tokens["id_token"])
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._config.issuer},
                    "aud": {"essential": True, "value": self._config.client_id},
                    "sub": {"essential": True},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._config.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=int(self._clock.now().timestamp()), leeway=self._config.clock_skew_seconds)
        except (JoseError, ValueError, TypeError, KeyError) as exc:
            log.warning("sign_in.refused", error=f"{type(exc).__name__}: {exc}"[:200])
            raise SignInRefused("the provider's token cannot be trusted", hint="the log of tokgate says why") from exc
        return dict(claims)

    def _decoded(self, text: str) -> jwt.Token:
        """Signed by a key of the provider's; an unknown one has the keys asked for again."""
        algorithms = list(self._config.algorithms)
        try:
            return jwt.decode(text, self._key_set(), algorithms=algorithms)
        except (JoseError, ValueError):
            if not self._forget_keys():
                raise
            return jwt.decode(text, self._key_set(), algorithms=algorithms)

    def _with_more(self, claims: dict[str, Any], tokens: Mapping[str, Any]) -> Mapping[str, Any]:
        """With what only the user-info endpoint tells, where something that is needed is missing."""
        needed = {self._config.name_claim, *(rule.claim for rule in self._access.rules)}
        if all(name in claims or name.partition(".")[0] in claims for name in needed):
            return claims
        uri = self._described().get("userinfo_endpoint")
        access = tokens.get("access_token")
        if not isinstance(uri, str) or not isinstance(access, str) or not _is_safe(uri):
            return claims
        answer = self._ask("GET", uri, headers={"Authorization": f"Bearer {access}", "Accept": "application/json"})
        found = self._json(answer) if answer.status_code == 200 else {}
        if found.get("sub") != claims["sub"]:
            raise SignInRefused("the provider tells of another person than it signed in", hint=_AGAIN)
        return {**found, **claims}

    # --- what the provider says of itself -------------------------------------------------------------------------

    def _described(self) -> Mapping[str, Any]:
        now = self._clock.now()
        with self._guard:
            if self._metadata is not None and now < self._metadata[0] + KEPT:
                return self._metadata[1]
        uri = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
        answer = self._ask("GET", uri)
        found = self._json(answer) if answer.status_code == 200 else {}
        if found.get("issuer") != self._config.issuer:
            said = _word(found.get("issuer", f"status {answer.status_code}"))
            raise self._trouble(f"it calls itself {said}, not {self._config.issuer}")
        for name in _NEEDED:
            if not isinstance(found.get(name), str) or not _is_safe(found[name]):
                raise self._trouble(f"its {name} is missing, or not reached by https")
        with self._guard:
            self._metadata = (now, found)
        return found

    def _endpoint(self, name: str) -> str:
        return str(self._described()[name])

    def _key_set(self) -> KeySet:
        now = self._clock.now()
        with self._guard:
            if self._keys is not None and now < self._keys[0] + KEPT:
                return self._keys[1]
        found = self._json(self._ask("GET", self._endpoint("jwks_uri")))
        try:
            keys = KeySet.import_key_set({"keys": [key for key in found["keys"] if key.get("kty") != "oct"]})
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as exc:
            raise self._trouble("its keys cannot be read") from exc
        with self._guard:
            self._keys = (now, keys)
        return keys

    def _forget_keys(self) -> bool:
        """Whether they were asked for long enough ago that it may have others now."""
        with self._guard:
            if self._keys is None or self._clock.now() < self._keys[0] + KEYS_AGAIN:
                return False
            self._keys = None
            return True

    # --- asking it ------------------------------------------------------------------------------------------------

    def _ask(self, method: str, uri: str, **more: Any) -> httpx.Response:
        """Raises ``ProviderTrouble``."""
        with self._told(), httpx.Client(verify=self._authorities(), timeout=self._config.timeout_seconds) as client:
            with client.stream(method, uri, **more) as answer:
                body = bytearray()
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise self._trouble(f"it answers more than {MAX_BYTES} bytes")
            return httpx.Response(answer.status_code, content=bytes(body))

    def _authorities(self) -> ssl.SSLContext:
        file = self._config.ca_file
        return ssl.create_default_context(cafile=str(file) if file else None)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, OSError) as exc:
            log.warning("sign_in.provider_down", issuer=self._config.issuer, error=f"{type(exc).__name__}: {exc}"[:200])
            raise self._trouble("it does not answer") from exc

    def _trouble(self, why: str) -> ProviderTrouble:
        return ProviderTrouble(
            f"{self._config.title} is not available: {why}", hint="try again later; a local account works meanwhile"
        )

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            found = json.loads(answer.content)
        except ValueError as exc:
            raise self._trouble("its answer is no JSON") from exc
        if not isinstance(found, dict):
            raise self._trouble("its answer is no JSON object")
        return found


def _is_safe(uri: str) -> bool:
    """By HTTPS, or on this machine."""
    parts = urlsplit(uri)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def _word(said: object) -> str:
    """Of what a stranger wrote, as much as fits a sentence."""
    return "".join(c for c in str(said) if c.isprintable())[:100]
