"""The kernel's table of TCP connections: what is in flight at an address, and who listens at a port."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from zdd.model.address import Address

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROW = re.compile(rb": ([0-9A-F]{8,32}):([0-9A-F]{4}) [0-9A-F]{8,32}:[0-9A-F]{4} 01 ")
_LISTENING = re.compile(rb": [0-9A-F]{8,32}:([0-9A-F]{4}) [0-9A-F]{8,32}:[0-9A-F]{4} 0A \S+ \S+ \S+ +\d+ +\d+ (\d+)")
_WORD = 4


def can_count() -> bool:
    """Whether this kernel shows its table of connections."""
    return os.access(_TABLES[0], os.R_OK)


def established(addresses: Iterable[Address]) -> dict[Address, int]:
    """Count the established connections at these addresses, seen from the side that was called.

    An address that isn't one of this machine's, and every address where the table can't be read, is left out.
    """
    wanted = {address: _hosts(address.host) for address in addresses}
    try:
        rows = _rows()
    except OSError:
        return {}
    counts = Counter(_ROW.findall(rows))
    return {
        address: sum(counts[host, b"%04X" % address.port] for host in hosts)
        for address, hosts in wanted.items()
        if hosts
    }


def listener(port: int) -> str:
    """Say who listens at this port, as `` by NAME (process ID)``; empty if it can't be known."""
    try:
        sockets = {
            f"socket:[{inode.decode()}]" for number, inode in _LISTENING.findall(_rows()) if int(number, 16) == port
        }
    except OSError:
        return ""
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # processes come and go, and others' files may not be read
            if any(str(handle.readlink()) in sockets for handle in (directory / "fd").iterdir()):
                return f" by {(directory / 'comm').read_text().strip()} (process {directory.name})"
    return ""


def _rows() -> bytes:
    rows = _TABLES[0].read_bytes()
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        rows += _TABLES[1].read_bytes()
    return rows


def _hosts(host: str) -> tuple[bytes, ...]:
    """Return the ways in which the table writes this host; none if it isn't an address of this machine."""
    if host == "localhost":
        return (*_hosts("127.0.0.1"), *_hosts("::1"))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ()
    if not address.is_loopback and not _is_ours(address):
        return ()
    if address.version == 4:
        # A server that listens on IPv6 with IPv4 mapped into it has its connections in the other table.
        return (_written(address.packed), _written(ipaddress.ip_address(f"::ffff:{address}").packed))
    return (_written(address.packed),)


def _written(packed: bytes) -> bytes:
    # The table prints the bytes of the network's order as words in the machine's order.
    words = [packed[start : start + _WORD] for start in range(0, len(packed), _WORD)]
    return b"".join(b"%08X" % int.from_bytes(word, sys.byteorder) for word in words)


def _is_ours(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
