"""Networks for properties: a small corner of each family, so that they meet, nest and touch often."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from hypothesis import strategies as st

_V4 = st.builds(
    lambda host, length: IPv4Network((0xC6336400 | host, length), strict=False),
    st.integers(0, 255),
    st.integers(24, 32),
)
_V6 = st.builds(
    lambda host, length: IPv6Network(((0x20010DB8 << 96) | host, length), strict=False),
    st.integers(0, 255),
    st.integers(120, 128),
)
NETWORK = st.one_of(_V4, _V6)
NETWORKS = st.lists(NETWORK, max_size=12)
