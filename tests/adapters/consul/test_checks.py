"""What a real agent makes of the checks: of instances that answer, that answer otherwise, and that are gone."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from zdd.adapters.consul.checks import http_check, tcp_check
from zdd.errors import ConfigurationError
from zdd.model.address import Address

NAME = "checked"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers ``GET /503`` with 503."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.rpartition("/")[2]))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def here() -> Iterator[Address]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Address("127.0.0.1", server.server_address[1])
        server.shutdown()
        thread.join()


def test_an_agent_says_of_each_what_it_found(agent: Any, here: Address) -> None:
    gone = Address("127.0.0.1", 1)
    often = {"interval_s": 0.1, "timeout_s": 5.0}
    checks = {
        "passing": [tcp_check(here, **often), http_check(here, "/204", **often), http_check(here, "/200", **often)],
        "warning": [http_check(here, "/429", **often)],
        "critical": [tcp_check(gone, **often), http_check(here, "/503", **often), http_check(gone, "/200", **often)],
    }
    ids = {f"{status}-{number}": check for status, found in checks.items() for number, check in enumerate(found)}
    stated = [{"CheckID": name, "Status": "warning", **check} for name, check in ids.items()]
    stated[3]["Status"] = "passing"  # so that none is registered with what is awaited
    agent.ask("PUT", "/v1/agent/service/register", {"ID": NAME, "Name": NAME, "Port": 80, "Checks": stated})
    deadline = time.monotonic() + 60
    while True:
        said = {name: one["Status"] for name, one in agent.ask("GET", "/v1/agent/checks").items() if name in ids}
        if said == {name: name.partition("-")[0] for name in ids}:
            break
        assert time.monotonic() < deadline, said
        time.sleep(0.02)
    agent.ask("PUT", f"/v1/agent/service/deregister/{NAME}")


def test_it_is_told_in_consul_s_words() -> None:
    place = Address("::1", 80)
    assert tcp_check(place, interval_s=0.25, timeout_s=2, deregister_after_s=90) == {
        "Name": "accepts connections",
        "TCP": "[::1]:80",
        "Interval": "250ms",
        "Timeout": "2000ms",
        "DeregisterCriticalServiceAfter": "90s",
    }
    assert http_check(place, "/health")["HTTP"] == "http://[::1]:80/health"


@pytest.mark.parametrize(
    ("path", "numbers", "words"),
    [
        ("health", {}, "path 'health' of a check: use a path that begins with /"),
        ("/", {"interval_s": 0}, "interval_s of a check is 0"),
        ("/", {"timeout_s": float("nan")}, "timeout_s of a check is nan"),
        ("/", {"deregister_after_s": 59}, "deregister_after_s of a check is 59: use a number, 60"),
    ],
)
def test_what_can_not_be_checked_is_refused(path: str, numbers: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        http_check(Address("127.0.0.1", 80), path, **numbers)
