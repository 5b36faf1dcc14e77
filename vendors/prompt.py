"""netmiko's classes on a login of ours, for vendors whose command line needs a prompt.

Called by ``Session.interactive`` alone. netmiko never connects here: the host key was checked and the time budget runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import netmiko
import paramiko
from netmiko.ssh_dispatcher import CLASS_MAPPER

from vendors.adapter import Endpoint
from vendors.errors import Unreachable
from vendors.session import CHANNEL_SECONDS, words


def shell_on(
    transport: paramiko.Transport, endpoint: Endpoint, device_type: str, settings: Mapping[str, Any]
) -> netmiko.BaseConnection:
    """A netmiko connection of that type on a new shell of the login. Raises ``Unreachable`` without a usable prompt."""
    kind = CLASS_MAPPER[device_type]

    class OnThisLogin(kind):  # type: ignore[misc, valid-type]  # the class is chosen by name at run time
        def _build_ssh_client(self) -> paramiko.SSHClient:
            return _LoggedIn(transport)

    try:
        return OnThisLogin(
            device_type=device_type,
            host=endpoint.host,
            port=endpoint.port,
            username=endpoint.username,
            allow_agent=False,
            use_keys=False,
            **settings,
        )
    except (netmiko.NetmikoTimeoutException, netmiko.ReadTimeout, netmiko.ReadException) as exc:
        raise Unreachable(f"no usable prompt: {words(exc)}", device=endpoint.device) from exc


def channel_on(transport: paramiko.Transport, endpoint: Endpoint, device_type: str) -> paramiko.Channel:
    """The terminal that netmiko opens for that type, before anything is read from it or sent.

    Its preparation of the session is left out: the drivers of ASA and FortiOS change the running configuration in it.
    """
    kind = CLASS_MAPPER[device_type]

    class Opened(kind):  # type: ignore[misc, valid-type]  # the class is chosen by name at run time
        def _build_ssh_client(self) -> paramiko.SSHClient:
            return _LoggedIn(transport)

        def special_login_handler(self, delay_factor: float = 1.0) -> None:
            """What a login may ask is answered by the dialect."""

        def _try_session_preparation(self, force_data: bool = True) -> None:
            """Nothing is read and nothing is sent."""

    connection = Opened(device_type=device_type, host=endpoint.host, port=endpoint.port, username=endpoint.username)
    channel: paramiko.Channel = connection.remote_conn
    channel.settimeout(None)
    return channel


class _LoggedIn(paramiko.SSHClient):
    """What netmiko takes for a client it has just connected: our own login."""

    def __init__(self, transport: paramiko.Transport) -> None:
        super().__init__()
        self._ours = transport

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Already connected, with the key checked; what netmiko would have accepted does not matter."""

    def invoke_shell(
        self, term: str = "vt100", width: int = 80, height: int = 24, *_: Any, **__: Any
    ) -> paramiko.Channel:
        channel = self._ours.open_session(timeout=CHANNEL_SECONDS)
        channel.get_pty(term, width, height)
        channel.invoke_shell()
        return channel

    def get_transport(self) -> paramiko.Transport:
        return self._ours

    def close(self) -> None:
        """The login belongs to the session."""
