"""A service for the tests: answers with its version, takes its time when asked to, and exits at once on SIGTERM.

It does nothing for its clients when it is told to stop: what it has in flight is lost. So nothing may be in flight.
"""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ["ZDD_VERSION"]
HEALTHY = os.environ.get("HEALTHY", "yes") == "yes"


class Handler(BaseHTTPRequestHandler):
    """Answers GET /, GET /?seconds=N, GET /health and POST /."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/health":
            self.answer(200 if HEALTHY else 503, "ok" if HEALTHY else "not healthy")
            return
        time.sleep(float(parse_qs(url.query).get("seconds", ["0"])[0]))
        self.answer(200, VERSION)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, VERSION)

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if os.environ.get("SINGLETON"):
    # Two of them at once would be a fault: the second one says so and does not start.
    try:
        os.close(os.open(os.environ["SINGLETON"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        sys.exit("another one is running")

    def leave(*_):
        Path(os.environ["SINGLETON"]).unlink()
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
if os.environ.get("ADMIN"):
    threading.Thread(
        target=Server(("127.0.0.1", int(os.environ["PORT_ADMIN"])), Handler).serve_forever, daemon=True
    ).start()
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
