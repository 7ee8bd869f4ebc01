"""The shop: `web` takes orders and tells how they stand, `work` carries them out.

POST /orders      the body is what is ordered; answered with the order's number
GET  /orders/7    `waiting`, or `done by` and the worker's version
GET  /health      200 if the database answers
"""

import http.server
import os
import pathlib
import signal
import sys
import threading
import time

import psycopg2

VERSION = os.environ.get("ZDD_VERSION", "unknown")
TABLE = "CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, what text NOT NULL, done_by text[] NOT NULL)"
NEXT = "SELECT id FROM orders WHERE done_by = '{}' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"


def connect():
    password = pathlib.Path(os.environ["DATABASE_PASSWORD_FILE"]).read_text().strip()
    host = os.environ["DATABASE_HOST"]
    made = psycopg2.connect(host=host, user="shop", dbname="shop", password=password, connect_timeout=3)
    made.autocommit = True
    return made


def connected():
    """Wait for the database: nothing promises that it was started first."""
    while True:
        try:
            database = connect()
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(1)")  # web and worker may come up in the same moment
                cursor.execute(TABLE)
                cursor.execute("SELECT pg_advisory_unlock(1)")
        except psycopg2.OperationalError as error:
            print(f"waiting for the database: {error}", flush=True)
            time.sleep(0.5)
        else:
            return database


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    database = None

    def ask(self, statement, *values):
        if self.database is None or self.database.closed:
            self.database = connect()
        with self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()

    def do_POST(self):
        what = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(lambda: self.ask("INSERT INTO orders (what, done_by) VALUES (%s, '{}') RETURNING id", what)[0])

    def do_GET(self):
        if self.path == "/health":
            self.answer(lambda: self.ask("SELECT 'well'")[0])
        elif self.path.startswith("/orders/"):
            self.answer(lambda: self.state(self.path.rpartition("/")[2]))
        else:
            self.answer(lambda: VERSION)

    def state(self, number):
        (by,) = self.ask("SELECT done_by FROM orders WHERE id = %s", int(number))
        return "done by " + ", ".join(by) if by else "waiting"

    def answer(self, work):
        try:
            status, text = 200, str(work())
        except psycopg2.Error as error:
            status, text = 503, f"the database: {error}"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self):
        super().finish()
        if self.database is not None:
            self.database.close()

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def web(ended):
    connected().close()
    server = Server(("", 8080), Handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    ended.wait()
    server.shutdown()


def work(ended):
    database = connected()
    while not ended.is_set():
        database.autocommit = False
        with database, database.cursor() as cursor:  # one transaction: a worker that dies leaves the order to another
            cursor.execute(NEXT)
            found = cursor.fetchone()
            if found is not None:
                time.sleep(0.02)  # what carrying it out takes
                cursor.execute("UPDATE orders SET done_by = done_by || %s WHERE id = %s", ([VERSION], found[0]))
        if found is None:
            ended.wait(0.1)


if __name__ == "__main__":
    wanted = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: wanted.set())
    {"web": web, "work": work}[sys.argv[1]](wanted)
