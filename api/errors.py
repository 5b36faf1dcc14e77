"""What can go wrong at the door, before the controller is asked."""

from __future__ import annotations

from core.errors import ExitCode, TokgateError


class NoSuchRoute(TokgateError):
    """Nothing is served at this path."""

    code = "TG8001"
    title = "No such route"
    http_status = 404


class MethodNotServed(TokgateError):
    """The path is served, but not with this method."""

    code = "TG8002"
    title = "Method not allowed"
    http_status = 405


class Malformed(TokgateError):
    """The request could not be understood at all: no HTTP, no JSON, or JSON beyond any sensible depth."""

    code = "TG8003"
    title = "Malformed request"
    http_status = 400


class TooLarge(TokgateError):
    """The body is larger than the API takes; it was refused before it was read."""

    code = "TG8004"
    title = "Request too large"
    http_status = 413


class TooSlow(TokgateError):
    """The request was not received whole within its time."""

    code = "TG8005"
    title = "Request too slow"
    http_status = 408


class Forged(TokgateError):
    """A change that came with the cookie of a session, and without proof that one of our pages sent it."""

    code = "TG8008"
    title = "Not sent by a page of ours"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 403


class ProviderTrouble(TokgateError):
    """The provider of sign-ins does not answer, or not as one; who has a local account can still sign in."""

    code = "TG8009"
    title = "Sign-in service not available"
    http_status = 503


class SignInRefused(TokgateError):
    """The answer that came from the provider cannot be trusted, or it refused; nobody was signed in."""

    code = "TG8010"
    title = "Sign-in refused"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 403


class TooManyAttempts(TokgateError):
    """Too many failed sign-ins from one address; wait, then try again."""

    code = "TG8006"
    title = "Too many failed sign-ins"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 429


class Overloaded(TokgateError):
    """As many calls that wait for devices are running as may; try again shortly."""

    code = "TG8007"
    title = "Too many calls at once"
    http_status = 503
