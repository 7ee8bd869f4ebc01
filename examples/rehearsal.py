"""A rehearsal in memory, in virtual time: ``python examples/rehearsal.py``. Nothing real happens, and it takes no time.

What becomes of a canary if the new release is good, if it never gets ready, and if it fails under traffic?
In a notebook, leave ``main`` away and show ``report`` in a cell of its own.
"""

from __future__ import annotations

from zdd import Canary, Deployer, DeploymentFailed, Release, Report, Service
from zdd.adapters.memory import Behaviour, HealthyGate, MemoryWorld

RELEASES = {
    "a good release": Behaviour(startup_s=12),
    "a release that never gets ready": Behaviour(never_ready=True),
    "a release that fails under traffic": Behaviour(errors_under_traffic=True),
}


def rehearse(behaviour: Behaviour) -> tuple[Report, int]:
    """Deploy a release over a service that runs. Return the report, and how many instances lost requests."""
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    service = Service("shop", replicas=4, cells=4)
    deployer.deploy(service, Release("1.0", Behaviour()))
    canary = Canary((5, 25, 100), gates=[HealthyGate(world)], hold_s=600)
    try:
        report = deployer.deploy(service, Release("2.0", behaviour), canary)
    except DeploymentFailed as error:
        report = error.report
    return report, len(world.lost())


def main() -> None:
    for title, behaviour in RELEASES.items():
        report, lost = rehearse(behaviour)
        print(f"{title}:\n  {report.summary}\n  instances that lost requests: {lost}")


if __name__ == "__main__":
    main()
