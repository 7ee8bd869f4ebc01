"""Where traffic is sent, as discovery is told and as the edges say."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from zdd.model.address import Address

FULL_SHARE = 1_000_000
"""The scale of shares: what all instances of a service have together when nothing is being deployed."""


@frozen
class Registration:
    """What discovery knows of one instance.

    Attributes:
        instance: The instance's id.
        cell: The name of its cell.
        revision: The id of its revision.
        version: Its version, for people and for look-ups.
        addresses: Port name → where it can be reached.
        weight: How much traffic, relative to the other registrations of the service. 0: *out*, which means no new
            requests, while the address stays known so that edges go on counting what is in flight there.
    """

    instance: str
    cell: str
    revision: str
    version: str
    addresses: Mapping[str, Address]
    weight: int


@frozen
class CellShare:
    """What one cell is to have of the traffic.

    Attributes:
        revision: The id of the revision whose instances may have it.
        replicas: How many instances the cell is meant to have; while it has more, some are victims that nobody chose.
        share: How much, relative to the other cells. 0: none.
        in_place: Instances of other revisions have their part of it too, until each is replaced.
    """

    revision: str
    replicas: int
    share: int
    in_place: bool = False


@frozen
class TrafficIntent:
    """Where traffic is meant to go, whatever instances there happen to be: true in a deployment and between two.

    Attributes:
        service: The service's name.
        ports: The names of the ports at which edges reach an instance.
        cells: Cell → what it is to have.
        held: Requests are to be held back.
    """

    service: str
    ports: tuple[str, ...]
    cells: Mapping[str, CellShare]
    held: bool = False


@frozen(slots=False)
class EdgeView:
    """What one edge says right now.

    Attributes:
        edge: The edge's name.
        as_of_s: When the edge was asked, in seconds since the epoch: the question, not the answer.
        reachable: False if it did not answer; then nothing else here is known.
        held: It holds requests of this service back.
        weights: Address → weight, for every address it sends new requests to. An edge that knows no weights says 1.
        in_flight: Address → requests and connections in flight there; an address that is missing is unknown.
        process: Names the edge process that answered; counts of another process say nothing.
        note: Its own words, for the report.
    """

    edge: str
    as_of_s: float
    reachable: bool = True
    held: bool = False
    weights: Mapping[Address, int] = field(factory=dict)
    in_flight: Mapping[Address, int] = field(factory=dict)
    process: str = ""
    note: str = ""


@frozen
class EdgeAbilities:
    """What an edge can do. A plan that needs more is refused before anything starts.

    Attributes:
        weighs: It divides traffic by weight.
        holds: It can hold requests back for a while instead of failing them.
        counts: It tells what is in flight at an address.
    """

    weighs: bool = True
    holds: bool = False
    counts: bool = True
