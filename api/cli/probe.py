"""``tokgate probe``: try from inside a site what should be blocked. The same file runs by itself, on any host."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.show import say


def probe(
    script: Annotated[
        bool, typer.Option("--script", help="Print the probe as one file for Python 3.8 and newer, and end.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", envvar="TOKGATE_URL", help="Where targets come from and results go."),
    ] = None,
    ca: Annotated[
        str | None, typer.Option("--ca", metavar="FILE", help="Authorities of the server's certificate, PEM.")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", "-s", help="The site that this host is at.")] = None,
    targets: Annotated[
        str | None,
        typer.Option("--targets", metavar="FILE", help="Addresses and names, one a line, instead of the server's."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="ADDRESS", help="Send from this address of the host.")
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option("--control", metavar="NAME", help="What must be reachable by TCP and QUIC 443."),
    ] = None,
    resolver: Annotated[
        list[str] | None, typer.Option("--resolver", metavar="ADDRESS", help="Ask this one instead of the host's.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="ADDRESS", help="A resolver that blocks nothing: whether a name exists."),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=60, help="Seconds for each attempt.")] = 4.0,
    host: Annotated[str | None, typer.Option("--host", help="What this host is called in the result.")] = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the result as JSON, for `tokgate proof import`; send it nowhere.")
    ] = False,
) -> int:
    """Try from inside a site whether what should be blocked is: TCP 443 with TLS, QUIC on UDP 443, DNS.

    Needs neither inventory nor store: a token with the scope `probe` in TOKGATE_TOKEN, or `--targets` and `--print`.
    """
    if script:
        say(source_text().rstrip("\n"))
        return 0
    from api import probe as alone

    arguments = ["--timeout", str(timeout)]
    for name, value in (
        ("--server", server),
        ("--ca", ca),
        ("--site", site),
        ("--targets", targets),
        ("--reference", reference),
        ("--host", host),
    ):
        arguments += [f"{name}={value}"] if value is not None else []
    for name, values in (("--source", source), ("--control", control), ("--resolver", resolver)):
        arguments += [f"{name}={value}" for value in values or ()]
    return alone.main([*arguments, *(["--print"] if only_print else [])])


def source_text() -> str:
    """The probe itself."""
    from importlib.resources import files

    return (files("api") / "probe.py").read_text(encoding="utf-8")
