"""What Traefik is told by tags: which requests are an exposure's. That it heeds them is in tests/examples/stacks."""

from __future__ import annotations

import pytest

from zdd.adapters.consul.traefik_edge import route_tags
from zdd.model.service import Exposure, Service

EXPOSURES = (Exposure("http"), Exposure("api", "/api/", "Shop.example.org"))


@pytest.mark.parametrize(
    ("exposure", "tags"),
    [
        (
            EXPOSURES[0],
            ("traefik.http.routers.web.rule=PathPrefix(`/`)", "traefik.http.routers.web.priority=3"),
        ),
        (
            EXPOSURES[1],
            (
                "traefik.http.routers.web-api.rule=Host(`shop.example.org`) && (Path(`/api`) || PathPrefix(`/api/`))",
                "traefik.http.routers.web-api.priority=1000007",
            ),
        ),
    ],
)
def test_host_and_path_are_the_rule(exposure: Exposure, tags: tuple[str, ...]) -> None:
    assert route_tags(Service("web", exposures=EXPOSURES), exposure) == tags
