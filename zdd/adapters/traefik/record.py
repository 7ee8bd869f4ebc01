"""What discovery knows of one service, and the one file that holds it together with what Traefik makes of it.

The first line of the file is a comment to Traefik and the truth to zdd; the rest is Traefik's dynamic configuration,
rendered from that truth. One file, replaced as a whole: no crash leaves the two at odds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import frozen

from zdd.adapters.traefik.rendering import render
from zdd.atomic_file import write_atomically
from zdd.errors import PermanentError
from zdd.model.address import Address
from zdd.model.service import Exposure
from zdd.model.traffic import Registration

FORMAT = 1
_MARK = "# zdd "


@frozen
class RoomReference:
    """A holding room, as the record names it.

    Attributes:
        directory: The name of its folder.
        addresses: Port name → where Traefik sends the requests that it holds.
    """

    directory: str
    addresses: dict[str, Address]


@frozen
class Record:
    """What discovery knows of one service.

    Attributes:
        service: Its name.
        exposures: Its ways in, as they were when it was last applied.
        registrations: Sorted by instance.
        held: Requests are held back.
        room: Where they are held, or were until a moment ago.
    """

    service: str
    exposures: tuple[Exposure, ...] = ()
    registrations: tuple[Registration, ...] = ()
    held: bool = False
    room: RoomReference | None = None

    @property
    def in_use(self) -> bool:
        """Whether requests of this service may be going anywhere."""
        return bool(self.registrations) or self.held

    def text(self) -> str:
        """Return the whole file."""
        room = self.room.addresses if self.room and self.held else None
        configuration = render(self.service, self.exposures, self.registrations, room)
        return f"{_MARK}{json.dumps(_encode(self))}\n{json.dumps(configuration, indent=1)}\n"


def read_record(path: Path) -> Record | None:
    """Return what the file at this path holds; None if there is no such file.

    Raises:
        PermanentError: It can't be read, or is not one of ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(f"{path} can't be read: {error}") from error
    line = text.partition("\n")[0]
    if not line.startswith(_MARK):
        raise PermanentError(f"{path} was not written by zdd: move it out of this directory")
    try:
        return _decode(json.loads(line.removeprefix(_MARK)))
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{path} is damaged, or of another version of zdd: {error}") from error


def write_record(path: Path, record: Record) -> None:
    """Write the record and its rendering, as a whole.

    Raises:
        OSError: It can't be written; the old file is untouched.
    """
    write_atomically(path, [record.text().encode()])


def _encode(record: Record) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "service": record.service,
        "exposures": [{"port": e.port, "path": e.path, "host": e.host} for e in record.exposures],
        "registrations": [
            {
                "instance": r.instance,
                "cell": r.cell,
                "revision": r.revision,
                "version": r.version,
                "addresses": _encode_addresses(r.addresses.items()),
                "weight": r.weight,
            }
            for r in record.registrations
        ],
        "held": record.held,
        "room": record.room
        and {"directory": record.room.directory, "addresses": _encode_addresses(record.room.addresses.items())},
    }


def _encode_addresses(addresses: Any) -> dict[str, list[Any]]:
    return {port: [address.host, address.port] for port, address in sorted(addresses)}


def _decode(data: dict[str, Any]) -> Record:
    if data["format"] != FORMAT:
        raise ValueError(f"its format is {data['format']}, ours is {FORMAT}")
    room = data["room"]
    return Record(
        service=data["service"],
        exposures=tuple(Exposure(**exposure) for exposure in data["exposures"]),
        registrations=tuple(
            Registration(**{**registration, "addresses": _decode_addresses(registration["addresses"])})
            for registration in data["registrations"]
        ),
        held=data["held"],
        room=room and RoomReference(room["directory"], _decode_addresses(room["addresses"])),
    )


def _decode_addresses(addresses: dict[str, list[Any]]) -> dict[str, Address]:
    return {port: Address(*pair) for port, pair in addresses.items()}
