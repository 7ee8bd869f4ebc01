"""Every class of the model, every event and every gate has a name in a journal."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil

import attrs

import zdd.model
from zdd import events
from zdd.codec.tags import CLASSES, PARTS
from zdd.gates import AllOf, AnyOf, CommandGate, FunctionGate, HttpGate, InARow, Not, TcpGate


def own_classes() -> set[type]:
    modules = [importlib.import_module(f"zdd.model.{found.name}") for found in pkgutil.iter_modules(zdd.model.__path__)]
    return {
        kind
        for module in [*modules, events]
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__
        if attrs.has(kind) or issubclass(kind, enum.Enum)
    }


def test_every_class_of_the_model_and_every_event_has_exactly_one_name() -> None:
    assert len(own_classes()) > 40
    assert set(CLASSES.values()) == own_classes()
    assert len(set(CLASSES.values())) == len(CLASSES)


def test_every_gate_of_zdd_has_a_name_that_leads_to_it() -> None:
    gates = {AllOf, AnyOf, CommandGate, FunctionGate, HttpGate, InARow, Not, TcpGate}
    found = set()
    for place in PARTS.values():
        module, _, name = place.partition(":")
        found.add(getattr(importlib.import_module(module), name))
    assert gates <= found
