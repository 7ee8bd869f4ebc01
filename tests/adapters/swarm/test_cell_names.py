"""What the Swarm services of cells are called, and that they are found again by it."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.swarm.cell_names import CellNames
from zdd.adapters.swarm.container import Container
from zdd.errors import ConfigurationError
from zdd.model.release import Release, Revision
from zdd.model.service import Service

WEB = Service("web")
SHOP = Service("shop-web")
OWN, OTHER = CellNames(), CellNames({"web": "shop_web"})


@pytest.mark.parametrize(
    ("names", "service", "first", "cell", "called"),
    [
        (OWN, WEB, "web", "web", "web"),
        (OWN, WEB, "web", "web-2", "web-2"),
        (OWN, SHOP, "shop_web", "shop-web", "shop_web"),
        (OWN, SHOP, "shop_web", "shop-web-2", "shop-web-2"),
        (OTHER, WEB, "shop_web", "shop_web", "shop_web"),
        (OTHER, WEB, "shop_web", "web", "shop_web-1"),
        (OTHER, WEB, "shop_web", "web-2", "shop_web-2"),
    ],
)
def test_a_cell_has_a_name_in_the_swarm_and_is_found_under_it(
    names: CellNames, service: Service, first: str, cell: str, called: str
) -> None:
    assert names.of_cell(service, cell, first) == called
    assert called.startswith(names.prefixes(service))


def test_the_first_one_is_what_was_stated_or_what_was_found_or_the_service_itself() -> None:
    def running(name: str) -> dict[str, Any]:
        return {"shop-web": {"Spec": {"Name": name}}}

    def revision(**stated: str) -> Revision:
        return Revision("r1", "1", Release("1", Container("web:1", ports={"http": 80}, **stated)).workload)

    assert OTHER.original(WEB, {}, revision()) == OTHER.first(WEB) == "shop_web"
    assert OWN.original(SHOP, running("shop_web"), revision(service_name="shop_front")) == "shop_front"
    assert OWN.original(SHOP, running("shop_web"), revision()) == "shop_web"
    assert OWN.original(SHOP, {}, revision()) == OWN.first(SHOP) == "shop-web"


def test_a_name_by_which_it_could_not_be_found_again_is_refused() -> None:
    assert OWN.wanted(SHOP, Container("web:1", service_name="shop_front")) == "shop_front"
    with pytest.raises(ConfigurationError, match="let both begin with the same letters"):
        OWN.wanted(SHOP, Container("web:1", service_name="front"))
