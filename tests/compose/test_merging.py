"""Several files as one."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.compose.merging import merge_sections, merge_services


def test_a_later_file_goes_first(project: Any) -> None:
    first = "services:\n  web: {image: web:1, environment: [A=1, B=1], ports: ['80:80'], cap_add: [SYS_TIME]}"
    later = "services:\n  web: {image: web:2, environment: {B: 2}, ports: ['80:81', '443:443'], cap_add: [NET_ADMIN]}"
    (web,) = project.stack(first, later).services
    spec = web.release.workload["service_spec"]
    assert spec["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1", "B=2"]
    assert [port["TargetPort"] for port in spec["EndpointSpec"]["Ports"]] == [81, 443]
    assert spec["TaskTemplate"]["ContainerSpec"]["CapabilityAdd"] == ["CAP_NET_ADMIN", "CAP_SYS_TIME"]
    assert web.release.workload["image"] == "web:2"


PIECES = [
    ("command", ["a", "b"], ["c"], ["c"]),
    ("command", ["a"], [], ["a"]),
    ("cap_add", ["A"], ["B"], ["A", "B"]),
    ("user", "a", "", "a"),
    ("tty", True, False, False),
    ("labels", {"a": "1", "b": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
    ("ulimits", {"nofile": {"soft": 1, "hard": 1}}, {"nofile": {"soft": 2}}, {"nofile": {"soft": 2}}),
    ("networks", {"a": {"aliases": ["x"]}, "b": None}, {"a": None, "c": None},
     {"a": {"aliases": ["x"]}, "b": None, "c": None}),
    ("secrets", [{"source": "b"}], [{"source": "a"}, {"source": "b", "mode": 1}],
     [{"source": "a"}, {"source": "b", "mode": 1}]),
    ("logging", {"driver": "a", "options": {"x": "1"}}, {"driver": "b", "options": {}}, {"driver": "b", "options": {}}),
    ("logging", {"driver": "a", "options": {"x": "1"}}, {"driver": "", "options": {"y": "2"}},
     {"driver": "a", "options": {"x": "1", "y": "2"}}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "first", "later", "merged"), PIECES)
def test_each_kind_of_key_is_merged_in_its_way(key: str, first: Any, later: Any, merged: Any) -> None:
    assert merge_services({"web": {key: first}}, {"web": {key: later}}) == {"web": {key: merged}}


def test_services_of_both_are_there_in_the_order_of_their_names() -> None:
    found = merge_services({"b": {"image": "b"}}, {"a": {"image": "a"}})
    assert list(found.items()) == [("a", {"image": "a"}), ("b", {"image": "b"})]


def test_of_a_section_the_later_file_s_entry_counts_as_a_whole() -> None:
    assert merge_sections({"a": {"x": 1}, "b": {}}, {"a": {"y": 1}}) == {"a": {"y": 1}, "b": {}}
