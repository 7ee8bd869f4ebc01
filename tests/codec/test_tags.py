"""Every class of the model, every event and every gate has a name in a journal."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
from types import ModuleType

import attrs

import zdd.actions
import zdd.backup
import zdd.gates
import zdd.model
import zdd.strategies
from zdd import events
from zdd.codec.place import import_place
from zdd.codec.tags import CLASSES, PARTS


def classes_of(package: ModuleType) -> set[type]:
    """Return the classes that a package or module defines."""
    names = [f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(getattr(package, "__path__", []))]
    return {
        kind
        for module in [package, *map(importlib.import_module, names)]
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
    }


def test_every_class_of_the_model_and_every_event_has_exactly_one_name() -> None:
    found = classes_of(zdd.model) | classes_of(events)
    own = {kind for kind in found if attrs.has(kind) or issubclass(kind, enum.Enum)}
    assert len(own) > 40
    assert set(CLASSES.values()) == own
    assert len(set(CLASSES.values())) == len(CLASSES)


def test_every_gate_and_action_of_zdd_has_a_name_and_every_name_leads_to_something() -> None:
    """A strategy needs none until its file is moved: without one it is written down by where it lives."""
    found = classes_of(zdd.gates) | classes_of(zdd.actions) | classes_of(zdd.backup) | classes_of(zdd.strategies)
    own = {kind for kind in found if attrs.has(kind) and any(hasattr(kind, name) for name in ("judge", "run", "surge"))}
    named = set(map(import_place, PARTS.values()))
    assert named <= own
    assert {kind for kind in own if not hasattr(kind, "surge")} <= named
    assert len(named) == len(PARTS) >= 17
