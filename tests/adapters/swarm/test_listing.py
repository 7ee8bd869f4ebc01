"""A list of Swarm services is remembered only while nothing can have changed it unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define

from zdd.adapters.swarm import listing as listing_module
from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.listing import Listing

FOUND = {"web": {"ID": "1"}}


@define
class Heard:
    """A watch, as far as a list asks it: how many changes it has heard of, or None while it hears nothing."""

    count: int | None = 0

    def changes(self) -> int | None:
        return self.count


@define
class Scene:
    engine: Engine
    watch: Heard
    listing: Listing

    def remember(self) -> None:
        self.listing.put("web", self.listing.moment("web"), FOUND)


@pytest.fixture
def scene(tmp_path: Any) -> Scene:
    engine, watch = Engine(f"unix://{tmp_path}/nobody.sock"), Heard()
    listing = Listing(engine)
    listing.watch("web", watch)  # type: ignore[arg-type]
    return Scene(engine, watch, listing)


def hear(scene: Scene) -> None:
    scene.watch.count = 1


def lose_connection(scene: Scene) -> None:
    scene.watch.count = None


def write(scene: Scene) -> None:
    scene.engine.writes += 1


def forget(scene: Scene) -> None:
    scene.listing.forget("web")


def watch_anew(scene: Scene) -> None:
    scene.listing.watch("web", Heard(None))  # type: ignore[arg-type]


def test_it_is_remembered_while_nothing_happens(scene: Scene) -> None:
    assert scene.listing.get("web") is None
    scene.remember()
    assert scene.listing.get("web") is FOUND
    assert scene.listing.get("worker") is None


@pytest.mark.parametrize("happens", [hear, lose_connection, write, forget, watch_anew])
def test_it_is_made_anew_after_anything_that_may_have_changed_it(
    scene: Scene, happens: Callable[[Scene], None]
) -> None:
    scene.remember()
    happens(scene)
    assert scene.listing.get("web") is None


@pytest.mark.parametrize("happens", [hear, lose_connection, write])
def test_what_happens_while_it_is_made_counts_too(scene: Scene, happens: Callable[[Scene], None]) -> None:
    moment = scene.listing.moment("web")
    happens(scene)
    scene.listing.put("web", moment, FOUND)
    assert scene.listing.get("web") is None


def test_without_a_watch_nothing_is_remembered(scene: Scene) -> None:
    assert scene.listing.moment("worker") is None
    scene.listing.put("worker", None, FOUND)
    assert scene.listing.get("worker") is None


def test_it_is_made_anew_after_its_time_although_nothing_was_heard(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_module, "VALID_S", 0.0)
    scene.remember()
    assert scene.listing.get("web") is None
