"""A service for the tests: answers with its version, takes its time when asked to, and exits at once on SIGTERM.

It does nothing for its clients when it is told to stop: what it has in flight is lost. So nothing may be in flight.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from serving import Answering, serve

VERSION = os.environ["ZDD_VERSION"]
HEALTHY = os.environ.get("HEALTHY", "yes") == "yes"


class Handler(Answering):
    """Answers GET /, GET /?seconds=N, GET /health and POST /."""

    def do_GET(self):  # noqa: N802 - the standard library's name
        url = urlsplit(self.path)
        if url.path == "/health":
            self.answer(200 if HEALTHY else 503, "ok" if HEALTHY else "not healthy")
            return
        time.sleep(float(parse_qs(url.query).get("seconds", ["0"])[0]))
        self.answer(200, VERSION)

    def do_POST(self):  # noqa: N802 - the standard library's name
        self.body()
        self.answer(201, VERSION)


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
    threading.Thread(target=serve, args=(Handler, "PORT_ADMIN"), daemon=True).start()
serve(Handler)
