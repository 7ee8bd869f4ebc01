"""What zdd creates of a compose file is what ``docker stack deploy`` creates, field by field.

The nodes are paused meanwhile, so that no task is started: it is the specifications that are compared. `ALLOWED` is
all that may differ.
"""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from zdd.adapters.swarm.drift import difference
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.stacks import SwarmStacks
from zdd.compose import read_stack
from zdd.interfaces import Fence
from zdd.model.command import Launch
from zdd.model.release import Revision

FILES = Path(__file__).parents[2] / "compose" / "parity"
VARIABLES = {"FROM_OUTSIDE": "outside", "EMPTY": "", "SIGNAL": "SIGINT", "THREE": "3", "YES": "true", "NO": "false"}
LABEL = "com.docker.stack.namespace"

Json = dict[str, Any]


def files_of(case: str) -> list[Path]:
    """A case is one file, or several whose names go on with a number."""
    return sorted(FILES.glob(f"{case}.yml")) or sorted(FILES.glob(f"{case}.*.yml"))


def cases() -> list[str]:
    names = [path.name.removesuffix(".yml") for path in FILES.glob("*.yml")]
    return sorted({name[:-2] if name[-2:] in (".1", ".2") else name for name in names})


@pytest.fixture(scope="module")
def paused(lab: Any) -> Iterator[Any]:
    """The lab, in which no task is started, with what files call external."""
    lab.clear()
    node = lab.api.nodes()[0]
    was = node["Spec"]

    def set_availability(text: str) -> None:
        version = lab.api.inspect_node(node["ID"])["Version"]["Index"]
        lab.api.update_node(node["ID"], version, {**was, "Availability": text})

    set_availability("pause")
    lab.client("network", "create", "--driver", "overlay", "--attachable", "parity-outer")
    lab.api.create_secret("parity-secret", b"outside")
    lab.api.create_config("parity-config", b"outside")
    try:
        yield lab
    finally:
        lab.clear()
        set_availability("active")


def shown(api: Any, stack: str) -> Json:
    """Everything that belongs to the stack, as the Engine shows it, with names in place of ids."""
    label = f"{LABEL}={stack}"
    kinds = {
        "networks": [api.inspect_network(one["Id"]) for one in api.networks(filters={"label": label})],
        "secrets": api.secrets(filters={"label": label}),
        "configs": api.configs(filters={"label": label}),
        "services": api.services(filters={"label": label}),
    }
    names = {one["Id"]: one["Name"] for one in api.networks()}
    names |= {one["ID"]: one["Spec"]["Name"] for one in [*api.secrets(), *api.configs()]}
    return {kind: {_name(one): _named(_spec(one), names) for one in found} for kind, found in kinds.items()}


def _name(one: Json) -> str:
    return str(one.get("Name") or one["Spec"]["Name"])


def _spec(one: Json) -> Json:
    if "Spec" in one:
        return dict(one["Spec"])
    return {key: one[key] for key in ("Driver", "Options", "Labels", "Internal", "Attachable", "IPAM", "Scope")}


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _named(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def own_variables(made: Json) -> None:
    for inside in containers(made):
        inside["Env"] = [line for line in inside.get("Env") or [] if not line.startswith("ZDD_")]


def own_labels(made: Json) -> None:
    labelled = [*made["services"].values(), *containers(made), *made["secrets"].values(), *made["configs"].values()]
    for one in labelled:
        one["Labels"] = {name: text for name, text in (one.get("Labels") or {}).items() if not name.startswith("zdd.")}


def grace_period(made: Json) -> None:
    for inside in containers(made):
        inside.setdefault("StopGracePeriod", 10_000_000_000)


def order_of_ports(made: Json) -> None:
    for service in made["services"].values():
        ports = service["EndpointSpec"].get("Ports") or []
        service["EndpointSpec"]["Ports"] = sorted(ports, key=lambda port: sorted(map(str, port.items())))


def chosen_by_the_engine(made: Json) -> None:
    for network in made["networks"].values():
        options = (network["Options"] or {}).items()
        network["Options"] = {name: text for name, text in options if not name.endswith("vxlanid_list")}
        if "10.77" not in str(network["IPAM"]):  # what a file states begins so
            del network["IPAM"]


def containers(made: Json) -> list[Json]:
    return [service["TaskTemplate"]["ContainerSpec"] for service in made["services"].values()]


ALLOWED: dict[tuple[str, str], Callable[[Json], None]] = {
    ("environment", "variables that begin with `ZDD_`"): own_variables,
    ("labels of services, containers, secrets and configs", "those that begin with `zdd.`"): own_labels,
    (
        "`StopGracePeriod`",
        "10 s is stated where the file says nothing: it is Swarm's default",
    ): grace_period,
    ("ports", "their order"): order_of_ports,
    ("networks", "the numbers and addresses that the engine chooses itself"): chosen_by_the_engine,
}
"""Every difference that is allowed, in the words of the page, and what takes it away. There are no others."""


def normalised(found: Json, allowed: Iterable[Callable[[Json], None]] = tuple(ALLOWED.values())) -> Json:
    """Take away what may differ."""
    made = copy.deepcopy(found)
    for take_away in allowed:
        take_away(made)
    return made


def stack_of(case: str) -> str:
    return f"parity-{case.partition('-')[0]}"


def deploy_with_docker(lab: Any, case: str) -> None:
    files = [word for path in files_of(case) for word in ("--compose-file", path.name)]
    command = [lab.facts.client, "--host", lab.engine, "stack", "deploy", *files, stack_of(case)]
    environment = {**os.environ, **VARIABLES, "IMAGE": lab.image}
    done = subprocess.run(command, cwd=FILES, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def deploy_with_zdd(stacks: SwarmStacks, orchestrator: SwarmOrchestrator, case: str, image: str) -> None:
    stack = read_stack(stack_of(case), files_of(case), variables={**VARIABLES, "IMAGE": image})
    stacks.check(stack, adopt=False)
    stacks.prepare(stack)
    workloads = stacks.complete(stack)
    for one in stack.services:
        fence = Fence(1, "parity")
        orchestrator.claim(one.service, fence)
        revision = Revision("r1", one.release.version, workloads[one.service.name])
        orchestrator.launch(one.service, revision, Launch(one.service.name, "r1", one.service.replicas), fence)


def remove_stacks(lab: Any, wait_until: Callable[..., Any]) -> None:
    """Remove what belongs to the stacks, and what zdd has kept about them."""

    def gone() -> bool:
        for service in lab.api.services(filters={"label": LABEL}):
            lab.api.remove_service(service["ID"])
        left: list[Any] = []
        for kind, key in (("network", "Id"), ("secret", "ID"), ("config", "ID")):
            found = getattr(lab.api, f"{kind}s")(filters={"label": LABEL})
            left += found
            for one in found:
                with contextlib.suppress(docker.errors.APIError):  # what is in use goes with the next attempt
                    getattr(lab.api, f"remove_{kind}")(one[key])
        for config in lab.api.configs(filters={"label": "zdd.service"}):
            lab.api.remove_config(config["ID"])
        return not left

    wait_until(gone, "the stacks have gone")


@pytest.fixture(scope="module")
def by_docker(paused: Any, wait_until: Callable[..., Any]) -> dict[str, Json]:
    """What the docker client makes of each case."""
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda case: deploy_with_docker(paused, case), cases()))
        return {case: shown(paused.api, stack_of(case)) for case in cases()}
    finally:
        remove_stacks(paused, wait_until)


@pytest.fixture(scope="module")
def by_zdd(by_docker: dict[str, Json], paused: Any, wait_until: Callable[..., Any]) -> dict[str, Json]:
    """What zdd makes of each case, when all that the docker client has made is gone."""
    with (
        contextlib.closing(SwarmStacks(paused.engine)) as stacks,
        contextlib.closing(SwarmOrchestrator(paused.engine)) as orchestrator,
    ):
        try:
            for case in cases():
                deploy_with_zdd(stacks, orchestrator, case, paused.image)
            return {case: shown(paused.api, stack_of(case)) for case in cases()}
        finally:
            remove_stacks(paused, wait_until)


@pytest.mark.parametrize("case", cases())
def test_zdd_creates_what_docker_stack_deploy_creates(
    case: str, by_docker: dict[str, Json], by_zdd: dict[str, Json]
) -> None:
    assert by_docker[case]["services"]
    wanted, made = normalised(by_docker[case]), normalised(by_zdd[case])
    if made != wanted:
        pytest.fail(difference(wanted, made))


# The client orders ports anew each time, so that these are sometimes in the same order.
@pytest.mark.parametrize("where", [where for where, take_away in ALLOWED.items() if take_away is not order_of_ports])
def test_a_difference_that_is_allowed_is_there(
    where: tuple[str, str], by_docker: dict[str, Json], by_zdd: dict[str, Json]
) -> None:
    """What nothing differs in need not be allowed."""
    others = [take_away for key, take_away in ALLOWED.items() if key != where]
    assert any(normalised(by_docker[case], others) != normalised(by_zdd[case], others) for case in cases())


def test_the_page_names_every_difference_that_is_allowed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "compose.md").read_text(encoding="utf-8")
    table = page.split("| where | difference |\n|---|---|\n")[1].split("\n\n")[0]
    assert [tuple(line.strip("| ").split(" | ")) for line in table.splitlines()] == list(ALLOWED)


def test_there_are_enough_cases() -> None:
    assert len(cases()) >= 25
