"""What a service may say of itself; anything else is refused in words that name it, before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import FunctionGate, HttpGate, TcpGate
from zdd.model.service import Exposure, Overlap, Service


@pytest.mark.parametrize(
    ("said", "floor"),
    [
        ({}, 1),
        ({"replicas": 3}, 3),
        ({"replicas": 3, "floor": 2}, 2),
        ({"replicas": 3, "floor": 0}, 0),
        ({"overlap": "forbidden"}, 0),
        ({"replicas": 3, "overlap": "forbidden", "floor": 0}, 0),
    ],
)
def test_the_floor_is_all_of_them_unless_it_is_stated_or_there_must_be_a_gap(said: dict[str, Any], floor: int) -> None:
    assert Service("web", **said).agreed_floor == floor


def test_there_is_one_way_in_unless_it_says_otherwise() -> None:
    assert Service("web").exposures == (Exposure("http", "/"),)
    assert Service("web", exposures=Exposure("api")).exposures == (Exposure("api"),)
    assert Service("worker", exposures=()).exposures == ()


def test_an_overlap_may_be_said_in_a_word() -> None:
    assert Service("web", overlap="forbidden").overlap is Overlap.FORBIDDEN


@pytest.mark.parametrize(
    ("port", "variable"), [("http", "PORT_HTTP"), ("admin-api", "PORT_ADMIN_API"), ("p2", "PORT_P2")]
)
def test_an_instance_finds_the_number_of_a_port_in_a_variable_of_its_name(port: str, variable: str) -> None:
    assert Exposure(port).variable == variable


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"name": "Web"}, "service name 'Web'"),
        ({"replicas": 0}, "replicas of web is 0"),
        ({"replicas": 100_001}, "replicas of web is 100001"),
        ({"replicas": 2.5}, "replicas of web is 2.5"),
        ({"floor": -1}, "floor of web is -1"),
        ({"replicas": 2, "floor": 3}, "floor of web is 3, above its 2 replicas: use a floor of at most 2, or more"),
        ({"floor": 1, "overlap": "forbidden"}, "floor of web is 1, but its instances may not overlap"),
        ({"overlap": "perhaps"}, "perhaps"),
        ({"replicas": 2, "cells": 3}, "cells of web is 3"),
        ({"cells": 0}, "cells of web is 0"),
        ({"start_deadline_s": -1}, "start_deadline_s of web is -1"),
        ({"drain_deadline_s": 8 * 24 * 3600}, "drain_deadline_s of web"),
        ({"stop_grace_s": "10"}, "stop_grace_s of web is '10'"),
        ({"settle_s": float("nan")}, "settle_s of web is nan"),
        ({"exposures": ("http",)}, r"exposures=\('http',\): use a list such as"),
        ({"exposures": 80}, "exposures=80: use a list such as"),
        ({"exposures": (Exposure(), Exposure(path="/a"))}, "port 'http' of web is exposed twice"),
        (
            {"gates": [HttpGate(port="api")]},
            "gate GET / on port api looks at port 'api' of web, but its ports are 'http'",
        ),
        ({"gates": [TcpGate()], "exposures": ()}, "looks at port 'http' of web, but it has no exposures"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Service(**{"name": "web", **said})


def test_a_gate_that_names_its_ports_as_one_text_is_refused() -> None:
    """A text is a row of letters too, and each would be taken for a port."""

    class Mistaken(FunctionGate):
        def ports(self) -> Any:
            return "http"

    with pytest.raises(ConfigurationError, match=r"ports 'http': ports\(\) returns a frozenset of their names"):
        Service("web", gates=(Mistaken(lambda _target: True),))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"port": "a b"}, "port name 'a b'"),
        ({"path": "shop"}, "path 'shop' of port 'http': use a path that begins with /"),
        ({"path": "/a b"}, "path '/a b'"),
        ({"path": "/a`"}, "path '/a`'"),
        ({"path": None}, "path None"),
        ({"host": ""}, "host '' of port 'http': use a host name"),
        ({"host": "a/b"}, "host 'a/b'"),
        ({"host": 'a"b'}, "host 'a\"b'"),
        ({"host": 5}, "host 5"),
    ],
)
def test_a_way_in_that_could_break_out_of_an_edges_rule_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Exposure(**said)
