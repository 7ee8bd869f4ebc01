"""Variables, their defaults, and what they stand for as the type that is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.compose.document import Document
from zdd.compose.interpolation import interpolate

VARIABLES = {"A": "1", "EMPTY": "", "YES": "Yes"}

TEXTS = [
    ("$A", "1"),
    ("a${A}b", "a1b"),
    ("$$A", "$A"),
    ("${EMPTY}", ""),
    ("${EMPTY-x}", ""),
    ("${EMPTY:-x}", "x"),
    ("${GONE-x}", "x"),
    ("${GONE:-}", ""),
    ("${GONE:-a:-b}", "a:-b"),
    ("${A:?needed}", "1"),
    ("${EMPTY?needed}", ""),
]


@pytest.mark.parametrize(("text", "value"), TEXTS)
def test_a_variable_stands_for_its_value_or_its_default(text: str, value: str) -> None:
    document = Document("a.yml", {"x": [{"y": text}]}, {})
    assert interpolate(document, VARIABLES).data == {"x": [{"y": value}]}


def test_what_a_variable_stands_for_has_the_type_that_is_wanted_there() -> None:
    web = {"deploy": {"replicas": "$A", "update_config": {"max_failure_ratio": "0.$A"}}, "tty": "$YES", "user": "$A"}
    document = Document("a.yml", {"services": {"web": web}, "networks": {"n": {"external": "$YES"}}}, {})
    found = interpolate(document, VARIABLES).data
    assert found["services"]["web"] == {
        "deploy": {"replicas": 1, "update_config": {"max_failure_ratio": 0.1}},
        "tty": True,
        "user": "1",
    }
    assert found["networks"] == {"n": {"external": True}}


def test_text_without_a_variable_keeps_its_type() -> None:
    data = {"services": {"web": {"deploy": {"replicas": "1"}}}}
    assert interpolate(Document("a.yml", data, {}), VARIABLES).data == data


REFUSED = [
    ("user: $WHO", "4:5: variable WHO is not set: set it, or write ${WHO:-}"),
    ("user: ${WHO:?say who}", "4:5: variable WHO has no value: say who"),
    ("user: ${WHO:+x}", "4:5: '${WHO:+x}': write $NAME"),
    ("user: ${A:-${B}}", "4:5: ${A:-${B}: a default can't hold another variable"),
    ("user: $A-b", "4:5: $A-: write ${A} if that is not its default"),
    ("deploy: {replicas: '${N:-two}'}", "4:14: services.web.deploy.replicas: 'two' is no whole number"),
    ("tty: ${N:-maybe}", "4:5: services.web.tty: 'maybe' is not true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_variable_without_a_value_or_in_no_known_form_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)
