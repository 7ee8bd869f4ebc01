"""What goes wrong in this process comes out of the embedded parts as an error of zdd's."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from zdd.adapters.embedded import Embedded
from zdd.errors import ZddError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Change, Launch, Retire, Route, Scale
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration

SERVICE, FENCE = Service("web"), Fence(1, "ann@host:1")
REVISION = Revision("r1", "1", Release("1", Process([sys.executable, "-c", "import time; time.sleep(60)"])).workload)
PLACE = {"http": Address("127.0.0.1", 9)}
ROUTE = Route((Registration("web.a", "web", "r1", "1", PLACE, 1),))
HELD = Route((), held=True)

CALLS: dict[str, Callable[[Embedded], object]] = {
    "check": lambda parts: parts.orchestrator.check(SERVICE, REVISION.workload),
    "observe": lambda parts: parts.orchestrator.observe(SERVICE),
    "launch": lambda parts: parts.orchestrator.launch(SERVICE, REVISION, Launch("web-2", "r1", 1), FENCE),
    "scale": lambda parts: parts.orchestrator.scale(SERVICE, REVISION, Scale("web", 2), FENCE),
    "change": lambda parts: parts.orchestrator.change(SERVICE, REVISION, Change("web", "r1", 2), FENCE),
    "retire": lambda parts: parts.orchestrator.retire(SERVICE, Retire("web"), FENCE),
    "check the ways in": lambda parts: parts.discovery.check(SERVICE),
    "claim": lambda parts: parts.discovery.claim(SERVICE, FENCE),
    "registrations": lambda parts: parts.discovery.registrations(SERVICE),
    "apply": lambda parts: parts.discovery.apply(SERVICE, ROUTE, FENCE),
    "hold": lambda parts: parts.discovery.apply(SERVICE, HELD, FENCE),
    "view": lambda parts: parts.edge.view(SERVICE, tuple(PLACE.values())),
    "history": lambda parts: parts.journal.read("web"),
    "renew": lambda parts: parts.lease.renew("web", FENCE, 5.0),
    "holder": lambda parts: parts.lease.holder("web"),
}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """An instance that runs, and requests that are held back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Embedded(tmp_path_factory.mktemp("embedded"), port=port)
    made.lease.acquire("web", "ann@host:1", 60.0)
    made.orchestrator.launch(SERVICE, REVISION, Launch("web", "r1", 1), FENCE)
    made.discovery.claim(SERVICE, FENCE)
    made.discovery.apply(SERVICE, HELD, FENCE)
    yield made
    made.stop_everything(0.0)


@pytest.mark.parametrize("name", CALLS)
def test_a_process_that_can_open_nothing_more_gets_an_error_of_zdd_s(
    parts: Embedded, name: str, no_more_files: Callable[[], AbstractContextManager[None]]
) -> None:
    raised: Exception | None = None
    with no_more_files():
        try:
            CALLS[name](parts)
        except Exception as error:  # noqa: BLE001 - which one it is, is the question
            raised = error
    assert raised is None or isinstance(raised, ZddError), repr(raised)
