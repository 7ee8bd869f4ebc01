"""A service that keeps orders in PostgreSQL: POST adds one, and answers when it is committed.

With SPOILS=yes it rewrites all orders in a form that older releases don't understand, whenever it adds one.
"""

import os
import subprocess

from serving import Answering, serve

SPOIL = (
    "lock table orders in exclusive mode; update orders set body = 'spoiled ' || body;"
    if os.environ.get("SPOILS") == "yes"
    else ""
)


class Handler(Answering):
    """Answers GET /health and POST /."""

    def do_GET(self):  # noqa: N802 - the standard library's name
        self.answer(200, "ok")

    def do_POST(self):  # noqa: N802 - the standard library's name
        order = f"{SPOIL} insert into orders values ('{int(self.body()):06}')"  # noqa: S608 - a number
        words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", order]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.answer(500 if done.returncode else 201, done.stderr)


serve(Handler)
