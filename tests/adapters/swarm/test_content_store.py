"""Secrets and configs that change with a release and come back with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd import Deployer, Overlap, Release, Service
from zdd.adapters.memory import MemoryDiscovery, MemoryWorld
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.content_store import UNUSED_S, ContentStore, superfluous
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.codec import encode
from zdd.errors import ConfigurationError
from zdd.interfaces import Fence
from zdd.model.command import Change, Launch
from zdd.model.release import Revision

ONE = Fence(1, "first deployer")


@pytest.fixture
def store(swarm: Any) -> Iterator[ContentStore]:
    with contextlib.closing(ContentStore(swarm.engine)) as made:
        yield made


def read(swarm: Any, *paths: str) -> str:
    """What the files are in the container that runs. By the docker client: the library loses what comes at once."""
    (container,) = swarm.api.containers(filters={"label": "com.docker.swarm.service.name=web"})
    return str(swarm.client("exec", container["Id"], "cat", *paths))


def names(swarm: Any) -> set[str]:
    found = [*swarm.api.secrets(), *swarm.api.configs()]
    return {one["Spec"]["Name"] for one in found if "zdd.content" in one["Spec"]["Labels"]}


@pytest.mark.timeout(300)
def test_they_go_forward_and_back_with_the_release_and_nobody_reads_a_value(
    swarm: Any, store: ContentStore, orchestrator: SwarmOrchestrator, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "journal")
    deployer = Deployer(
        orchestrator, MemoryDiscovery(MemoryWorld()), journal=journal, lease=SqliteLease(tmp_path / "journal")
    )
    service = Service("web", exposures=(), stop_grace_s=1.0, overlap=Overlap.FORBIDDEN)
    told = []
    for version in ("1", "2"):
        token = store.secret("web", "token", f"hush{version}", mode=0o400)
        rules = store.config("web", "rules", f"allow{version}", target="/etc/rules")
        workload = swarm.workload(files=[token, rules], environment={"PORT": "8080"})
        told += [repr(token), repr(deployer.deploy(service, Release(version, workload)))]
        assert read(swarm, "/run/secrets/token", "/etc/rules") == f"hush{version}allow{version}"
    told.append(str(deployer.rollback("web")))
    assert read(swarm, "/run/secrets/token", "/etc/rules") == "hush1allow1"
    told += [str(encode(event)) for event in journal.read("web")]
    assert "web_token-" in "".join(told)
    assert "hush" not in "".join(told)
    assert b"hush" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_one_content_is_one_object(swarm: Any, store: ContentStore) -> None:
    first = store.secret("web", "token", b"a")
    assert store.secret("web", "token", "a", target="/token").source == first.source
    assert store.config("web", "rules", "a") == store.config("web", "rules", b"a")
    others = {store.secret("web", "token", "b").source, store.secret("shop", "token", "a").source}
    assert len({first.source, *others, store.config("web", "rules", "b").source}) == 4
    assert len(names(swarm)) == 5
    store.forget("web")
    assert len(names(swarm)) == 1


def test_what_no_kept_revision_needs_is_removed(swarm: Any, store: ContentStore, service: Service) -> None:
    files = [store.config("web", "rules", str(number)) for number in range(4)]
    with contextlib.closing(swarm.orchestrator(kept_revisions=1)) as orchestrator:
        orchestrator.claim(service, ONE)
        seen = []
        for number, file in enumerate(files):
            revision = Revision(f"r-{number}", str(number), swarm.workload(files=[file]))
            if number:
                orchestrator.change(service, revision, Change("web", revision.id, 1), ONE)
            else:
                orchestrator.launch(service, revision, Launch("web", revision.id, 1), ONE)
            seen.append(sorted(files.index(one) for one in files if one.source in names(swarm)))
    assert seen == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3]]


def test_what_is_not_there_is_refused_before_anything_is_touched(
    swarm: Any, store: ContentStore, orchestrator: SwarmOrchestrator, service: Service
) -> None:
    token = store.secret("web", "token", "a")
    orchestrator.check(service, swarm.workload(files=[token]))
    store.forget("web")
    with pytest.raises(ConfigurationError, match=rf"secret {token.source} of web is not in the swarm: keep it there"):
        orchestrator.check(service, swarm.workload(files=[token]))


def test_an_object_that_nobody_used_yet_has_time() -> None:
    made = {"CreatedAt": "1970-01-01T00:00:00.123456789Z"}
    found = {("secret", name): made for name in ("needed", "dropped", "fresh")}
    needed, dropped = [("secret", "needed")], [("secret", "dropped"), ("secret", "needed")]
    assert set(superfluous(found, needed, dropped, UNUSED_S)) == {("secret", "dropped")}
    assert set(superfluous(found, needed, dropped, UNUSED_S + 1)) == {("secret", "dropped"), ("secret", "fresh")}


@pytest.mark.parametrize(
    ("service", "name", "value", "words"),
    [
        ("Web", "token", "a", "service 'Web'"),
        ("web", "my token", "hush", "secret name 'my token' of web"),
        ("web", "token", "", "has 0 bytes: Swarm takes 1 to 500000"),
        ("web", "token", b"hush" * 200_000, "has 800000 bytes"),
        ("web", "token", {"hush": 1}, "give its content as bytes or text"),
        ("web", "t" * 64, "hush", "at most 64"),
    ],
)
def test_what_can_not_be_kept_is_refused_without_showing_it(
    swarm: Any, store: ContentStore, service: str, name: str, value: Any, words: str
) -> None:
    for keep in (store.secret, store.config):
        with pytest.raises(ConfigurationError, match=words.replace("secret name", "(secret|config) name")) as caught:
            keep(service, name, value)
        assert "hush" not in str(caught.value)
