"""Durations, sizes, numbers and lists, as compose files write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zdd.compose import values

READ: list[tuple[Callable[[Any], Any], Any, Any]] = [
    *((values.duration_ns, text, ns) for text, ns in (("0", 0), ("1m30s", 90 * 10**9), ("1.5h", 5400 * 10**9))),
    *((values.duration_ns, text, ns) for text, ns in ((".5ms", 500_000), ("1us", 1000), ("1\u00b5s", 1000))),
    *((values.duration_s, stated, s) for stated, s in (("90s", 90.0), (2, 2.0), (0.5, 0.5))),
    *((values.size_bytes, stated, size) for stated, size in (("512M", 512 << 20), ("1gb", 1 << 30), (7, 7), ("8", 8))),
    *((values.size_bytes, stated, size) for stated, size in (("1.5k", 1536), ("2 kib", 2048), ("3b", 3))),
    *((values.nano_cpus, text, number) for text, number in (("0.5", 500_000_000), ("2", 2 * 10**9), (".1", 10**8))),
    *((values.go_text, stated, text) for stated, text in ((None, ""), (True, "true"), (1.10, "1.1"), (1e21, "1e+21"))),
    *((values.go_text, stated, text) for stated, text in ((1e-7, "1e-07"), (2.0, "2"), (0.0001, "0.0001"), (5, "5"))),
    *((values.command_words, stated, ["a", "b c"]) for stated in ("a 'b c' # no", ["a", "b c"])),
    *((values.text_list, stated, found) for stated, found in (("a", ["a"]), (["a", 1], ["a", "1"]))),
    *((values.pairs, stated, {"a": "1", "b": ""}) for stated in ({"a": 1, "b": None}, ["a=1", "b"], ["a=1", "b="])),
    (values.pairs, None, {}),
    (values.optional_pairs, ["a=1=2", "b", "c="], {"a": "1=2", "b": None, "c": ""}),
    (values.optional_pairs, {"a": True, "b": None}, {"a": "true", "b": None}),
]


@pytest.mark.parametrize(("read", "stated", "value"), READ)
def test_a_value_is_read(read: Callable[[Any], Any], stated: Any, value: Any) -> None:
    found = read(stated)
    assert found == value
    assert type(found) is type(value)


REFUSED: list[tuple[Callable[[Any], Any], Any, str]] = [
    *(
        (values.duration_ns, text, "is no duration: use a number with a unit")
        for text in ("", "10", "10x", "-1s", "1s ")
    ),
    (values.duration_ns, "9999999999h", "is too long a duration"),
    *((values.duration_s, stated, "is no duration") for stated in (True, None, [1])),
    *((values.size_bytes, text, "is no size: use a number with a unit") for text in ("", "much", "-1", "1x")),
    *((values.nano_cpus, text, "is no number of processors") for text in ("", "-1", "1e3", "0.1234567890")),
    (values.command_words, "a 'b", "No closing quotation"),
]


@pytest.mark.parametrize(("read", "stated", "message"), REFUSED)
def test_what_is_no_such_value_is_refused(read: Callable[[Any], Any], stated: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(stated)
