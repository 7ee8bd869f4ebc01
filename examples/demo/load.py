"""The demo's load: strict clients in a process of their own, and the class that starts and stops it.

It has a process of its own so that neither side takes the other's time. The two speak in lines: the parent asks
``snapshot`` or ``stop``, the load answers with one line of JSON. It ends by itself when its parent does.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

import clients
from attrs import asdict, define, field, frozen
from tally import LoadResult, LoadSnapshot, Tally

READY_TIMEOUT_S = 10.0
REPLY_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = clients.ANSWER_TIMEOUT_S + 5.0


class LoadError(Exception):
    """The load could not be started, or does not answer."""


@frozen
class Mix:
    """Who the clients are, and how often each of them asks.

    Attributes:
        readers: Clients that read, each `reads_per_s` times a second.
        buyers: Clients that place orders, each `orders_per_s` times a second.
        waiters: Clients that always have a request under way that takes `slow_s` seconds.
        websockets: Clients with a websocket.
        seconds_max: When the load ends by itself, if nobody stops it.
    """

    readers: int = 16
    reads_per_s: float = 15.0
    buyers: int = 6
    orders_per_s: float = 10.0
    waiters: int = 4
    slow_s: float = 3.0
    websockets: int = 2
    seconds_max: float = 900.0


@define
class Load:
    """A running load, seen from the process that started it.

    Attributes:
        mix: Who the clients are.
        bad_versions: Versions whose own answers of 500 are counted apart.
    """

    mix: Mix = field(factory=Mix)
    bad_versions: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _errors: IO[bytes] | None = field(default=None, init=False)
    _asking: threading.Lock = field(factory=threading.Lock, init=False)

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """The process that the clients are in, while it runs."""
        return self._process.pid if self._process else None

    def start(self, url: str) -> None:
        """Begin to send requests to `url`, a plain ``http://host:port``. Return when all clients have begun.

        Raises:
            LoadError: It runs already, or could not begin.
        """
        if self._process:
            raise LoadError("this load runs already")
        words = {"url": url, "mix": asdict(self.mix), "bad_versions": list(self.bad_versions)}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the load does
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops the load in its own order
        )
        self._reply(READY_TIMEOUT_S)

    def snapshot(self) -> LoadSnapshot:
        """Return the counts so far.

        Raises:
            LoadError: The load does not run, or does not answer.
        """
        return LoadSnapshot(**self._ask("snapshot", REPLY_TIMEOUT_S))

    def stop(self) -> LoadResult:
        """Let the requests under way come to their end, end the load, and return what its clients saw.

        Raises:
            LoadError: The load does not run, or does not answer.
        """
        result = LoadResult.from_data(self._ask("stop", STOP_TIMEOUT_S))
        self.close()
        return result

    def close(self) -> None:
        """End the load at once, if it still runs."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(REPLY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        if self._errors:
            self._errors.close()
        self._process = self._errors = None

    def _ask(self, question: str, timeout_s: float) -> dict[str, Any]:
        if self._process is None or self._process.stdin is None:
            raise LoadError("the load does not run: call start first")
        with self._asking:
            try:
                self._process.stdin.write(question.encode() + b"\n")
            except BrokenPipeError:
                raise LoadError(f"the load has ended before it was told: {question}. {self._told()}") from None
            return self._reply(timeout_s)

    def _reply(self, timeout_s: float) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise LoadError("the load does not run: call start first")
        pipe, line, until = self._process.stdout.fileno(), bytearray(), time.monotonic() + timeout_s
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
            if not ready:
                raise LoadError(f"the load does not answer within {timeout_s:g} s. {self._told()}")
            data = os.read(pipe, 1 << 20)
            if not data:
                raise LoadError(f"the load has ended with exit code {self._process.wait()}. {self._told()}")
            line += data
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply

    def _told(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:].strip()


async def _run(url: str, mix: Mix, bad_versions: Sequence[str]) -> None:
    """Run the clients until the parent says stop, or is gone, or `mix.seconds_max` have passed."""
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 80
    tally, stopping = Tally(bad_versions=frozenset(bad_versions)), asyncio.Event()
    running = [asyncio.ensure_future(each) for each in _clients(host, port, mix, tally, stopping)]
    _tell({"ready": True})
    try:
        async with asyncio.timeout(mix.seconds_max):
            orderly = await _obey(tally)
    except TimeoutError:
        orderly = False
    stopping.set()
    tally.stopped_s = time.time()
    if orderly:
        done, late = await asyncio.wait(running, timeout=clients.ANSWER_TIMEOUT_S + 1.0)
        for task in done:
            task.result()  # a fault of a client's own must not pass for a quiet run
        if late:
            raise LoadError(f"{len(late)} clients did not come to their end")
        _tell(tally.result().to_data())
    for task in running:
        task.cancel()


def _clients(host: str, port: int, mix: Mix, tally: Tally, stopping: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    """Return the clients, their beginnings spread over the time between two requests of one of them."""
    numbers, run = itertools.count(1), secrets.token_hex(4)
    kinds: list[tuple[str, int, float, Callable[[], clients.Errand]]] = [
        ("reader", mix.readers, 1 / mix.reads_per_s, clients.read),
        ("buyer", mix.buyers, 1 / mix.orders_per_s, lambda: clients.order(f"{run}-{next(numbers)}")),
        ("waiter", mix.waiters, mix.slow_s, lambda: clients.slow(mix.slow_s)),
    ]
    short = [
        clients.Client(f"{kind} {number + 1}", clients.Wire(host, port), tally, interval_s, errand).run(
            stopping, interval_s * number / count
        )
        for kind, count, interval_s, errand in kinds
        for number in range(count)
    ]
    long = [
        clients.WebsocketClient(f"websocket {number + 1}", clients.Wire(host, port), tally).run(stopping)
        for number in range(mix.websockets)
    ]
    return short + long


async def _obey(tally: Tally) -> bool:
    """Answer the parent's questions until it says stop. Say whether it did, or was just gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        match line.strip():
            case b"snapshot":
                _tell(asdict(tally.snapshot()))
            case b"stop":
                return True
    return False


def _tell(data: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(data) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise SystemExit(1) from None  # the parent is gone


def main() -> None:
    """Run the clients, as the parent has put it into the one argument."""
    parser = argparse.ArgumentParser(description="The clients of the demo; started by the class Load.")
    parser.add_argument("words", type=json.loads)
    words = parser.parse_args().words
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_run(words["url"], Mix(**words["mix"]), words["bad_versions"]))


if __name__ == "__main__":
    main()
