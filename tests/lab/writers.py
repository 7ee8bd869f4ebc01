"""A strict client that writes, and knows what was acknowledged."""

from __future__ import annotations

import http.client
import socket
import threading
import time


def free_port() -> int:
    """Return a port that nobody uses on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Writer:
    """A strict client that writes numbers, one after the other, and knows which were acknowledged.

    The first number is the one after `first`.
    """

    def __init__(self, port: int, first: int = 0) -> None:
        self.port, self._first = port, first
        self.acknowledged: list[str] = []
        self.acknowledged_s: list[float] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = self._first
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop.wait(0.02):
            number += 1
            try:
                connection.request("POST", "/", body=f"{number:06}".encode())
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{number}: {type(error).__name__}")
                connection.close()
                continue
            if answer.status == 201:
                self.acknowledged.append(f"{number:06}")
                self.acknowledged_s.append(time.monotonic())
            else:
                self.failures.append(f"{number}: {answer.status}")
        connection.close()
