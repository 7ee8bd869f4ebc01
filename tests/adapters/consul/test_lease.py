"""The lease on a real Consul: who has it, for how long, and what its end looks like from both sides."""

from __future__ import annotations

import base64
import multiprocessing
import os
import signal
import threading
import time
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.errors import ConfigurationError, DeploymentInProgress, LeaseLost, PermanentError, TemporaryError
from zdd.events import StagePassed
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Service

EVENT = StagePassed(at_s=1.0, service="web", deployment="d", stage=0, title="t")
ANN, BOB = "ann@host:1", "bob@host:2"


@pytest.fixture
def lease(connection: ConsulConnection, prefix: str) -> ConsulLease:
    return ConsulLease(connection, prefix=prefix)


def sessions(agent: Any, holder: str) -> list[dict[str, Any]]:
    return [session for session in agent.ask("GET", "/v1/session/list") if session["Name"].endswith(holder)]


def test_the_next_holder_shuts_the_former_one_out_of_everything_at_once(
    lease: ConsulLease, connection: ConsulConnection, prefix: str, service: Service
) -> None:
    old = lease.acquire(service.name, ANN, 0.2)
    discovery, journal = ConsulDiscovery(connection, prefix=prefix), ConsulJournal(connection, prefix=prefix)
    discovery.claim(service, old)
    journal.append(service.name, EVENT, old)
    deadline = time.monotonic() + 60
    while lease.holder(service.name) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    new = lease.acquire(service.name, BOB, 60.0)
    with pytest.raises(LeaseLost, match=rf"{BOB} \(token {new.token}, ours is {old.token}\)"):
        journal.append(service.name, EVENT, old)
    with pytest.raises(LeaseLost):
        discovery.apply(service, Route(()), old)
    with pytest.raises(LeaseLost, match=f"{BOB} has taken it"):
        lease.renew(service.name, old, 60.0)
    lease.release(service.name, new)


def test_a_token_is_greater_than_what_discovery_and_journal_have_seen(
    lease: ConsulLease, connection: ConsulConnection, prefix: str, service: Service
) -> None:
    ConsulJournal(connection, prefix=prefix).append(service.name, EVENT, Fence(41, "an older lease"))
    assert lease.acquire(service.name, ANN, 60.0).token == 42


def test_a_session_stands_behind_it_and_ends_with_it(agent: Any, lease: ConsulLease, prefix: str) -> None:
    holder = f"{prefix}@host:1"
    fence = lease.acquire("web", holder, 60.0)
    (session,) = sessions(agent, holder)
    assert (session["TTL"], session["LockDelay"], session["Behavior"]) == ("60s", 0, "release")
    assert agent.ask("GET", f"/v1/kv/{prefix}/heads/web/lease")[0]["Session"] == session["ID"]
    lease.release("web", fence)
    assert sessions(agent, holder) == []


def test_whoever_is_refused_leaves_no_session(agent: Any, lease: ConsulLease, prefix: str) -> None:
    lease.acquire("web", ANN, 60.0)
    with pytest.raises(DeploymentInProgress, match=f"web is being deployed by {ANN} since .* wait until it is done"):
        lease.acquire("web", f"{prefix}@host:2", 60.0)
    assert sessions(agent, f"{prefix}@host:2") == []


def test_a_person_can_end_it_by_ending_the_session(agent: Any, lease: ConsulLease, prefix: str) -> None:
    fence = lease.acquire("web", f"{prefix}@host:1", 600.0)
    agent.ask("PUT", f"/v1/session/destroy/{sessions(agent, f'{prefix}@host:1')[0]['ID']}")
    assert lease.holder("web") is None
    assert lease.acquire("web", BOB, 60.0).token == fence.token + 1


def test_a_holder_whose_session_has_gone_renews_with_another_if_nobody_came_first(
    agent: Any, lease: ConsulLease, prefix: str
) -> None:
    fence = lease.acquire("web", f"{prefix}@host:1", 600.0)
    (session,) = sessions(agent, f"{prefix}@host:1")
    agent.ask("PUT", f"/v1/session/destroy/{session['ID']}")
    lease.renew("web", fence, 600.0)
    (other,) = sessions(agent, f"{prefix}@host:1")
    assert other["ID"] != session["ID"]
    with pytest.raises(DeploymentInProgress):
        lease.acquire("web", BOB, 60.0)
    lease.release("web", fence)


def _take_and_die(address: str, prefix: str) -> None:
    ConsulLease(ConsulConnection(address=address), prefix=prefix).acquire("web", "the dead@host:9", 1.0)
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lease_of_a_killed_deployer_is_free_when_it_has_run_out(
    agent: Any, lease: ConsulLease, prefix: str
) -> None:
    deployer = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(agent.address, prefix))
    deployer.start()
    deployer.join(60.0)
    assert deployer.exitcode == -signal.SIGKILL
    held = lease.holder("web")
    assert held is not None
    assert held.name == "the dead@host:9"
    time.sleep(max(0.0, held.expires_s - time.time()))
    lease.acquire("web", BOB, 60.0)


def test_two_deployers_that_fight_for_it_never_have_it_both(agent: Any, prefix: str) -> None:
    tokens: list[tuple[int, str]] = []
    inside: list[str] = []
    problems: list[object] = []
    end_s = time.monotonic() + 3.0

    def fight(name: str) -> None:
        lease = ConsulLease(ConsulConnection(address=agent.address), prefix=prefix)
        while time.monotonic() < end_s and not problems:
            try:
                fence = lease.acquire("web", name, 30.0)
            except (DeploymentInProgress, TemporaryError):
                continue
            inside.append(name)
            if len(inside) != 1:
                problems.append(list(inside))
            tokens.append((fence.token, name))
            lease.renew("web", fence, 30.0)
            inside.remove(name)
            lease.release("web", fence)

    threads = [threading.Thread(target=fight, args=(name,)) for name in (ANN, BOB)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert [token for token, _ in tokens] == list(range(1, len(tokens) + 1))
    assert len(tokens) > 10


def test_an_agent_that_hangs_makes_a_renewal_fail_in_time_to_stop(
    own_agent: Any, own_connection: ConsulConnection, caplog: pytest.LogCaptureFixture
) -> None:
    lease = ConsulLease(own_connection)
    fence = lease.acquire("web", ANN, 15.0)
    own_agent.pause()
    began_s = time.monotonic()
    with pytest.raises(TemporaryError):
        lease.renew("web", fence, 15.0)
    assert time.monotonic() - began_s < 10.0, (
        "a driver that begins a third into the lease must be done well before its end"
    )
    own_agent.go_on()
    own_agent.kill()
    with pytest.raises(TemporaryError, match="can't be reached"):
        lease.acquire("app", ANN, 15.0)
    lease.release("web", fence)
    assert "that of web ends when its time is over" in caplog.text
    own_agent.start()
    lease.renew("web", fence, 15.0)
    own_agent.kill()
    own_agent.forget_everything()
    own_agent.start()
    with pytest.raises(LeaseLost):
        lease.renew("web", fence, 15.0)
    assert lease.acquire("web", BOB, 15.0).token == 1


@pytest.mark.parametrize(
    "value", [b"", b"null", b"{", b'{"format": 1}', b'{"format": 1, "token": "5"}', b'{"format": 2}']
)
def test_a_damaged_key_is_refused_and_left_alone(agent: Any, lease: ConsulLease, prefix: str, value: bytes) -> None:
    key = f"{prefix}/heads/web/lease"
    agent.ask("PUT", f"/v1/kv/{key}", value)
    acts = [
        lambda: lease.acquire("web", ANN, 60.0),
        lambda: lease.renew("web", Fence(1, ANN), 60.0),
        lambda: lease.release("web", Fence(1, ANN)),
        lambda: lease.holder("web"),
    ]
    for act in acts:
        with pytest.raises(PermanentError, match=key):
            act()
    assert (agent.ask("GET", f"/v1/kv/{key}")[0]["Value"] or "") == base64.b64encode(value).decode()


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), 1e9, True])
def test_a_time_that_is_none_is_refused(lease: ConsulLease, ttl_s: float) -> None:
    with pytest.raises(ConfigurationError, match="ttl_s of the lease of web"):
        lease.acquire("web", ANN, ttl_s)
