"""From registrations to what Traefik reads."""

import pytest

from zdd.adapters.traefik.rendering import priority, render, rule
from zdd.model.address import Address
from zdd.model.service import Exposure
from zdd.model.traffic import Registration


def _registration(number: int, weight: int) -> Registration:
    return Registration(f"web-{number}", "web", "r-1", "1.0", {"http": Address("::1", number)}, weight)


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [
        (Exposure(), "PathPrefix(`/`)"),
        (Exposure(path="/api"), "(Path(`/api`) || PathPrefix(`/api/`))"),
        (Exposure(path="/api/"), "(Path(`/api`) || PathPrefix(`/api/`))"),
        (Exposure(host="WWW.example.org"), "Host(`www.example.org`) && PathPrefix(`/`)"),
    ],
)
def test_a_rule_matches_whole_path_segments(exposure, expected) -> None:
    assert rule(exposure) == expected


def test_the_host_counts_before_the_longest_path() -> None:
    exposures = [
        Exposure(),
        Exposure(path="/a"),
        Exposure(path="/a/b"),
        Exposure(host="x"),
        Exposure(host="x", path="/a"),
    ]

    assert sorted(exposures, key=priority) == exposures


def test_what_is_out_is_no_server() -> None:
    rendered = render("web", [Exposure()], [_registration(1, 0), _registration(2, 5)], None)

    balancer = rendered["http"]["services"]["web_http"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://[::1]:2", "weight": 5}]
    assert balancer["serversTransport"] == "web"


def test_held_requests_go_to_the_room_and_nowhere_else() -> None:
    room = {"http": Address("127.0.0.1", 9)}

    rendered = render("web", [Exposure()], [_registration(2, 5)], room)

    balancer = rendered["http"]["services"]["web_http"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://127.0.0.1:9", "weight": 1}]
    assert balancer["serversTransport"] == "web_room"


def test_a_port_that_was_only_just_added_has_no_server_yet() -> None:
    exposures = [Exposure(), Exposure("admin", "/admin")]

    for room in (None, {"http": Address("127.0.0.1", 9)}):
        services = render("web", exposures, [_registration(1, 5)], room)["http"]["services"]

        assert services["web_admin"]["loadBalancer"]["servers"] == []
        assert len(services["web_http"]["loadBalancer"]["servers"]) == 1


def test_nothing_is_named_like_a_part_of_another_service() -> None:
    one = render("a-b", [Exposure("c")], [], None)["http"]
    two = render("a", [Exposure("b-c")], [], None)["http"]

    for part in ("routers", "services", "serversTransports"):
        assert not one[part].keys() & two[part].keys()
