"""Strict clients: they keep their connections and never try again."""

from __future__ import annotations

import http.client
import threading
from collections import Counter

from attrs import define, field

from zdd.model.address import Address


@define(eq=False)
class Load:
    """Clients that keep their connection and never retry."""

    address: Address
    lost: list[str] = field(factory=list)
    answers: Counter[str] = field(factory=Counter)
    _end: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def start(self) -> None:
        for path, count in (("/", 6), ("/sleep/0.7", 4)):
            self._threads += [threading.Thread(target=self._run, args=(path,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path: str) -> None:
        client = http.client.HTTPConnection(self.address.host, self.address.port, timeout=20)
        while not self._end.wait(0.01):
            try:
                client.request("GET", path)
                response = client.getresponse()
                text = response.read().decode()
                if response.status == 200:
                    self.answers[text] += 1
                else:
                    self.lost.append(f"{path}: {response.status} {text}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{path}: {error!r}")
                client.close()
        client.close()
