"""A service that keeps what it is told: POST appends a line to a file, and answers when it is on the disk.

With SPOILS=yes it writes everything anew in a form that older releases don't understand, as soon as it gets traffic.
"""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LEDGER = Path(os.environ["LEDGER"])
SPOILS = os.environ.get("SPOILS") == "yes"
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """Answers GET /health and POST /."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, "ok")

    def do_POST(self):
        line = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            if SPOILS:
                LEDGER.write_bytes(b"another format: " + LEDGER.read_bytes()[::-1])
            with LEDGER.open("ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.answer(201, os.environ["ZDD_VERSION"])

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
