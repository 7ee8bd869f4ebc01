"""What is done to a service under its lease: who is let in, what is refused before, and what is never left undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field, frozen

import zdd
from zdd.adapters.memory import (
    Behaviour,
    Fault,
    HealthyGate,
    MemoryControl,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.backup import Backup, Restore
from zdd.codec import MissingStrategy
from zdd.errors import BackupError, ConfigurationError, DeploymentInProgress, TemporaryError
from zdd.events import DeploymentStarted
from zdd.interfaces import Fence
from zdd.model.intent import Intent
from zdd.operations import Operations
from zdd.sampler import InlineSampler
from zdd.strategies.situation import Strategy
from zdd.surroundings import Surroundings

WEB = zdd.Service("web", start_deadline_s=5)
WORKER = zdd.Service("worker", exposures=())


@define
class Unreliable:
    """A lease and intents that fail as long as a test wants it."""

    lease: MemoryLease
    broken: set[str] = field(factory=set)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lease, name)

    def release(self, service: str, fence: Fence) -> None:
        if "release" in self.broken:
            raise TemporaryError("nobody is there")
        self.lease.release(service, fence)

    def write(self, service: str, intent: Intent, fence: Fence) -> None:
        if "settled" in self.broken and intent.settled:
            raise TemporaryError("nobody is there")


@define
class Scene:
    world: MemoryWorld = field(factory=MemoryWorld)
    calls: list[tuple[str, str]] = field(factory=list)
    lease: Unreliable = field(init=False)
    operations: Operations = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.world.add_edge("edge")
        self.lease = Unreliable(MemoryLease(self.world.clock))
        around = Surroundings(
            MemoryOrchestrator(self.world), MemoryDiscovery(self.world), tuple(self.world.edges), MemoryJournal(),
            self.lease, self.world.clock, InlineSampler, (), 15.0, MemoryControl(), self.lease,
        )  # fmt: skip
        gates = (HealthyGate(self.world),)
        self.operations = Operations(around, "ann@host:1", lambda service: gates if service.exposures else ())
        self.world.intercept = lambda method, service: self.calls.append((method, service))

    def request(self, version: str, strategy: Strategy | None = None, service: zdd.Service = WEB, **more: Any) -> Any:
        return self.operations.request(service, zdd.Release(version, Behaviour(), **more), strategy)

    def deploy(self, version: str, strategy: Strategy | None = None, service: zdd.Service = WEB, **more: Any) -> Any:
        return self.operations.deploy(self.request(version, strategy, service, **more))

    def outcome(self, service: str = "web") -> str:
        last = self.operations.history(service).last
        return last.outcome.value if last is not None and last.outcome is not None else "none"

    def versions(self, service: str = "web") -> list[str]:
        return [one.version for one in self.world.instances(service)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestLease:
    def test_it_is_free_again_however_the_work_ends(self, scene: Scene) -> None:
        for error in (ConfigurationError("no"), KeyboardInterrupt(), ValueError("a fault")):

            def work(*_: object, error: BaseException = error) -> Any:
                assert scene.lease.holder("web").name == "ann@host:1"
                raise error

            with pytest.raises(type(error)):
                scene.operations.under_lease(WEB, work)
            assert scene.lease.holder("web") is None

    def test_it_is_free_again_where_a_part_refuses_the_claim(self, scene: Scene) -> None:
        def refuse(method: str, service: str) -> Fault | None:
            if method == "claim":
                raise TemporaryError("the orchestrator is away")
            return None

        scene.world.intercept = refuse
        with pytest.raises(TemporaryError):
            scene.operations.under_lease(WEB, lambda *_: pytest.fail("nothing may be done"))
        assert scene.lease.holder("web") is None

    def test_discovery_is_claimed_only_for_what_has_traffic(self, scene: Scene) -> None:
        for service, claims in ((WEB, 2), (WORKER, 1)):
            scene.calls.clear()
            with pytest.raises(ConfigurationError):
                scene.operations.under_lease(service, self._refused)
            assert scene.calls == [("claim", service.name)] * claims

    def _refused(self, *_: object) -> Any:
        raise ConfigurationError("enough")

    def test_what_was_done_is_told_though_the_lease_can_not_be_released(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        scene.lease.broken.add("release")
        assert scene.deploy("1.0").succeeded
        assert "zdd.lease_not_released: the lease of web ends by itself: nobody is there" in caplog.text
        with pytest.raises(DeploymentInProgress):
            scene.deploy("2.0")

    def test_what_was_done_is_told_though_it_can_not_be_told_to_mirrors(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        scene.lease.broken.add("settled")
        assert scene.deploy("1.0").succeeded
        assert "zdd.intent_not_written: mirrors read the journal of web: nobody is there" in caplog.text


class TestBefore:
    def test_a_plan_is_shown_without_a_lease_a_claim_or_an_event(self, scene: Scene) -> None:
        assert scene.operations.preview(scene.request("1.0")).stages
        assert scene.operations.around.journal.read("web") == ()
        assert not any(method in ("claim", "launch", "apply") for method, _ in scene.calls)
        scene.deploy("1.0")
        assert scene.operations.preview(scene.request("1.0")).stages == ()

    def test_what_the_plan_alone_can_refuse_is_refused_without_the_lease(self, scene: Scene) -> None:
        class Half:
            def surge(self, situation: object) -> int:
                return 0

            def stages(self, situation: object) -> tuple[zdd.Stage, ...]:
                return ()

        before = scene.lease.acquire("web", "bob@host:2", 60.0)
        with pytest.raises(ConfigurationError):
            scene.deploy("1.0", Half())
        scene.lease.release("web", before)
        assert scene.lease.acquire("web", "ann@host:1", 60.0).token == before.token + 1, "nobody took it in between"


class TestFinishing:
    def test_where_nothing_was_left_unfinished_there_is_nothing_to_finish(self, scene: Scene) -> None:
        with pytest.raises(ConfigurationError, match="web has no unfinished deployment"):
            scene.operations.finish("web")
        scene.deploy("1.0")
        with pytest.raises(ConfigurationError, match=r"no unfinished deployment .* last one is web-\d+  web: "):
            scene.operations.finish("web")

    @staticmethod
    def stopped(scene: Scene, number: int, work: Callable[[], object]) -> None:
        """Stop the deployer, as by Ctrl-C, at a call."""
        calls = iter(range(number))

        def stop(method: str, service: str) -> Fault | None:
            if method in ("launch", "change", "retire", "apply") and next(calls, None) is None:
                scene.world.intercept = lambda *_: None
                raise KeyboardInterrupt
            return None

        scene.world.intercept = stop
        with pytest.raises(zdd.DeploymentInterrupted):
            work()

    def test_a_removal_is_finished_as_one(self, scene: Scene) -> None:
        scene.deploy("1.0")
        self.stopped(scene, 1, lambda: scene.operations.remove(WEB))
        assert scene.operations.finish("web").succeeded
        assert scene.versions() == []

    def test_a_strategy_that_can_not_be_read_any_more_is_named(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.deploy("1.0")
        self.stopped(scene, 1, lambda: scene.deploy("2.0"))
        journal = scene.operations.around.journal
        missing = MissingStrategy("Mine", "the strategy mine:Mine can't be imported")
        events = [
            evolve(event, strategy=missing) if isinstance(event, DeploymentStarted) else event
            for event in journal.read("web")
        ]
        monkeypatch.setattr(journal, "read", lambda _: tuple(events))
        with pytest.raises(ConfigurationError, match="can't be imported; or call deploy again with a strategy"):
            scene.operations.finish("web")

    def test_a_restore_of_which_only_a_part_was_done_is_done_again_as_a_whole(
        self, scene: Scene, tmp_path: Path
    ) -> None:
        CELLAR.clear()
        CELLAR.update(wine=b"good", cheese=b"good")
        wine, cheese = (Backup([Cellar(name)], str(tmp_path)) for name in CELLAR)
        scene.deploy("1.0")
        scene.deploy("2.0", zdd.Joined((wine, cheese, zdd.RollingUpdate())))
        made = [backup.archive("web").made_for("web-2") for backup in (wine, cheese)]
        assert all(made)
        CELLAR.update(wine=b"vinegar", cheese=b"mould", broken=b"cheese")
        restore = Restore(wine, made[0].id, (Restore(cheese, made[1].id),))
        with pytest.raises(zdd.DeploymentError, match="cheese is broken"):
            scene.deploy("2.1", restore)
        assert (CELLAR["wine"], CELLAR["cheese"]) == (b"good", b"mould")
        CELLAR.update(broken=b"", wine=b"written to by hand")
        assert scene.operations.finish("web").succeeded
        assert (CELLAR["wine"], CELLAR["cheese"]) == (b"good", b"good")
        assert scene.versions() == ["2.1"]


CELLAR: dict[str, bytes] = {}


@frozen
class Cellar:
    """Data in memory that can't be put back while they are broken."""

    name: str
    repeats: bool = True

    def check(self) -> None: ...

    def position(self) -> str:
        return ""

    def save(self) -> Any:
        yield CELLAR[self.name]

    def load(self, data: Any) -> None:
        if CELLAR.get("broken") == self.name.encode():
            raise BackupError(f"{self.name} is broken")
        CELLAR[self.name] = b"".join(data)


class TestTakingBack:
    def test_what_somebody_has_deployed_since_is_not_taken_back(self, scene: Scene) -> None:
        scene.deploy("1.0")
        TestFinishing.stopped(scene, 1, lambda: scene.deploy("2.0"))
        left = scene.operations.history("web").unfinished
        scene.deploy("3.0")
        TestFinishing.stopped(scene, 1, lambda: scene.deploy("4.0"))
        with pytest.raises(ConfigurationError, match="web was deployed by somebody else meanwhile"):
            scene.operations.take_back(left, "a person")
        assert scene.lease.holder("web") is None


class TestRemoving:
    def test_where_nothing_runs_nothing_is_done(self, scene: Scene) -> None:
        report = scene.operations.remove(WEB)
        assert (report.outcome.value, report.reason) == ("unchanged", "nothing of it runs")
        assert scene.operations.around.journal.read("web") == ()
