"""The kernel's table of TCP connections: what is in flight at an address, and who listens at a port."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from zdd.model.address import Address

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROW = re.compile(rb": ([0-9A-F]{8,32}):([0-9A-F]{4}) ([0-9A-F]{8,32}):([0-9A-F]{4}) 0[12] ")
_LISTENING = re.compile(rb": [0-9A-F]{8,32}:([0-9A-F]{4}) [0-9A-F]{8,32}:[0-9A-F]{4} 0A \S+ \S+ \S+ +\d+ +\d+ (\d+)")
_WORD = 4

# What the kernel is asked through netlink, see sock_diag(7). It leaves out the connections that have ended and linger,
# of which a busy machine has thousands; the files under /proc list them all.
_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_ANSWER_ERROR, _ANSWER_DONE = 2, 3
_INTERRUPTED = 0x10
_ESTABLISHED, _SYN_SENT = 1, 2
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBBI48x")
_ENDS = struct.Struct("!4xHH16s16s")  # of an answer behind its header
_ANSWER_BYTES = 1 << 16
_NETLINK_TIMEOUT_S = 1.0
_TRIES = 3

End = tuple[bytes, int]
"""(Address in the network's order, port)."""

Counts = Mapping[tuple[End, End], int]
"""(Its own end, the other end) → connections that are established, or that are being opened from here."""

_FORWARDERS = ("docker-proxy", "rootlesskit")  # they listen for a container, and what it gets mostly passes them by


def can_count() -> bool:
    """Whether this kernel shows its connections."""
    return os.access(_TABLES[0], os.R_OK)


def established(addresses: Iterable[Address]) -> dict[Address, int]:
    """Count the established connections at these addresses, seen from the side that was called.

    An address that isn't one of this machine's, and every address where the table can't be read, is left out.
    """
    hosts = {address: _hosts(address.host) for address in addresses}
    counts = _counts() if any(hosts.values()) else None
    if counts is None:
        return {}
    own: Counter[End] = Counter()
    for (end, _), count in counts.items():
        own[end] += count
    return {address: sum(own[host, address.port] for host in written) for address, written in hosts.items() if written}


def called(addresses: Iterable[Address]) -> dict[Address, int]:
    """Count the connections from here to these addresses, wherever those are.

    That is all there is in flight there of a proxy that runs here, and of none that runs elsewhere. What is a name and
    no number, and every address where the table can't be read, is left out.
    """
    hosts = {address: _written(address.host) for address in addresses}
    counts = _counts() if any(hosts.values()) else None
    if counts is None:
        return {}
    peers: Counter[End] = Counter()
    for (_, end), count in counts.items():
        peers[end] += count
    return {
        address: sum(peers[host, address.port] for host in written) for address, written in hosts.items() if written
    }


def _counts() -> Counts | None:
    try:
        return counts_by_netlink()
    except OSError:  # a kernel or a sandbox without it
        try:
            return counts_by_files()
        except OSError:
            return None


def counts_by_netlink() -> Counts:
    """Count connections by their ends.

    Raises:
        OSError: The kernel doesn't answer such questions.
    """
    counts: Counter[tuple[End, End]] = Counter()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(_NETLINK_TIMEOUT_S)
        for family, length in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
            ends = next((found for _ in range(_TRIES) if (found := _ask(kernel, family)) is not None), None)
            if ends is None:
                raise OSError(errno.EAGAIN, "the table of connections changes too fast to be read")
            counts.update(((own[:length], port), (peer[:length], to)) for port, to, own, peer in ends)
    return counts


def _ask(kernel: socket.socket, family: int) -> list[tuple[int, int, bytes, bytes]] | None:
    """Return (port, its, address, its) of each connection; None if the table changed while it was read."""
    question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _ESTABLISHED | 1 << _SYN_SENT)
    kernel.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST_DUMP, 0, 0) + question)
    ends: list[tuple[int, int, bytes, bytes]] = []
    whole = True
    while True:
        answers = kernel.recv(_ANSWER_BYTES)
        start = 0
        while start < len(answers):
            length, kind, flags, _, _ = _HEADER.unpack_from(answers, start)
            whole = whole and not flags & _INTERRUPTED
            if kind == _ANSWER_DONE:
                return ends if whole else None
            if kind == _ANSWER_ERROR:
                raise OSError(errno.EOPNOTSUPP, "the kernel doesn't list its connections")
            ends.append(_ENDS.unpack_from(answers, start + _HEADER.size))
            start += (length + 3) & ~3


def counts_by_files() -> Counts:
    """Count connections by their ends.

    Raises:
        OSError: The kernel has no such files.
    """
    rows = Counter(_ROW.findall(_rows()))
    return {
        ((_packed(own), int(port, 16)), (_packed(peer), int(to, 16))): count
        for (own, port, peer, to), count in rows.items()
    }


def listener(port: int) -> str:
    """Say who listens at this port, as `` by NAME (process ID)``; empty if it can't be known."""
    found = listening_process(port)
    return f" by {found[1]} (process {found[0]})" if found else ""


def listening_process(port: int) -> tuple[int, str] | None:
    """Return id and name of the process that listens at this port here; None if there is none, or it can't be known."""
    try:
        sockets = {
            f"socket:[{inode.decode()}]" for number, inode in _LISTENING.findall(_rows()) if int(number, 16) == port
        }
    except OSError:
        return None
    for directory in Path("/proc").glob("[0-9]*") if sockets else ():
        with contextlib.suppress(OSError):  # processes come and go, and others' files may not be read
            if any(str(handle.readlink()) in sockets for handle in (directory / "fd").iterdir()):
                return int(directory.name), (directory / "comm").read_text().strip()
    return None


def process_at(address: Address) -> str:
    """Return the name of the process that listens at this address, which has to be one of this machine's.

    Empty if there is none or it can't be known, and for what only forwards to a container.
    """
    found = listening_process(address.port) if _hosts(address.host) else None
    return found[1] if found and not found[1].startswith(_FORWARDERS) else ""


def _rows() -> bytes:
    rows = _TABLES[0].read_bytes()
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        rows += _TABLES[1].read_bytes()
    return rows


def _packed(written: bytes) -> bytes:
    # The files print the bytes of the network's order as words in the machine's order.
    words = [written[start : start + 2 * _WORD] for start in range(0, len(written), 2 * _WORD)]
    return b"".join(int(word, 16).to_bytes(_WORD, sys.byteorder) for word in words)


def _hosts(host: str) -> tuple[bytes, ...]:
    """Return the addresses that the table may have for this host; none if it isn't one of this machine's."""
    if host == "localhost":
        return _written(host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ()
    return _written(host) if address.is_loopback or _is_ours(address) else ()


def _written(host: str) -> tuple[bytes, ...]:
    """Return the addresses that the table may have for this host; none if it is another name."""
    if host == "localhost":
        return (*_written("127.0.0.1"), *_written("::1"))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ()
    if address.version == 4:
        # A server that listens on IPv6 has its IPv4 connections listed there.
        return (address.packed, ipaddress.IPv6Address(f"::ffff:{address}").packed)
    return (address.packed,)


def _is_ours(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:  # it is another machine's, or there is no such family here
        return False
    return True
