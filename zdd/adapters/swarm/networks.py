"""Networks that stand at the top level of a Swarm specification, where old clients wrote them. Pure.

They belong into the template of the tasks, which has had them since 2017. Swarm still takes them at the top level, for
example from the low-level client's ``create_service(networks=…)``, and the tasks are on them as long as the template
names none. A change of them alone is refused; with a change of the template's networks it is allowed. So whatever zdd
makes has them in the template, and as long as the template stays, so do they.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from zdd.errors import ConfigurationError

Json = dict[str, Any]

TOP = "Networks"


def networks_of(spec: Mapping[str, Any]) -> list[Json]:
    """Return the networks on which the tasks are."""
    return list(spec.get("TaskTemplate", {}).get("Networks") or spec.get(TOP) or [])


def in_template(spec: Json) -> Json:
    """Return the same specification with all networks in the template of its tasks."""
    if not spec.get(TOP):
        return spec
    made = copy.deepcopy(spec)
    made.setdefault("TaskTemplate", {})["Networks"] = networks_of(spec)
    del made[TOP]
    return made


def as_permitted(before: Mapping[str, Any], spec: Json) -> Json:
    """Return a specification with the top level as it was, unless Swarm permits it to be changed."""
    if before.get(TOP) == spec.get(TOP) or _in_template(before) != _in_template(spec):
        return spec
    made = {name: value for name, value in spec.items() if name != TOP}
    return {**made, TOP: before[TOP]} if before.get(TOP) else made


def check_networks(service: str, stated: Mapping[str, Any] | None, found: Mapping[str, Json]) -> None:
    """Look for networks that could not be taken away.

    Args:
        service: Its name.
        stated: The specification that the release states; None: it keeps what is found.
        found: Cell → the Swarm service.

    Raises:
        ConfigurationError: They stand at the top level, and the release has none at all.
    """
    if stated is None or networks_of(stated):
        return
    for one in found.values():
        spec = one["Spec"]
        if spec.get(TOP) and not _in_template(spec):
            names = ", ".join(str(network.get("Target", "")) for network in spec[TOP])
            raise ConfigurationError(
                f"the Swarm service {spec['Name']} of {service} has its networks at the top level of its specification "
                f"({names}), and this release has none: Swarm does not allow to take them away like that. "
                f"First use docker service update --network-rm <network> {spec['Name']}, which restarts its tasks; or "
                "state the networks in TaskTemplate"
            )


def _in_template(spec: Mapping[str, Any]) -> list[Json]:
    return list(spec["TaskTemplate"].get("Networks") or [])
