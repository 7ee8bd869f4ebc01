"""What the services of these tests share: how they answer, serve, and exit at once on SIGTERM.

They run as programs of their own, by path, and find this module beside them.
"""

import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering(BaseHTTPRequestHandler):
    """Keeps connections open, answers with a text, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"]))

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


def serve(handler, port="PORT"):
    """Serve on the port that this variable of the environment has, on loopback unless HOST says otherwise."""
    Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ[port])), handler).serve_forever()


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
