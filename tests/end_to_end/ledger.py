"""A service that keeps what it is told: POST appends a line to a file, and answers when it is on the disk.

With SPOILS=yes it writes everything anew in a form that older releases don't understand, as soon as it gets traffic.
"""

import os
import threading
from pathlib import Path

from serving import Answering, serve

LEDGER = Path(os.environ["LEDGER"])
SPOILS = os.environ.get("SPOILS") == "yes"
lock = threading.Lock()


class Handler(Answering):
    """Answers GET /health and POST /."""

    def do_GET(self):  # noqa: N802 - the standard library's name
        self.answer(200, "ok")

    def do_POST(self):  # noqa: N802 - the standard library's name
        line = self.body()
        with lock:
            if SPOILS:
                LEDGER.write_bytes(b"another format: " + LEDGER.read_bytes()[::-1])
            with LEDGER.open("ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.answer(201, os.environ["ZDD_VERSION"])


serve(Handler)
