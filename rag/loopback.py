"""Whether a host is this machine itself, which no other machine can reach and no proxy elsewhere either."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


def is_this_machine(host: str | None) -> bool:
    """Whether a name or an IP address, without port and brackets, is one that only this machine has for itself."""
    if host in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return _is_short_for_loopback(host or "")


def _is_short_for_loopback(host: str) -> bool:
    """Whether it is an address as `127.1`, which systems take as 127.0.0.1.

    No proxy can reach it, so what is asked there must not go through one.
    """
    try:
        return host.replace(".", "").isalnum() and socket.inet_aton(host)[0] == 127
    except (OSError, ValueError):
        return False


def names_this_machine(host: str) -> bool:
    """Whether a Host header is one that only programs of this machine send.

    A page that has its own name resolve to this machine (DNS rebinding) is given away by it.
    """
    if "@" in host:  # which a Host header cannot have
        return False
    try:
        return is_this_machine(urlsplit(f"//{host}").hostname)
    except ValueError:
        return False
