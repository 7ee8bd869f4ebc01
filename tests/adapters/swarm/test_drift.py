"""What somebody else changed is named, and stays when the next revision is made."""

from __future__ import annotations

import copy
from typing import Any

from zdd.adapters.swarm.drift import carried_over, changes, difference, differences, in_words

WRITTEN: dict[str, Any] = {
    "Name": "web",
    "Labels": {"team": "shop"},
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "web:2@sha256:abc",
            "Env": ["FEATURE=1", "ZDD_VERSION=2", "PORT=8080"],
            "Labels": {"zdd.revision": "r-2"},
        },
        "Networks": [{"Target": "back"}],
        "Resources": {},
    },
    "Mode": {"Replicated": {"Replicas": 2}},
}
BASE: dict[str, Any] = {
    "Name": "web",
    "TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Env": ["COLOUR=blue"]}, "Networks": [{"Target": "back"}]},
}


def found(**inside: Any) -> dict[str, Any]:
    """What Swarm shows of WRITTEN as a cell, with other things in its container."""
    spec = copy.deepcopy(WRITTEN)
    spec["Labels"] |= {"zdd.service": "web", "zdd.replicas": "2", "com.docker.stack.image": "web:2"}
    spec["TaskTemplate"]["Networks"] = [{"Target": "k1x2", "Aliases": ["web"]}]
    spec["TaskTemplate"] |= {"ForceUpdate": 3, "Runtime": "container", "Placement": {}}
    spec["TaskTemplate"]["ContainerSpec"] |= {"Isolation": "default", **inside}
    return spec


def test_what_zdd_and_swarm_add_themselves_is_no_change() -> None:
    assert changes(WRITTEN, found()) == []


def test_every_change_is_named_with_what_was_there() -> None:
    other = found(Image="web:3", Env=["FEATURE=2", "ZDD_VERSION=2"], Hostname="h")
    other["Labels"]["owner"] = "me"
    other["Mode"] = {"Replicated": {"Replicas": 5}}
    other["TaskTemplate"]["Networks"] = []
    assert changes(WRITTEN, other) == [
        'Labels.owner was null and is "me"',
        "TaskTemplate.ContainerSpec.Env.FEATURE has another value",
        'TaskTemplate.ContainerSpec.Hostname was null and is "h"',
        'TaskTemplate.ContainerSpec.Image was "web:2@sha256:abc" and is "web:3"',
        "networks were back and are none",
        "replicas were 2 and are 5",
    ]
    assert in_words([str(number) for number in range(7)]) == "0, 1, 2, 3, 4 and 2 more"


def test_what_swarm_fills_in_is_no_change_and_of_a_list_only_what_differs_is_named() -> None:
    written = {
        "TaskTemplate": {"ContainerSpec": {}, "RestartPolicy": {"Delay": 1}},
        "EndpointSpec": {"Ports": [{"P": 1}]},
    }
    other = copy.deepcopy(written)
    other["TaskTemplate"]["RestartPolicy"]["Condition"] = "any"
    other["EndpointSpec"] = {"Mode": "vip", "Ports": [{"P": 1, "Protocol": "tcp"}]}
    assert changes(written, other) == []
    other["EndpointSpec"]["Ports"][0]["P"] = 2
    assert changes(written, other) == ["EndpointSpec.Ports[0].P was 1 and is 2"]


def test_a_variable_is_named_without_its_value_which_may_be_a_secret() -> None:
    written = {"ContainerSpec": {"Env": ["OLD=hunter1", "PASSWORD=hunter2", "SAME=1"]}}
    other = {"ContainerSpec": {"Env": ["SAME=1", "PASSWORD=hunter3", "NEW=hunter4"]}}
    lines = ["ContainerSpec.Env.NEW is new", "ContainerSpec.Env.OLD was taken away"]
    assert differences(written, other) == [*lines, "ContainerSpec.Env.PASSWORD has another value"]
    assert differences({}, other)[0] == "ContainerSpec.Env.NEW is new"
    assert differences({"ContainerSpec": {"Env": ["A=1", "B=2"]}}, {"ContainerSpec": {"Env": ["B=2", "A=1"]}}) == []


def test_a_difference_is_named() -> None:
    other = copy.deepcopy(WRITTEN)
    other["TaskTemplate"]["ForceUpdate"] = 4
    assert difference(WRITTEN, other) == "TaskTemplate.ForceUpdate was null and is 4"


def test_what_was_changed_stays_and_what_belonged_to_the_release_alone_does_not() -> None:
    kept = carried_over(BASE, WRITTEN, found(Env=["FEATURE=1", "ZDD_VERSION=2", "PORT=8080", "DEBUG=1"], Hostname="h"))
    inside = kept["TaskTemplate"]["ContainerSpec"]
    assert (inside["Hostname"], inside["Env"]) == ("h", ["COLOUR=blue", "DEBUG=1"])
    assert inside["Image"] == "web:1"


def test_what_was_taken_away_stays_away() -> None:
    base = {"TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Hostname": "h"}, "LogDriver": {"Name": "none"}}}
    written = {"TaskTemplate": {"ContainerSpec": {"Image": "web:2", "Hostname": "h"}, "LogDriver": {"Name": "none"}}}
    assert carried_over(base, written, {"TaskTemplate": {"ContainerSpec": {"Image": "web:2"}}}) == {
        "TaskTemplate": {"ContainerSpec": {"Image": "web:1"}}
    }


def test_nothing_was_there_before_zdd_made_it() -> None:
    assert carried_over(None, WRITTEN, WRITTEN) is None
    other = {**WRITTEN, "Labels": {"team": "shop", "owner": "me"}}
    assert carried_over(None, WRITTEN, other) == {"Labels": {"owner": "me"}}
