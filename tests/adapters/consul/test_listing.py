"""The ports of instances, as Consul lists them, put together to registrations."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.adapters.consul.listing import IN, OUT, Listed, merge
from zdd.errors import PermanentError
from zdd.model.address import Address

PORTS = ("http", "admin", "metrics")


def listed(port: str, weight: int, status: str = IN, **meta: str) -> Listed:
    """One port of the instance ``web.a``, registered by zdd with this weight."""
    told = {"zdd-service": "web", "zdd-port": port, "zdd-instance": "web.a", "zdd-weight": str(weight)}
    told |= {"zdd-cell": "web", "zdd-revision": "r1", "zdd-version": "1", **meta}
    return Listed(f"zdd:web:{port}:web.a", "web", "node", True, told, Address("10.0.0.1", 80), 256, status)


def ports(*weights: int) -> list[Listed]:
    return [listed(port, weight) for port, weight in zip(PORTS, weights, strict=False)]


@pytest.mark.parametrize(
    ("parts", "weight"),
    [
        (ports(7, 7, 7), 7),
        ([evolve(one, status=OUT) for one in ports(7, 7, 7)], 0),
        ([evolve(one, status=OUT) for one in ports(7, 7)], 0),
    ],
)
def test_an_instance_has_the_weight_that_all_its_ports_have(parts: list[Listed], weight: int) -> None:
    (found,) = merge(parts, PORTS)
    assert (found.instance, found.weight) == ("web.a", weight)


@pytest.mark.parametrize(
    "parts",
    [
        ports(7, 7),
        ports(7, 7, 8),
        ports(1, 2, 3),
        ports(3, 2, 1),
        [*ports(1, 2), evolve(listed("metrics", 3), status=OUT)],
        [*ports(7, 7, 7), evolve(ports(7)[0], node="another")],
        [*ports(7, 7), listed("metrics", 7, **{"zdd-revision": "r2"})],
    ],
)
def test_one_whose_ports_are_not_alike_is_in_traffic_with_a_weight_that_nobody_gave_it(parts: list[Listed]) -> None:
    (found,) = merge(parts, PORTS)
    assert found.weight > 0
    assert found.weight not in [one.told for one in parts]


def test_instances_are_sorted_and_ports_that_nobody_asks_for_are_left_out() -> None:
    other = [evolve(one, meta={**one.meta, "zdd-instance": "web.0"}) for one in ports(5)]
    found = merge([*ports(7, 7, 7), *other], ("http",))
    assert [(one.instance, one.weight, list(one.addresses)) for one in found] == [
        ("web.0", 5, ["http"]),
        ("web.a", 7, ["http"]),
    ]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "٣", "9" * 19])
def test_a_weight_that_zdd_did_not_write_is_named(text: str) -> None:
    with pytest.raises(PermanentError, match="somebody else has changed it"):
        merge([listed("http", 1, **{"zdd-weight": text})], ("http",))
