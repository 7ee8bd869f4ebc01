"""Revisions as they are kept in configs: word for word, for as long as they are needed, and never guessed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.revisions import Record, SwarmRevisions, images_of_revisions
from zdd.errors import PermanentError

WHOLE = {"format": 1, "revision": "r1", "spec": {"Name": "web"}, "base": None}


@pytest.fixture
def engine(swarm: Any) -> Iterator[Engine]:
    with contextlib.closing(Engine(swarm.engine)) as made:
        yield made


def record(number: int, image: str = "", base: dict[str, Any] | None = None) -> Record:
    spec = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": image or f"app:{number}"}}}
    return Record(f"r{number}", spec, base)


def test_what_was_kept_is_read_as_it_was_oldest_first_and_never_changes(engine: Engine) -> None:
    revisions = SwarmRevisions(engine)
    odd = Record("r2", {"Name": "wéb\n", "Mode": {"Global": {}}, "Empty": None}, {"Labels": {}})
    for one in (record(3), odd, record(1)):
        revisions.keep("web", one)
    revisions.keep("worker", record(9))
    revisions.keep("web", record(3, image="another"))
    assert list(SwarmRevisions(engine).all("web").values()) == [record(3), odd, record(1)]
    assert revisions.all("worker") == {"r9": record(9)}
    revisions.forget("web")
    assert (revisions.all("web"), list(revisions.all("worker"))) == ({}, ["r9"])


def test_the_oldest_beyond_those_to_be_kept_go_but_none_in_use(engine: Engine) -> None:
    revisions = SwarmRevisions(engine, kept=2)
    for number in range(1, 6):
        revisions.keep("web", record(number))
    assert revisions.prune("web", {"r1", "r5"}) == [record(2)]
    assert list(revisions.all("web")) == ["r1", "r3", "r4", "r5"]
    assert revisions.prune("web", {"r1", "r5"}) == []
    assert revisions.prune("web", {"r5"}) == [record(1)]


def test_one_that_swarm_could_not_keep_is_refused_with_its_size(engine: Engine) -> None:
    with pytest.raises(PermanentError, match=r"the specification of web has 5\d{5} bytes, a config 500000 at most"):
        SwarmRevisions(engine).keep("web", record(1, image="x" * 500_000))
    assert engine.configs() == []


def test_a_damaged_one_is_named_and_kept(swarm: Any, engine: Engine) -> None:
    cases = {
        b"{": "is damaged",
        b"[]": "is damaged",
        b"\xff": "is damaged",
        json.dumps({**WHOLE, "format": 2}).encode(): "has format 2, this zdd knows 1: use a newer",
        **{json.dumps({**WHOLE, name: 3}).encode(): "is damaged" for name in ("revision", "spec", "base")},
        **{
            json.dumps({key: value for key, value in WHOLE.items() if key != name}).encode(): "is damaged"
            for name in WHOLE
        },
    }
    revisions = SwarmRevisions(engine, kept=0)
    for number, (content, complaint) in enumerate(cases.items()):
        service, name = f"web-{number}", f"zdd-revision-{number}"
        revisions.keep(service, record(1))
        swarm.api.create_config(name, content, labels={"zdd.service": service, "zdd.revision": "r2"})
        for use in (lambda: revisions.all(service), lambda: revisions.prune(service, ())):  # noqa: B023 - used at once
            with pytest.raises(PermanentError, match=f"config {name}.* {complaint}"):
                use()
        assert len(engine.configs(f"zdd.service={service}")) == 2, "pruning removed something before it refused"
    with pytest.raises(PermanentError, match=r"^config zdd-revision-\d+\b.*(is damaged|use a newer)"):  # any of them
        images_of_revisions(engine)


def test_the_images_that_are_needed_are_those_of_every_service_and_every_record(swarm: Any, engine: Engine) -> None:
    found = {"TaskTemplate": {"ContainerSpec": {"Image": "found:1"}}}
    revisions = SwarmRevisions(engine)
    revisions.keep("web", record(1, base=found))
    revisions.keep("worker", record(2))
    revisions.keep("plugin", Record("r3", {"TaskTemplate": {"PluginSpec": {}}}, None))
    swarm.client("service", "create", "--detach", "--name", "other", "--replicas", "0", swarm.image)
    told = {image.partition("@")[0] for image in images_of_revisions(engine)}
    assert told == {"app:1", "found:1", "app:2", swarm.image}
