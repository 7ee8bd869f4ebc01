"""A service that keeps orders in PostgreSQL: POST adds one, and answers when it is committed.

GET /ready says whether the database answers. With SPOILS=yes it rewrites all orders in a form that older releases
don't understand, whenever it adds one.
"""

import os
import subprocess

from serving import Answering, serve

SPOIL = (
    "lock table orders in exclusive mode; update orders set body = 'spoiled ' || body;"
    if os.environ.get("SPOILS") == "yes"
    else ""
)


def tell_database(statement):
    words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]
    return subprocess.run(words, capture_output=True, text=True, check=False)


class Handler(Answering):
    """Answers GET /health, GET /ready and POST /."""

    def do_GET(self):  # noqa: N802 - the standard library's name
        if self.path != "/ready":
            return self.answer(200, "ok")
        done = tell_database("select 1")
        return self.answer(503 if done.returncode else 200, done.stderr)

    def do_POST(self):  # noqa: N802 - the standard library's name
        order = f"{SPOIL} insert into orders values ('{int(self.body()):06}')"  # noqa: S608 - a number
        done = tell_database(order)
        self.answer(500 if done.returncode else 201, done.stderr)


serve(Handler)
