"""Everything that Consul keeps is saved and put back."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.consul.snapshot import ConsulSnapshot
from zdd.errors import BackupError, ConfigurationError


def value(agent: Any, key: str) -> str | None:
    found = agent.ask("GET", f"/v1/kv/{key}")
    return found[0]["Value"] if found else None


def test_everything_is_as_it_was_and_what_is_damaged_is_refused(own_agent: Any) -> None:
    snapshot = ConsulSnapshot(own_agent.address)
    snapshot.check()
    own_agent.ask("PUT", "/v1/kv/shop/orders", b"1")
    before = value(own_agent, "shop/orders")
    position = int(snapshot.position())
    (kept,) = snapshot.save()
    own_agent.ask("PUT", "/v1/kv/shop/orders", b"spoiled")
    own_agent.ask("PUT", "/v1/kv/shop/added", b"new")
    assert int(snapshot.position()) > position
    for damaged in (b"", kept[:-20], kept[: len(kept) // 2] + b"x" + kept[len(kept) // 2 + 1 :]):
        with pytest.raises(BackupError, match="no whole snapshot"):
            snapshot.load([damaged])
    assert value(own_agent, "shop/added") is not None
    snapshot.load([kept[:100], kept[100:]])
    assert value(own_agent, "shop/orders") == before
    assert value(own_agent, "shop/added") is None
    own_agent.ask("PUT", "/v1/kv/zdd/heads/web", b"{}")
    with pytest.raises(ConfigurationError, match="own journal and lease"):
        snapshot.check()


def test_a_consul_that_is_not_there_is_told_beforehand() -> None:
    nowhere = ConsulSnapshot("http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="can't be reached"):
        nowhere.check()
    with pytest.raises(BackupError, match="can't be reached"):
        next(nowhere.save())
