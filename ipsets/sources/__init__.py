"""Where indicators come from: one module for each kind of origin, and the configuration that names them."""

from ipsets.sources.config import (
    AsndbConfig,
    CtConfig,
    CuratedConfig,
    DnsConfig,
    IrrConfig,
    ListConfig,
    ManualConfig,
    RangesConfig,
    RipestatConfig,
    RpkiConfig,
    SourceConfig,
    ages,
    build_source,
    check_names,
    families,
    own_word,
)
from ipsets.sources.source import Fetched, LastGood, Source

__all__ = [
    "AsndbConfig",
    "CtConfig",
    "CuratedConfig",
    "DnsConfig",
    "Fetched",
    "IrrConfig",
    "LastGood",
    "ListConfig",
    "ManualConfig",
    "RangesConfig",
    "RipestatConfig",
    "RpkiConfig",
    "Source",
    "SourceConfig",
    "ages",
    "build_source",
    "check_names",
    "families",
    "own_word",
]
