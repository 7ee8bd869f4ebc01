"""``x-zdd``: what is said to zdd alone."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import BlueGreen, Canary, CommandGate, Exposure, HttpGate, InPlaceUpdate, Overlap, RollingUpdate, TcpGate
from zdd.compose.document import Document
from zdd.compose.extension import Extension, both, read_extension
from zdd.stacks.stack import Pull


def read(value: Any) -> Extension:
    return read_extension(Document("a.yml", {}, {}), ("services", "web"), value)


STRATEGIES = [
    ("rolling", RollingUpdate()),
    ({"rolling": {"batch": 2, "hold": "9s", "on_failure": "freeze"}}, RollingUpdate(2, hold_s=9, on_failure="freeze")),
    ({"blue-green": {"keep": 5}}, BlueGreen(5)),
    ({"canary": [5, 100]}, Canary((5, 100))),
    ({"in-place": {"batch": "50%", "order": "stop-first"}}, InPlaceUpdate("50%", "stop-first")),
]  # fmt: skip


@pytest.mark.parametrize(("stated", "strategy"), STRATEGIES)
def test_a_strategy_has_its_settings(stated: object, strategy: object) -> None:
    assert read({"strategy": stated}).strategy == strategy


def test_gates_have_a_short_form_and_a_long_one() -> None:
    gates = [{"http": "/health"}, {"http": {"path": "/", "timeout": "2s"}}, {"tcp": "admin"}, {"command": ["true"]}]
    assert read({"gates": gates}).gates == (
        HttpGate("/health"),
        HttpGate("/", timeout_s=2),
        TcpGate("admin"),
        CommandGate(["true"]),
    )


def test_a_service_s_own_words_go_before_the_file_s() -> None:
    every = Extension(strategy=BlueGreen(), gates=(HttpGate("/"), TcpGate("admin")), deadlines={"settle_s": 1})
    exposed = Extension(exposures=((Exposure("http"), 80),), deadlines={"drain_deadline_s": 2})
    found = both(every, exposed)
    assert (found.strategy, found.usual) == (None, BlueGreen())
    assert found.gates == (HttpGate("/"),)
    assert found.deadlines == {"settle_s": 1, "drain_deadline_s": 2}
    assert both(every, Extension(gates=())).gates == ()
    assert both(Extension(pull=Pull.EVERYWHERE), Extension()).pull is Pull.EVERYWHERE
    assert both(Extension(pull=Pull.EVERYWHERE), Extension(pull=Pull.AS_NEEDED)).pull is Pull.AS_NEEDED


def test_the_rest_is_as_it_is_said() -> None:
    found = read(
        {
            "floor": 2,
            "surge": 3,
            "cells": 4,
            "overlap": "forbidden",
            "deadlines": {"start": "1m", "settle": 2},
            "pull": "everywhere",
        }
    )
    assert (found.floor, found.surge, found.cells, found.overlap) == (2, 3, 4, Overlap.FORBIDDEN)
    assert found.pull is Pull.EVERYWHERE
    assert found.deadlines == {"start_deadline_s": 60, "settle_s": 2}


REFUSED = [
    ("x-zdd: {strateg: rolling}", "4:13: services.web.x-zdd.strateg: this key is not known: did"),
    ("x-zdd: {strategy: {canary: {steps: [5, 3]}}}", "4:24: services.web.x-zdd.strategy.canary: steps"),
    ("x-zdd: {strategy: fast}", "4:13: services.web.x-zdd.strategy.fast: this key is not known"),
    ("x-zdd: {gates: [{http: health}]}", "4:22: services.web.x-zdd.gates.0.http: path 'health'"),
    ("x-zdd: {exposures: [{port: http}]}", "4:25: services.web.x-zdd.exposures.0: target is needed"),
    ("x-zdd: {floor: many}", "4:13: services.web.x-zdd.floor: 'many': use a whole number"),
    ("x-zdd: {deadlines: {start: soon}}", "4:25: services.web.x-zdd.deadlines.start: 'soon'"),
    ("x-zdd: {overlap: maybe}", "4:13: services.web.x-zdd.overlap: 'maybe': use allowed or forbidden"),
    ("x-zdd: {strategy: {in-place: {order: x}}}", "4:35: services.web.x-zdd.strategy.in-place.order: 'x': use"),
    ("x-zdd: {exposures: [{port: a, target: 0}]}", "4:35: services.web.x-zdd.exposures.0.target: 0 is no port"),
    ("x-zdd: {overlap: forbidden, floor: 1}", "4:33: services.web.x-zdd.floor: web is stopped before"),
    ("x-zdd: {strategy: recreate, floor: 1}", "4:33: services.web.x-zdd.floor: web is stopped before"),
    ("x-zdd: {floor: 1}\n    volumes: ['/a:/b']", "4:13: services.web.x-zdd.floor: web is stopped before"),
    ("x-zdd: {strategy: canary, surge: 1}", "4:31: services.web.x-zdd.surge: Canary(steps="),
    ("x-zdd: {pull: always}", "4:13: services.web.x-zdd.pull: 'always': use everywhere or as-needed"),
    ("x-zdd: [floor]", "4:5: services.web.x-zdd: ['floor']: use a mapping with strategy, gates"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_an_unknown_key_or_value_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)
