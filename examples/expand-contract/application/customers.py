"""Customers: POST /customers takes a name and answers with a number, GET /customers/7 answers with the name.

Three releases of it, told apart by RELEASE. In a project of yours each is a commit of its own.

1    knows the column `name` alone
2    reads `given` and `family`, or `name` where they are not filled in yet; writes all three, so that 1 can read it
3    knows `given` and `family` alone
"""

import http.server
import os
import signal
import threading

import psycopg2

RELEASE = os.environ["RELEASE"]
READ = {
    "1": "SELECT name FROM customer WHERE id = %s",
    "2": "SELECT coalesce(given || ' ' || family, name) FROM customer WHERE id = %s",
    "3": "SELECT given || ' ' || family FROM customer WHERE id = %s",
}
WRITE = {
    "1": "INSERT INTO customer (name) VALUES (%(name)s) RETURNING id",
    "2": "INSERT INTO customer (name, given, family) VALUES (%(name)s, %(given)s, %(family)s) RETURNING id",
    "3": "INSERT INTO customer (given, family) VALUES (%(given)s, %(family)s) RETURNING id",
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    database = None

    def ask(self, statement, values):
        if self.database is None or self.database.closed:
            self.database = psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=3)
            self.database.autocommit = True
        with self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()[0]

    def do_POST(self):
        name = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given, _, family = name.partition(" ")
        self.answer(lambda: self.ask(WRITE[RELEASE], {"name": name, "given": given, "family": family}))

    def do_GET(self):
        if self.path == "/health":
            self.answer(lambda: self.ask("SELECT count(*) FROM customer WHERE id = 0", None))
        else:
            self.answer(lambda: self.ask(READ[RELEASE], [int(self.path.rpartition("/")[2])]))

    def answer(self, work):
        try:
            status, text = 200, str(work())
        except psycopg2.Error as error:
            status, text = 503, f"the database: {error}"
        body = text.encode()
        self.send_response(status)
        self.send_header("Release", RELEASE)
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


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = Server(("", 8080), Handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    ended.wait()
    server.shutdown()
