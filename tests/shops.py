"""A stack of three services, each of which depends on the one before, in a world in memory."""

from __future__ import annotations

from zdd.adapters.memory import Behaviour
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.stacks.deployer import StackDeployer
from zdd.stacks.stack import Stack, StackService

NAMES = ("shop-db", "shop-api", "shop-web")
DEPENDS = {"shop-db": (), "shop-api": ("shop-db",), "shop-web": ("shop-api",)}


def stack(versions, **behaviour):
    """Return a stack whose services have these versions; the last one behaves as stated."""
    services = []
    for name, version in versions.items():
        service = Service(name, replicas=2, cells=2, drain_deadline_s=5, start_deadline_s=10)
        kept = behaviour if name == list(versions)[-1] else {}
        services.append(StackService(service, Release(version, Behaviour(**kept)), depends_on=DEPENDS[name]))
    return Stack("shop", reversed(services))


def whole(version, **behaviour):
    return stack(dict.fromkeys(NAMES, version), **behaviour)


def serving(scene):
    return {name: sorted({one.version for one in scene.world.instances(name)}) for name in NAMES}


def deploy(scene, wanted, **options):
    return StackDeployer(scene.deployer()).deploy(wanted, **options)


def started(scene):
    return [event.service for event in scene.events if type(event).__name__ == "DeploymentStarted"]


def calls_needed(scene, wanted):
    deploy(scene, whole("1"))
    with scene.ended_at_call(0, KeyboardInterrupt):
        deploy(scene, wanted)
        return scene.calls
