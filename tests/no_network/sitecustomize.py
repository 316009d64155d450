"""Put on PYTHONPATH, this refuses every connection that leaves the machine: the default profile needs none."""

import socket
from typing import Any

_connect = socket.socket.connect


def connect(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else address
    if self.family != socket.AF_UNIX and host not in ("127.0.0.1", "::1", "localhost"):
        raise PermissionError(f"a connection to {host} was attempted: the default profile must not use the network")
    _connect(self, address)


def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if host not in (None, "127.0.0.1", "::1", "localhost", b"localhost"):
        raise PermissionError(f"the name {host} was looked up: the default profile must not use the network")
    return _getaddrinfo(host, *args, **kwargs)


_getaddrinfo = socket.getaddrinfo
socket.socket.connect = connect  # type: ignore[method-assign]
socket.getaddrinfo = getaddrinfo
