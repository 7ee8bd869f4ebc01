from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.consul.connect import ConnectSplits, hundredths, subset_of
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.lease import ConsulLease
from zdd.errors import ConfigurationError, LeaseLost
from zdd.interfaces import Fence


@pytest.fixture(scope="module")
def mesh(lab: Any, consul_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An agent with Connect, and a service of layer 7."""
    settings = {"connect": {"enabled": True}}
    running = lab.ConsulAgent(consul_program, tmp_path_factory.mktemp("mesh"), settings=settings)
    running.start()
    running.ask("PUT", "/v1/config", {"Kind": "service-defaults", "Name": "web", "Protocol": "http"})
    yield running
    running.stop()


@pytest.fixture
def splits(mesh: Any) -> ConnectSplits:
    return ConnectSplits(ConsulConnection(address=mesh.address))


def test_shares_are_divided_exactly() -> None:
    assert hundredths({"1": 95, "2": 5}) == {"1": 9500, "2": 500}
    assert hundredths({"1": 1, "2": 1, "3": 1}) == {"1": 3334, "2": 3333, "3": 3333}
    assert hundredths({"1": 0, "2": 7}) == {"1": 0, "2": 10_000}
    for shares in ({}, {"1": 0}, {"1": -1}, {"1": 0.5}, {"1": True}):
        with pytest.raises(ConfigurationError, match="share"):
            hundredths(shares)


def test_what_was_written_is_what_the_compiled_chain_divides(mesh: Any, splits: ConnectSplits) -> None:
    for shares in ({"1.0": 1}, {"1.0": 95, "2.0": 5}, {"1.0": 1, "2.0": 2}, {"1.0": 0, "2.0": 1}, {"2.0": 1}):
        splits.write("web", "web", shares, Fence(1, "ann"))
        assert splits.shown("web") == {subset_of(v): share for v, share in hundredths(shares).items() if share}
    resolver = mesh.ask("GET", "/v1/config/service-resolver/web")
    assert resolver["Subsets"] == {
        subset_of("2.0"): {"Filter": "`version=2.0` in Service.Tags", "OnlyPassing": False}
    } or resolver["Subsets"] == {subset_of("2.0"): {"Filter": "`version=2.0` in Service.Tags"}}
    index = resolver["ModifyIndex"]
    splits.write("web", "web", {"2.0": 1}, Fence(1, "ann"))
    assert mesh.ask("GET", "/v1/config/service-resolver/web")["ModifyIndex"] == index


def test_what_else_a_resolver_says_is_kept(mesh: Any, splits: ConnectSplits) -> None:
    mesh.ask("PUT", "/v1/config", {"Kind": "service-defaults", "Name": "shop", "Protocol": "http"})
    own = {"Kind": "service-resolver", "Name": "shop", "ConnectTimeout": "7s"}
    mesh.ask("PUT", "/v1/config", own)
    splits.write("shop", "shop", {"1.0": 1, "2.0": 1}, Fence(1, "ann"))
    assert mesh.ask("GET", "/v1/config/service-resolver/shop")["ConnectTimeout"] == "7s"


def test_a_service_without_layer_7_is_refused_before_anything_is_written(splits: ConnectSplits) -> None:
    with pytest.raises(ConfigurationError, match="service-defaults"):
        splits.write("plain", "plain", {"1.0": 1, "2.0": 1}, Fence(1, "ann"))


def test_who_was_shut_out_writes_nothing(mesh: Any, splits: ConnectSplits) -> None:
    lease = ConsulLease(ConsulConnection(address=mesh.address))
    old = lease.acquire("web", "mirror ann@host:1", 60.0)
    new = lease.acquire("web", "bob@host:2", 60.0)
    splits.write("web", "web", {"1.0": 1, "2.0": 1}, new)
    before = splits.shown("web")
    with pytest.raises(LeaseLost):
        splits.write("web", "web", {"1.0": 9, "2.0": 1}, old)
    assert splits.shown("web") == before


def test_illegal_names_and_versions_are_refused(splits: ConnectSplits) -> None:
    with pytest.raises(ConfigurationError, match="service name"):
        splits.write("web", "we/b", {"1.0": 1}, Fence(1, "ann"))
    with pytest.raises(ConfigurationError, match="can't be told apart"):
        splits.write("web", "web", {"1`": 1}, Fence(1, "ann"))
