from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest
from attrs import frozen

from zdd import Deployer, Process, Release, Service
from zdd.adapters.consul.configuration import (
    ConfigurationReader,
    ConsulConfiguration,
    configuration_of,
)
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.errors import ConfigurationError, PermanentError


@frozen
class Settings:
    database: str
    pool_size: int = 5


@pytest.fixture
def configuration(connection: ConsulConnection, prefix: str) -> ConsulConfiguration:
    return ConsulConfiguration(connection, prefix=prefix)


@pytest.fixture
def reader(connection: ConsulConnection, prefix: str) -> Callable[[str], ConfigurationReader]:
    return lambda name: ConfigurationReader(connection, "web", name, prefix=prefix)


def test_the_same_content_is_there_once_and_is_read_whole(
    configuration: ConsulConfiguration, reader: Callable[[str], ConfigurationReader]
) -> None:
    first = configuration.publish("web", {"database": "a", "pool_size": 7})
    assert configuration.publish("web", Settings("a", 7)) == first
    second = configuration.publish("web", {"database": "b"})
    assert configuration.names("web") == tuple(sorted([first, second]))
    assert configuration.read("web", first) == {"database": "a", "pool_size": 7}
    assert reader(first).read(Settings) == Settings("a", 7)
    assert reader(second).read(Settings) == Settings("b")


def test_more_keys_than_one_transaction_takes(configuration: ConsulConfiguration) -> None:
    values = {f"key-{number}": "x" * number for number in range(200)}
    assert configuration.read("web", configuration.publish("web", values)) == values


def test_what_somebody_changed_by_hand_is_not_read(
    configuration: ConsulConfiguration, reader: Callable[[str], ConfigurationReader], agent: Any, prefix: str
) -> None:
    name = configuration.publish("web", {"database": "a"})
    agent.ask("PUT", f"/v1/kv/{prefix}/config/web/{name}/database", b'"evil"')
    with pytest.raises(ConfigurationError, match="is not what was published"):
        reader(name).read(Settings)
    assert configuration.publish("web", {"database": "a"}) == name
    assert reader(name).read(Settings) == Settings("a")


def test_what_is_not_there_or_does_not_fit_is_said(
    configuration: ConsulConfiguration, reader: Callable[[str], ConfigurationReader]
) -> None:
    with pytest.raises(ConfigurationError, match="web has no configuration 0123456789abcdef: publish it"):
        reader("0123456789abcdef").read(Settings)
    with pytest.raises(ConfigurationError, match="is no hash of a configuration"):
        reader("../heads/web/fence")
    name = configuration.publish("web", {"pool_size": "many"})
    with pytest.raises(ConfigurationError) as refused:
        reader(name).read(Settings)
    assert "key 'database' is missing, str is wanted; key 'pool_size' is 'many' (str), int" in str(refused.value)


@pytest.mark.parametrize("values", [{}, [], {"a/b": 1}, {1: 2}, {"x": {1, 2}}, {"x": float("nan")}])
def test_what_cannot_be_published_is_refused(configuration: ConsulConfiguration, values: Any) -> None:
    with pytest.raises(ConfigurationError, match="configuration"):
        configuration.publish("web", values)


def test_a_rollback_brings_its_configuration_back_and_what_no_revision_needs_goes(
    configuration: ConsulConfiguration,
) -> None:
    names = [configuration.publish("web", {"database": text}) for text in "abc"]
    unused = configuration.publish("web", {"database": "unused"})
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    workload = {**Behaviour().specification(), "environment": {"A": "1"}}
    with pytest.raises(ConfigurationError, match="no 'environment'"):
        deployer.deploy(Service("web"), configuration.configure(Release("1", workload), names[0]))
    releases = [
        configuration.configure(Release(str(number), Process(["x"], environment={"A": "1"})), name)
        for number, name in enumerate(names)
    ]
    for release in releases[:2]:
        assert release.workload["environment"]["A"] == "1"
        deployer.deploy(Service("web"), release)
    deployer.rollback("web")
    plans = [one.plan for one in deployer.history("web")]
    running = plans[-1].revisions[plans[-1].target]
    assert configuration_of(running) == names[0]
    revisions = [revision for plan in plans for revision in plan.revisions.values()]
    configuration.point("web", names[2])
    assert configuration.clean("web", revisions) == ()  # published a moment ago
    assert configuration.clean("web", revisions, kept_s=0) == (unused,)
    assert configuration.names("web") == tuple(sorted(names))


def test_a_workload_without_an_environment_is_refused(configuration: ConsulConfiguration) -> None:
    with pytest.raises(ConfigurationError, match="no environment to put ZDD_CONFIGURATION into"):
        configuration.configure(Release("1", Behaviour()), "0123456789abcdef")


def test_what_could_never_be_read_is_not_published(configuration: ConsulConfiguration) -> None:
    for service in ("../web", Service("web"), ""):
        with pytest.raises(ConfigurationError, match="service name"):
            configuration.publish(service, {"database": "a"})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="'nope' is no hash of a configuration"):
        configuration.configure(Release("1.0", Process(["true"])), "nope")
    with pytest.raises(ConfigurationError, match="one of the revisions is a str"):
        configuration.clean("web", ["web"])  # type: ignore[list-item]


def test_current_is_watched(configuration: ConsulConfiguration, reader: Callable[[str], ConfigurationReader]) -> None:
    first, second = (configuration.publish("web", {"database": text}) for text in "ab")
    found: Queue[Settings] = Queue()
    stopped = threading.Event()
    watching = threading.Thread(
        target=lambda: [found.put(settings) for settings in reader(first).watch(Settings, stopped)]
    )
    watching.start()
    configuration.point("web", first)
    assert found.get(timeout=60.0) == Settings("a")
    configuration.point("web", second)
    assert found.get(timeout=60.0) == Settings("b")
    stopped.set()
    configuration.point("web", first)  # wakes it
    watching.join(60.0)
    assert not watching.is_alive()
    with pytest.raises(ConfigurationError, match="has no configuration"):
        configuration.point("web", "0123456789abcdef")


def test_the_least_rights_are_enough(guarded_agent: Any, prefix: str) -> None:
    def token(rules: str) -> ConsulConnection:
        policy = guarded_agent.ask("PUT", "/v1/acl/policy", {"Name": f"{prefix}-{len(rules)}", "Rules": rules})
        made = guarded_agent.ask("PUT", "/v1/acl/token", {"Policies": [{"ID": policy["ID"]}]})
        return ConsulConnection(address=guarded_agent.address, token=made["SecretID"])

    shape = ConsulConfiguration(ConsulConnection(), prefix=prefix)
    writing = ConsulConfiguration(token(shape.policy("web")), prefix=prefix)
    name = writing.publish("web", {"database": "a"})
    rules = ConfigurationReader(ConsulConnection(), "web", name, prefix=prefix).policy()
    reading = token(rules)
    assert ConfigurationReader(reading, "web", name, prefix=prefix).read(Settings) == Settings("a")
    with pytest.raises(PermanentError, match="not permitted"):
        ConsulConfiguration(reading, prefix=prefix).publish("web", {"database": "b"})
