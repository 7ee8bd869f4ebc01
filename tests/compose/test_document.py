"""YAML, with lines and columns; and what is no YAML, too large or a bomb."""

from __future__ import annotations

import pytest

from zdd.compose.document import BYTES_MAX, Document, Place, read_document
from zdd.errors import ConfigurationError


def read(text: str) -> Document:
    return read_document("a.yml", text.encode())


SCALARS = [
    *(("1", 1), ("-1_000", -1000), ("0755", 493), ("0o17", 15), ("0x1F", 31), ("1.50", 1.5), ("1e3", 1000.0)),
    *(("true", True), ("FALSE", False), ("~", None), ("", None), ("yes", "yes"), ("on", "on"), ("22:22", "22:22")),
    *(("2001-01-01", "2001-01-01"), ("3.8.1", "3.8.1"), (".", "."), ("!!str 1", "1")),
    *(("' 1'", " 1"), ('"true"', "true")),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_values_are_what_the_docker_client_takes_them_for(text: str, value: object) -> None:
    found = read(f"key: {text}\n").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_everything_has_a_place() -> None:
    document = read("a:\n  - b\n  - c: 1\n    d: {e: 2}\n")
    assert document.place(("a", 1, "c")) == Place("a.yml", 3, 5)
    assert document.place(("a", 1, "d", "e")) == Place("a.yml", 4, 9)
    assert document.place(("a", 1, "d", "e", "unknown")) == Place("a.yml", 4, 9)


def test_anchors_and_merges_are_written_out() -> None:
    document = read("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\nw: *x\n")
    assert document.data["z"] == {"a": 1, "b": 1, "c": 3}
    assert document.data["w"] == {"a": 1, "b": 1}


BAD = [
    ("a: [1", "a.yml:2:1: did not find expected ',' or ']'"),
    ("a: 1\n b: 2", "a.yml:2:3: mapping values are not allowed"),
    ("a: 1\na: 2", "a.yml:2:1: key 'a' is stated twice, before at a.yml:1:1"),
    ("1: a", "a.yml:1:1: key 1 is no text"),
    ("- a", "a.yml is no mapping"),
    ("", "a.yml is empty"),
    ("a: 1\n---\nb: 1", "a.yml:2:1: a second document begins here"),
    ("a: *b", "a.yml:1:4: alias *b names nothing"),
    ("a: &a [*a]", "a.yml:1:8: alias *a names nothing that ended before it"),
    ("a: !!python/object:os.system x", "a.yml:1:4: tag"),
    ("a: !secret x", "a.yml:1:4: tag !secret is not known"),
    ("<<: 1", "a.yml:1:1: <<: takes a mapping"),
    ("a: " + "9" * 5000, "a.yml:1:4: number 99999"),
    ("a: " + "[" * 200, "a.yml:1:44: nested more than 40 deep"),
    ("a: \x01", "a.yml: "),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_no_compose_file_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_bomb_of_aliases_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(
        ConfigurationError, match=r"a\.yml:5:\d+: more than 50,000 values, with its aliases written out"
    ):
        read("\n".join(lines))


def test_a_bomb_of_merges_costs_nothing() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: {n}" for n in range(500)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 40)}]}}" for n in range(1, 20)]
    with pytest.raises(ConfigurationError, match="more than 50,000 values"):
        read("\n".join(lines))


def test_a_large_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(ConfigurationError, match=r"a\.yml has 10,485,760 bytes: compose files of up to 1,048,576"):
        read_document("a.yml", b"#" * (10 * BYTES_MAX))


def test_what_is_no_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"a\.yml:2: byte 0xff is no UTF-8"):
        read_document("a.yml", b"a: 1\nb: \xff\n")
