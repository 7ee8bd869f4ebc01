"""Consul's keys: read as they are, and written all at once or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define

from zdd.adapters.consul.connection import Answer, ConsulConnection
from zdd.adapters.consul.store import Entry, Store, encode_record, parse_entries, replace, unchanged
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError


@pytest.fixture
def store(connection: ConsulConnection, prefix: str) -> Store:
    return Store(connection, prefix)


def put(store: Store, key: str, value: bytes) -> Entry:
    entry = store.get(key)
    assert store.commit([replace(entry, value)])
    return store.get(key)


class TestKeys:
    def test_what_is_not_there_has_no_index_and_what_is_another_with_each_write(self, store: Store) -> None:
        key = store.heads("web") + "a"
        assert store.get(key) == Entry(key)
        first = put(store, key, b"\x00\xff")
        second = put(store, key, b"")
        assert (first.value, second.value) == (b"\x00\xff", b"")
        assert 0 < first.index < second.index

    def test_what_begins_alike_is_listed_sorted_and_what_does_not_is_not(self, store: Store) -> None:
        for name in ("b", "a", "a/deeper"):
            put(store, store.events("web") + name, name.encode())
        put(store, store.events("web-2") + "c", b"c")
        assert [entry.value for entry in store.under(store.events("web"))] == [b"a", b"a/deeper", b"b"]
        assert store.under(store.events("worker")) == []

    def test_the_next_parts_of_keys_are_told_once_each(self, store: Store) -> None:
        for service in ("web", "web-2"):
            for name in ("a", "b/c"):
                put(store, store.events(service) + name, b"x")
        assert store.folders(f"{store.prefix}/events/") == ["web", "web-2"]
        assert store.folders(store.events("web")) == ["b"]
        assert store.folders(f"{store.prefix}/nothing/") == []

    def test_each_service_has_parts_of_its_own(self, store: Store) -> None:
        parts = [part(name) for part in (store.heads, store.events, store.control) for name in ("web", "web-2")]
        assert not any(one != other and one.startswith(other) for one in parts for other in parts)
        assert all(part.startswith(f"{store.prefix}/") for part in parts)


class TestCommit:
    def test_all_is_done_or_nothing(self, store: Store) -> None:
        one, two = (Entry(store.heads("web") + name) for name in "ab")
        put(store, two.key, b"somebody was here")
        assert not store.commit([replace(one, b"1"), replace(two, b"2")])
        assert store.get(one.key) == one
        assert store.commit([replace(one, b"1"), replace(store.get(two.key), b"2")])
        assert [store.get(entry.key).value for entry in (one, two)] == [b"1", b"2"]

    @pytest.mark.parametrize("there", [False, True])
    def test_a_condition_holds_until_somebody_writes_something_else(self, store: Store, there: bool) -> None:
        key, other = store.heads("web") + "a", Entry(store.heads("web") + "b")
        before = put(store, key, b"1") if there else store.get(key)
        assert store.commit([unchanged(before), replace(other, b"x")])
        if there:
            put(store, key, b"1")  # the same again is none
            assert store.get(key) == before
        put(store, key, b"2")
        put(store, key, b"1")  # as it was, and yet it was written
        assert not store.commit([unchanged(before), replace(store.get(other.key), b"y")])
        assert store.get(other.key).value == b"x"

    def test_what_is_not_permitted_is_told_with_the_rule_that_is_missing(
        self, connect: Callable[[str], ConsulConnection], prefix: str
    ) -> None:
        store = Store(connect(f'key_prefix "{prefix}/heads/web/" {{ policy = "write" }}'), prefix)
        mine, others = Entry(store.heads("web") + "a"), Entry(store.heads("worker") + "a")
        with pytest.raises(PermanentError, match=rf'needs: key_prefix "{prefix}/heads/worker/" {{ policy = "write" }}'):
            store.commit([replace(mine, b"1"), replace(others, b"1")])
        assert store.get(mine.key) == mine
        with pytest.raises(PermanentError, match=rf'needs: key_prefix "{prefix}/heads/worker/" {{ policy = "read" }}'):
            store.get(others.key)


class TestRecords:
    def test_one_comes_back_as_it_was(self) -> None:
        assert Entry("k", encode_record(held=True, names=["wéb"]), 1).record() == {
            "format": 1,
            "held": True,
            "names": ["wéb"],
        }
        assert Entry("k").record() == {}

    @pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b"7", b"\xff", b"{}", b"[" * 100_000])
    def test_what_is_none_is_refused_with_what_to_do(self, value: bytes) -> None:
        with pytest.raises(PermanentError, match="Consul's key a/k does not hold what zdd wrote: restore it, or move"):
            Entry("a/k", value, 1).record()

    @pytest.mark.parametrize("number", [0, 2, "1", None])
    def test_one_of_another_format_is_not_read(self, number: object) -> None:
        with pytest.raises(PermanentError, match=rf"was written by another zdd, in format {number!r}"):
            Entry("k", json.dumps({"format": number}).encode(), 1).record()


@define
class Answering:
    """A connection that is answered so, whatever is asked: by something that is no Consul, say."""

    body: bytes
    status: int = 200
    settles_within_s: float = 10.0

    def ask(self, path: str, **more: Any) -> Answer:
        return Answer(f"GET {path}", self.status, self.body)

    def tell(self, path: str, body: object, **more: Any) -> Answer:
        return Answer(f"PUT {path}", self.status, self.body)


OTHER_KEY = json.dumps([{"Key": "another", "Value": "", "ModifyIndex": 1}]).encode()


@pytest.mark.parametrize(
    ("body", "use"),
    [
        (b"<html>", lambda store: store.get("k")),
        (b"[{}]", lambda store: store.get("k")),
        (b'[{"Key": "k", "Value": "%%", "ModifyIndex": 1}]', lambda store: store.get("k")),
        (b'[{"Key": "k", "Value": "", "ModifyIndex": "x"}]', lambda store: store.get("k")),
        (OTHER_KEY, lambda store: store.get("k")),
        (b"{}", lambda store: store.under("k/")),
        (b"[7]", lambda store: store.under("k/")),
        (b"7", lambda store: store.folders("k/")),
        (b"[7]", lambda store: store.folders("k/")),
    ],
)
def test_what_consul_never_answers_is_not_taken_for_an_answer(body: bytes, use: Callable[[Store], object]) -> None:
    with pytest.raises(TemporaryError):
        use(Store(Answering(body)))  # type: ignore[arg-type]


def test_a_write_that_something_else_says_it_has_done_may_not_have_been() -> None:
    with pytest.raises(OutcomeUnknown, match="was not answered as Consul does"):
        Store(Answering(b"<html>OK</html>")).commit([])  # type: ignore[arg-type]


def test_where_there_is_nothing_there_are_no_entries() -> None:
    store = Store(Answering(b"", status=404))  # type: ignore[arg-type]
    assert (store.get("k"), store.under("k/"), store.folders("k/")) == (Entry("k"), [], [])
    assert parse_entries([]) == []


@pytest.mark.parametrize("prefix", ["", "/", "zdd/", "/zdd", "Zdd", "a//b", "a b", "../a", 7, None])
def test_a_prefix_that_is_none_is_refused(connection: ConsulConnection, prefix: Any) -> None:
    with pytest.raises(ConfigurationError, match="of Consul's keys: use lower-case letters, digits and hyphens"):
        Store(connection, prefix)
