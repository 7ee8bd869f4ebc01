"""The migration: old and new release serve side by side at each step, and no request is lost or answered wrongly."""

from __future__ import annotations

import http.client
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zdd.model.address import Address

pytestmark = pytest.mark.timeout(600)  # images are built and pushed, and several releases deployed
LAB = Path(__file__).parents[2] / "lab"
PASSWORD = "let-me-in"  # noqa: S105 - of a database that lives for one test
COLUMNS = """SELECT string_agg(column_name, ',' ORDER BY column_name) FROM information_schema.columns
WHERE table_name = 'customer'"""


class People:
    """Add customers and ask for their names, each over a connection of its own that is kept; nothing is sent twice."""

    def __init__(self, entrance: Address) -> None:
        self.entrance = entrance
        self.added: dict[int, str] = {}
        self.wrong: list[str] = []
        self.answers: list[str] = []
        self._ended = threading.Event()

    @contextmanager
    def asking(self, number: int = 4) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(f"Person{one}",)) for one in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _work(self, given: str) -> None:
        client = http.client.HTTPConnection(self.entrance.host, self.entrance.port, timeout=20)
        count = 0
        while not self._ended.wait(0.02):
            count += 1
            name = f"{given} Of The {count}th House"
            try:
                number = int(self.ask(client, "POST", "/customers", name))
                self.added[number] = name
                for one in (number, min(self.added)):  # what was added just now, and what an earlier release has added
                    answer = self.ask(client, "GET", f"/customers/{one}")
                    if answer != self.added[one]:
                        self.wrong.append(f"customer {one} is {answer!r}, not {self.added[one]!r}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.wrong.append(repr(error))
                client.close()
        client.close()

    def ask(self, client: http.client.HTTPConnection, method: str, path: str, body: str = "") -> str:
        client.request(method, path, body)
        response = client.getresponse()
        text = response.read().decode()
        if response.status != http.client.OK:
            raise ValueError(f"{response.status} {text}")
        self.answers.append(response.headers["Release"])
        return text


@pytest.fixture
def programs(stand: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What leads to PostgreSQL's client, for the example's script as well."""
    monkeypatch.syspath_prepend(str(LAB))
    import postgresql

    all_of_it = postgresql.LabPostgresql(postgresql.find_postgresql(), stand.directory).environment
    found = {name: text for name, text in all_of_it.items() if not name.startswith("PG")}
    stand.environment |= found
    return {**os.environ, **found}


@pytest.fixture
def database(stand: Any, programs: dict[str, str], wait_until: Callable[..., Any]) -> Callable[[str], str]:
    """A PostgreSQL in the swarm, which everybody reaches at a port of the node. What is returned asks it."""
    image = stand.facts["database"]
    environment = ["--env", f"POSTGRES_PASSWORD={PASSWORD}", "--env", "POSTGRES_USER=customers"]
    published = ["--publish", "mode=host,target=5432"]
    client = [stand.facts["client"], "--host", stand.facts["engine"]]
    create = ["service", "create", "--detach", "--name", "customers-database", *environment, *published, image]
    subprocess.run([*client, *create], check=True, capture_output=True, timeout=60)

    def port() -> Any:
        for task in stand.api.tasks(filters={"service": "customers-database", "desired-state": "running"}):
            for one in task["Status"].get("PortStatus", {}).get("Ports", []):
                return one["PublishedPort"]
        return None

    found = wait_until(port, "the database has a port")
    url = f"postgresql://customers:{PASSWORD}@{stand.facts['address']}:{found}/customers"
    stand.environment["DATABASE_URL"] = url

    def ask(statement: str) -> str:
        words = ["psql", "-X", "-A", "-t", "-c", statement, url]
        done = subprocess.run(words, env=programs, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip() if done.returncode == 0 else f"error: {done.stderr}"

    wait_until(lambda: ask("SELECT 1") == "1", "the database answers")
    return ask


@pytest.mark.parametrize("way", ["rolling", "blue-green"])
def test_the_schema_changes_while_old_and_new_serve(
    way: str, stand: Any, database: Callable[[str], str], wait_until: Callable[..., Any]
) -> None:
    people = People(stand.behind_haproxy({"customers": "/"}))
    folder = stand.copy("expand-contract")
    stand.environment |= {"REPOSITORY": f"{stand.facts['registry']}/customers", "BASE": stand.facts["database"]}
    assert "1 succeeded" in stand.deploy(folder, "deploy.py", "1", way)
    with people.asking():
        wait_until(lambda: people.answers.count("1") >= 20, "release 1 serves")
        for old, new in (("1", "2"), ("2", "3")):
            assert f"{old} → {new} succeeded" in stand.deploy(folder, "deploy.py", new, way)
            wait_until(lambda new=new: people.answers.count(new) >= 20, f"release {new} serves")
            if way == "rolling":  # blue/green switches at once: old and new run side by side, but need not both answer
                assert old in people.answers[people.answers.index(new) :], "both have served in between"
        assert "name" in database(COLUMNS)
        stand.deploy(folder, "deploy.py", "contract")
        asked = len(people.answers)
        wait_until(lambda: len(people.answers) >= asked + 20, "release 3 serves without the old column")
    assert people.wrong == []
    assert database(COLUMNS) == "family,given,id"
    assert set(people.answers) == {"1", "2", "3"}
    kept = database("SELECT string_agg(id || '=' || given || ' ' || family, ';' ORDER BY id) FROM customer")
    assert kept == ";".join(f"{number}={name}" for number, name in sorted(people.added.items()))
