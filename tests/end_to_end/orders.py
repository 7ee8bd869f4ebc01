"""A service that keeps orders in PostgreSQL: POST adds one, and answers when it is committed.

With SPOILS=yes it rewrites all orders in a form that older releases don't understand, whenever it adds one.
"""

import os
import signal
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SPOIL = (
    "lock table orders in exclusive mode; update orders set body = 'spoiled ' || body;"
    if os.environ.get("SPOILS") == "yes"
    else ""
)


class Handler(BaseHTTPRequestHandler):
    """Answers GET /health and POST /."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, "ok")

    def do_POST(self):
        body = int(self.rfile.read(int(self.headers["Content-Length"])))
        order = f"{SPOIL} insert into orders values ('{body:06}')"  # noqa: S608 - a number
        words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", order]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.answer(500 if done.returncode else 201, done.stderr)

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
