"""Does something to a cell, and kills itself with SIGKILL just before its n-th change of the world.

Usage: ``interrupted.py STATE_DIRECTORY OPERATION REPLICAS N PROGRAM...``

It prints ``done`` if there were fewer than N changes.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.interfaces import Fence
from zdd.model.command import Change, Launch, Retire
from zdd.model.release import Process, Revision
from zdd.model.service import Service

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "socket.bind", "subprocess.Popen", "fcntl.flock"}


def is_change(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    return event in CHANGES


def main() -> None:
    directory, operation, replicas, number = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    service = Service("web", stop_grace_s=5.0)
    workload = Process(sys.argv[5:]).specification()
    orchestrator, fence = LocalOrchestrator(directory), Fence(1, "interrupted")
    seen = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if is_change(event, arguments):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    if operation == "launch":
        orchestrator.launch(service, Revision("r1", "1.0", workload), Launch("web", "r1", replicas), fence)
    elif operation == "change":
        orchestrator.change(service, Revision("r2", "2.0", workload), Change("web", "r2", replicas), fence)
    else:
        orchestrator.retire(service, Retire("web"), fence)
    print("done")


main()
