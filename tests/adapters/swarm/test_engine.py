"""The few calls of the Engine's API: word for word, counted, and with zdd's own errors for what may be expected."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from zdd.adapters.swarm.engine import Engine, EventStream, NameTaken, NotThere, OutOfSequence
from zdd.errors import PermanentError, TemporaryError


@pytest.fixture
def engine(swarm: Any) -> Iterator[Engine]:
    with contextlib.closing(Engine(swarm.engine)) as made:
        yield made


@pytest.fixture
def spec(swarm: Any) -> dict[str, Any]:
    """A service without tasks, with something in every part that zdd writes."""
    return {
        "Name": "web",
        "Labels": {"a": "b"},
        "TaskTemplate": {
            "ContainerSpec": {"Image": swarm.image, "Env": ["X=1"], "StopGracePeriod": 3_000_000_000},
            "RestartPolicy": {"Condition": "any", "MaxAttempts": 0},
        },
        "Mode": {"Replicated": {"Replicas": 0}},
        "UpdateConfig": {"Parallelism": 2, "FailureAction": "pause", "MaxFailureRatio": 0, "Order": "stop-first"},
        "RollbackConfig": {"Parallelism": 1, "FailureAction": "pause", "MaxFailureRatio": 0, "Order": "start-first"},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def contains(found: Any, wanted: Any) -> bool:
    """Tell whether everything that was stated is there; the Engine adds a few empty words of its own."""
    if isinstance(wanted, dict):
        return all(key in found and contains(found[key], value) for key, value in wanted.items())
    return bool(found == wanted)


def test_a_service_is_written_whole_and_read_as_it_was_written(engine: Engine, spec: dict[str, Any]) -> None:
    made = engine.create_service(spec)
    found = engine.service(made)
    assert found is not None
    assert contains(found["Spec"], spec)
    without = {name: value for name, value in found["Spec"].items() if name not in ("UpdateConfig", "Labels")}
    engine.update_service(made, found["Version"]["Index"], without)
    after = engine.service(made)
    assert after is not None
    assert "UpdateConfig" not in after["Spec"], "what is left out is not filled in from before"
    assert after["Spec"]["TaskTemplate"] == found["Spec"]["TaskTemplate"]
    assert not after["Spec"].get("Labels")


def test_a_service_of_that_name_a_later_version_and_one_that_has_gone_are_told_apart(
    engine: Engine, spec: dict[str, Any]
) -> None:
    made = engine.create_service(spec)
    with pytest.raises(NameTaken, match="web"):
        engine.create_service(spec)
    found = engine.service(made)
    assert found is not None
    with pytest.raises(OutOfSequence):
        engine.update_service(made, found["Version"]["Index"] - 1, found["Spec"])
    with pytest.raises(PermanentError, match="update service"):
        engine.update_service(made, found["Version"]["Index"], {**found["Spec"], "Name": "another"})
    engine.remove_service(made)
    engine.remove_service(made)
    assert engine.service(made) is None
    with pytest.raises(NotThere):
        engine.update_service(made, found["Version"]["Index"], found["Spec"])


def test_services_are_found_by_what_their_names_begin_with(engine: Engine, spec: dict[str, Any]) -> None:
    for name in ("web", "web-2", "worker", "my-web"):
        engine.create_service({**spec, "Name": name})

    def names(*prefixes: str) -> list[str]:
        return sorted(one["Spec"]["Name"] for one in engine.services(prefixes))

    assert names("web") == ["web", "web-2"]
    assert names("web-", "wor") == ["web-2", "worker"]
    assert names("nothing") == []
    assert len(names()) == 4


def test_the_tasks_of_no_service_are_none_and_not_all(swarm: Any, engine: Engine, wait_until: Any) -> None:
    swarm.client("service", "create", "--detach", "--name", "web", swarm.image)
    (one,) = engine.services(["web"])
    wait_until(lambda: engine.tasks([one["ID"]]), "it has a task")
    calls = engine.calls["list tasks"]
    assert engine.tasks([]) == []
    assert engine.calls["list tasks"] == calls
    assert {task["ServiceID"] for task in engine.tasks([one["ID"]])} == {one["ID"]}


def test_configs_are_found_by_all_of_their_labels(engine: Engine) -> None:
    engine.create_config("one", b"1", {"a": "1", "b": "1"})
    engine.create_config("two", b"2", {"a": "1"})
    with pytest.raises(NameTaken):
        engine.create_config("two", b"3", {})
    (found,) = engine.configs("a=1", "b")
    assert found["Spec"]["Name"] == "one"
    assert len(engine.configs("a")) == 2
    for _ in range(2):
        engine.remove_config(found["ID"])
    assert len(engine.configs()) == 1


NETWORK = {"Driver": "overlay", "Options": {}, "Labels": {"a": "b"}, "Internal": True, "Attachable": False}


@pytest.mark.parametrize(
    ("kind", "stated", "content", "found"),
    [
        ("network", NETWORK, None, lambda api: [n for n in api.networks() if n["Name"] == "made"]),
        ("secret", {"Labels": {"a": "b"}}, b"hunter2", lambda api: api.secrets()),
        ("config", {"Labels": {"a": "b"}, "Templating": {"Name": "golang"}}, b"x", lambda api: api.configs()),
    ],
)
def test_what_the_services_of_a_stack_share_is_made_and_removed(
    swarm: Any, engine: Engine, kind: str, stated: dict[str, Any], content: bytes | None, found: Callable[..., Any]
) -> None:
    engine.create_object(kind, "made", stated, content)
    with pytest.raises(NameTaken, match=f"create {kind} made"):
        engine.create_object(kind, "made", stated, content)
    (one,) = found(swarm.api)
    said = one.get("Spec", one)  # a network has none
    assert contains(said, {"Name": "made", **{name: value for name, value in stated.items() if name != "Options"}})
    for _ in range(2):
        engine.remove_object(kind, one.get("ID") or one["Id"])
    assert found(swarm.api) == []


def test_a_write_is_counted_before_and_after_whether_it_succeeds_or_not(tmp_path: Path, engine: Engine) -> None:
    """So that a list that was made in between is known to be perhaps older than it."""
    engine.create_config("one", b"1", {})
    assert engine.writes == 2
    engine.configs()
    assert engine.writes == 2
    with contextlib.closing(Engine(f"unix://{tmp_path}/nobody.sock")) as nobody:
        with pytest.raises(TemporaryError, match="no Docker Engine answers at"):
            nobody.remove_config("one")
        assert nobody.writes == 2
        with pytest.raises(TemporaryError), nobody.events({}):
            pass


def test_events_come_until_somebody_closes_the_stream(swarm: Any, engine: Engine) -> None:
    heard: list[str] = []
    first = threading.Event()

    def follow(stream: EventStream) -> None:
        for event in stream:
            heard.append(event["Action"])
            first.set()

    with engine.events({"type": ["config"]}) as stream:
        follower = threading.Thread(target=follow, args=(stream,))
        follower.start()
        engine.create_config("one", b"1", {})
        assert first.wait(30)
        stream.close()
        follower.join(30)
        assert not follower.is_alive()
    assert heard == ["create"]


@pytest.mark.parametrize("error", [DockerException("x"), OSError("x"), ValueError("x"), AttributeError("x")])
def test_events_end_without_an_error_when_their_connection_does(error: Exception) -> None:
    class Broken:
        def __iter__(self) -> Iterator[dict[str, Any]]:
            yield {"Type": "node"}
            raise error

        def close(self) -> None:
            pass

    assert list(EventStream(Broken())) == [{"Type": "node"}]
