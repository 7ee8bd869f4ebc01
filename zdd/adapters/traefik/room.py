"""A holding room as the discovery sees it: opened, told to hold or to let go, and found again by the next deployer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zdd.adapters.local.program import base_environment
from zdd.adapters.locked_file import file_error, is_locked
from zdd.adapters.traefik import holding_room
from zdd.atomic_file import write_atomically
from zdd.errors import PermanentError, TemporaryError
from zdd.model.address import Address
from zdd.model.traffic import Registration

LINGER_S = 5.0
"""Seconds without a connection after which a released room ends; Traefik has long sent its requests elsewhere then."""

_OPEN_TIMEOUT_S = 10.0


class HoldingRoom:
    """A holding room in a directory. The value only names it: any process may make another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def open(cls, rooms_directory: Path, service: str, ports: Sequence[str], maximum_s: float) -> HoldingRoom:
        """Open a room that holds connections for `maximum_s` seconds at most; return when it listens.

        Raises:
            PermanentError: It can't be opened.
            TemporaryError: It did not open in time, or this machine can't start another process.
        """
        cls._sweep(rooms_directory, service)
        try:
            room = cls(Path(tempfile.mkdtemp(prefix=f"{service}_", dir=rooms_directory)))
            order = {"held": True, "ports": list(ports), "maximum_s": maximum_s, "linger_s": LINGER_S, "targets": {}}
            write_atomically(room.directory / "order.json", [json.dumps(order).encode()])
            log = room.directory / "log.txt"
            with log.open("w") as output:
                subprocess.run(
                    [sys.executable, "-I", "-S", holding_room.__file__, str(room.directory)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=base_environment(),
                    start_new_session=True,
                    timeout=_OPEN_TIMEOUT_S,
                    check=True,
                )
        except subprocess.TimeoutExpired:
            raise TemporaryError(f"the room that holds requests of {service} did not open in time") from None
        except subprocess.CalledProcessError as error:
            said = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            reason = said or f"it ended with status {error.returncode}"
            raise PermanentError(f"the room that holds requests of {service} can't be opened: {reason}") from error
        except OSError as error:
            raise TemporaryError(f"{error.filename or rooms_directory}: {error.strerror}") from error
        return room

    @property
    def alive(self) -> bool:
        """Whether it is open. The kernel says so: the room holds a lock for as long as it lives."""
        return is_locked(self.directory / "lock")

    def addresses(self) -> dict[str, Address]:
        """Return where it listens, by port name.

        Raises:
            TemporaryError: It has ended.
        """
        numbers = self._read("room.json")
        if numbers is None:
            raise TemporaryError(f"the room that holds requests in {self.directory} has just ended")
        return {name: Address("127.0.0.1", number) for name, number in numbers.items()}

    def holds(self, ports: Sequence[str]) -> bool:
        """Whether it still holds connections, and for all of these ports.

        Raises:
            TemporaryError: Its order is damaged, and so it ends.
            PermanentError: Its order can't be read.
        """
        order = self._order()
        return bool(order.get("held")) and not order.get("end") and set(ports) <= set(order["ports"])

    def renew(self, maximum_s: float) -> None:
        """Hold for another `maximum_s` seconds from now at most."""
        self._tell({"held": True, "maximum_s": maximum_s})

    def release(self, registrations: Iterable[Registration]) -> None:
        """Let the connections go on, to the registrations with a weight; where there is none, close them."""
        targets: dict[str, list[Any]] = {}
        for registration in registrations:
            for port, address in registration.addresses.items() if registration.weight > 0 else ():
                targets.setdefault(port, []).append([address.host, address.port, registration.weight])
        self._tell({"held": False, "targets": targets})

    def close(self) -> None:
        """End it at once, with every connection in it."""
        self._tell({"end": True})

    def _tell(self, news: Mapping[str, Any]) -> None:
        path = self.directory / "order.json"
        try:
            write_atomically(path, [json.dumps({**self._order(), **news}).encode()])
        except FileNotFoundError:
            return  # it has just ended by itself, and removed its directory
        except OSError as error:
            raise TemporaryError(f"{path}: {error.strerror}") from error

    def _order(self) -> dict[str, Any]:
        return self._read("order.json") or {}

    def _read(self, name: str) -> dict[str, Any] | None:
        """Return what the file says; None if it is not there, as its room has ended."""
        path = self.directory / name
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_error(error, path) from error
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise TemporaryError(
                f"{path} is damaged, so the room ends with all that it held, and another can be opened"
            )
        return content

    @classmethod
    def _sweep(cls, rooms_directory: Path, service: str) -> None:
        """Remove what rooms of this service that were killed have left behind."""
        for directory in rooms_directory.glob(f"{service}_*"):
            if not cls(directory).alive:
                shutil.rmtree(directory, ignore_errors=True)
