"""A small HTTP server to deploy. It needs nothing but Python.

It listens on every port of the environment variables ``PORT_…``, or on 8080; ends what it has begun when it is told to
stop; and answers:

    /             its version, from ZDD_VERSION or VERSION
    /health       204, or 503 if UNHEALTHY is set
    /sleep/1.5    after that many seconds
    /die          not at all: it ends with status 3

CRASH makes it end at once, STUBBORN deaf to the polite signal, SLOW_TO_STOP wait so many seconds before it ends.
"""

import http.server
import os
import signal
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(3)
        if self.path.startswith("/sleep/"):
            time.sleep(float(self.path.rpartition("/")[2]))
        unhealthy = self.path == "/health" and "UNHEALTHY" in os.environ
        self.answer(503 if unhealthy else 200, os.environ.get("ZDD_VERSION", os.environ.get("VERSION", "unknown")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, str(len(body)))

    def answer(self, status: int, text: str) -> None:
        with self.server.busy:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("0.0.0.0", port), Handler)
        self.busy = threading.Lock()


def main() -> None:
    if "CRASH" in os.environ:
        sys.exit("there is no database")
    wanted = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None if "STUBBORN" in os.environ else wanted.set())
    ports = {int(value) for name, value in os.environ.items() if name.startswith("PORT_")} or {8080}
    servers = [Server(port) for port in ports]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    wanted.wait()
    time.sleep(float(os.environ.get("SLOW_TO_STOP", "0")))
    for server in servers:
        server.shutdown()


if __name__ == "__main__":
    main()
