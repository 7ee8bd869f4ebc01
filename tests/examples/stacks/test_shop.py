"""The shop: built, pushed and deployed; then its application changes while customers order."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from zdd.model.address import Address

pytestmark = pytest.mark.timeout(600)  # images are built and pushed, and several releases deployed


class Customers:
    """Order all the time, each on a connection of its own, and never order twice."""

    def __init__(self, entrance: Address) -> None:
        self.entrance = entrance
        self.orders: list[int] = []
        self.lost: list[str] = []
        self._ended = threading.Event()

    @contextlib.contextmanager
    def ordering(self, number: int = 4) -> Iterator[None]:
        threads = [threading.Thread(target=self._order) for _ in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _order(self) -> None:
        client = http.client.HTTPConnection(self.entrance.host, self.entrance.port, timeout=20)
        while not self._ended.wait(0.05):
            try:
                self.orders.append(int(self.ask(client, "POST", "/orders", "2 apples")))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.lost.append(repr(error))
                client.close()
        client.close()

    def ask(self, client: http.client.HTTPConnection, method: str, path: str, body: str = "") -> str:
        client.request(method, path, body)
        response = client.getresponse()
        text = response.read().decode()
        if response.status != http.client.OK:
            raise ValueError(f"{response.status} {text}")
        return text


def test_a_release_of_web_and_worker_loses_no_order_and_leaves_the_database_alone(stand: Any, wait_until: Any) -> None:
    customers = Customers(stand.behind_haproxy({"shop-web": "/"}))
    folder = stand.copy("shop")
    (folder / "password.txt").write_text("let-me-in")
    registry, image = stand.facts["registry"], stand.facts["database"]
    stand.environment |= {"REPOSITORY": f"{registry}/shop/web", "BASE": image, "DATABASE_IMAGE": image}
    assert stand.deploy(folder, "deploy.py").startswith("shop: succeeded")
    database = stand.tasks("shop_database")
    assert len(database) == 1

    source = folder / "web" / "shop.py"
    source.write_text(source.read_text() + "\n# another release\n")
    with customers.ordering():
        wait_until(lambda: len(customers.orders) >= 20, "customers order")
        told = stand.deploy(folder, "deploy.py")
        before = len(customers.orders)
        wait_until(lambda: len(customers.orders) >= before + 20, "customers order on")
    assert [line.split()[:2] for line in told.splitlines()[1:4]] == [
        ["shop-database", "unchanged"], ["shop-web", "succeeded"], ["shop-worker", "succeeded"],
    ]  # fmt: skip
    assert stand.tasks("shop_database") == database
    assert customers.lost == []

    with contextlib.closing(http.client.HTTPConnection(customers.entrance.host, customers.entrance.port)) as client:
        states = [
            wait_until(
                lambda path=f"/orders/{number}": customers.ask(client, "GET", path).removeprefix("waiting"),
                f"order {number} is done",
            )
            for number in customers.orders
        ]
    assert len(set(states)) == 2, "both releases of the worker have carried out orders, each once"
