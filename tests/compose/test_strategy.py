"""From ``deploy.update_config`` to a strategy; the page about compose files has the rule, and a test of its own."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import ConfigurationError, InPlaceUpdate, Overlap, Recreate, RollingUpdate

RULES = [
    ("{}", RollingUpdate()),
    ("{order: start-first, parallelism: 2, delay: 10s, monitor: 20s}", RollingUpdate(hold_s=20)),
    ("{order: stop-first}", Recreate()),
    ("{failure_action: pause}", RollingUpdate(on_failure="freeze")),
    ("{failure_action: rollback}", RollingUpdate()),
]


@pytest.mark.parametrize(("update_config", "strategy"), RULES)
def test_update_config_leads_to_a_strategy(project: Any, update_config: str, strategy: object) -> None:
    assert project.service(f"deploy: {{update_config: {update_config}}}").strategy == strategy


def test_what_zdd_does_not_do_is_refused_by_name_file_and_line(project: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"compose-0\.yml:5:34: failure_action 'continue' of web: zdd never"):
        project.service("deploy:\n  update_config: {delay: 1s, failure_action: continue}")


MANNERS = [
    ("volumes: ['/srv:/d']", Recreate()),
    ("volumes: ['/srv:/d:ro']", RollingUpdate()),
    ("volumes: ['/srv:/d']\ndeploy: {update_config: {order: start-first}}", RollingUpdate()),
    ("ports: [{target: 80, published: 80, mode: host}]", Recreate()),
    ("ports: ['80:80']", InPlaceUpdate(1, "start-first")),
    ("ports: ['80']", RollingUpdate()),
    ("deploy: {replicas: 3, update_config: {order: stop-first}}", InPlaceUpdate(1, "stop-first")),
    ("ports: ['80:80']\ndeploy: {update_config: {parallelism: 0}}", InPlaceUpdate("100%", "start-first")),
    ("x-zdd: {surge: 2}\ndeploy: {replicas: 3}", RollingUpdate(2)),
]


@pytest.mark.parametrize(("text", "strategy"), MANNERS)
def test_volumes_ports_and_order_decide(project: Any, text: str, strategy: object) -> None:
    found = project.service(text)
    assert found.strategy == strategy
    assert (found.service.overlap is Overlap.FORBIDDEN) == (strategy == Recreate())


def test_what_zdd_does_otherwise_is_told(project: Any) -> None:
    text = (
        "services: {web: {image: web, deploy: {replicas: 4, update_config: {parallelism: 2, max_failure_ratio: 0.5}}}}"
    )
    parallelism, ratio = project.stack(text).notes
    assert "not 2 at a time: x-zdd cells: 2 divides them" in parallelism
    assert "max_failure_ratio of web is not used" in ratio
