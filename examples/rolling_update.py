"""A rolling update on this machine, while a client sends requests all the time: ``python examples/rolling_update.py``.

It needs a Traefik; the extra ``edge`` brings one. Everything is kept in a temporary directory, and gone in the end.
"""

from __future__ import annotations

import http.client
import socket
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from zdd import Deployer, HttpGate, Process, Release, RollingUpdate, Service
from zdd.adapters.embedded import Embedded
from zdd.display.live import watcher

APPLICATION = """
import http.server, os, signal, sys

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = os.environ["ZDD_VERSION"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


class Client(threading.Thread):
    """Sends one request after the other, and counts the answers by version."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._port = port
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                body = answer.read().decode()
                if answer.status == 200:
                    self.answers[body] += 1
                else:
                    self.failures.append(f"{answer.status} {body}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()

    def stop(self) -> None:
        self._enough.set()
        self.join()


def release(version: str) -> Release:
    return Release(version, Process([sys.executable, "-c", APPLICATION]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    port = free_port()
    service = Service("hello", replicas=3, gates=[HttpGate("/")])
    with tempfile.TemporaryDirectory(prefix="zdd-example-") as directory:
        deployer = Deployer.embedded(Path(directory), port=port, listeners=[watcher()])
        try:
            deployer.deploy(service, release("1.0"))
            client = Client(port)
            client.start()
            try:
                report = deployer.deploy(service, release("2.0"), RollingUpdate())
            finally:
                client.stop()
        finally:
            Embedded(Path(directory), port=port).stop_everything()
    print(report)
    for version, count in sorted(client.answers.items()):
        print(f"{count} answers from {version}")
    print(f"{len(client.failures)} requests failed", *client.failures[:3])
    return 1 if client.failures else 0


if __name__ == "__main__":
    sys.exit(main())
