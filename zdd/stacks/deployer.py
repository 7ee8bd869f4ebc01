"""`StackDeployer`: the services of a stack, deployed one after another, with one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from attrs import evolve

from zdd.deployer import Deployer
from zdd.errors import ConfigurationError
from zdd.interfaces import Fence, StackHost
from zdd.model.names import check_kind
from zdd.model.plan import Plan
from zdd.stacks.both_leases import BothLeases
from zdd.stacks.record import StackDeployment, StackRecord, read_record, record_name
from zdd.stacks.report import StackReport
from zdd.stacks.run import StackRun, deployed_by
from zdd.stacks.stack import Pull, Stack, StackService, check_host


class StackDeployer:
    """Deploys stacks.

    Args:
        deployer: Deploys each service.
        host: Makes what they share, for example ``zdd.adapters.swarm.stacks.SwarmStacks``. None: they share nothing.
    """

    def __init__(self, deployer: Deployer, host: StackHost | None = None) -> None:
        check_kind("deployer of StackDeployer", deployer, Deployer, "a zdd.Deployer")
        check_host(host)
        self._deployer = deployer
        self._host = host

    def plan(self, stack: Stack, *, adopt: bool = False) -> tuple[Plan, ...]:
        """Return what `deploy` would do now, service by service. Nothing is touched.

        Raises:
            ConfigurationError: It can't work; the message names the thing and the fix.
            JournalError: A journal can't be read.
            AdapterError: The world can't be observed.
        """
        self._check(stack, adopt=adopt)
        return tuple(
            self._deployer.plan(one.service, one.release, one.strategy) for one in self._completed(stack).services
        )

    def deploy(self, stack: Stack, *, prune: bool = False, adopt: bool = False, restart: bool = False) -> StackReport:
        """Make every service of the stack run what it says, each after those that it depends on.

        A service that runs it already is not touched. If one fails, those that were deployed before it are taken back.
        If somebody stopped an earlier call half-way, this one goes on; should it fail, it goes back to where the
        earlier one began.

        Args:
            stack: What is wanted.
            prune: Remove services that the stack had once and has no more. Otherwise they are left as they are.
            adopt: Take over a stack of this name that somebody else has deployed. Its services are marked as zdd's
                before anything else, which restarts nothing.
            restart: Replace the instances of every service, also of those that run what it says already.

        Raises:
            ConfigurationError: It can't work. Nothing was touched.
            DeploymentInProgress: Somebody else deploys this stack.
            StackFailed: A service failed, or somebody stopped it; what became of each service is in the error.
            LeaseLost, JournalError: Nothing further was done.
            AdapterError: The world could not be observed. Nothing was touched.
        """
        self._check(stack, adopt=adopt)
        if adopt and self._host is not None:
            self._host.adopt(stack)
        plans = self.plan(stack, adopt=adopt)  # whatever can be refused is, before anything is touched
        pulled = self._pull(one for one, plan in zip(stack.services, plans, strict=True) if plan.stages or restart)
        with self._lease(stack.name) as (deployer, fence):
            run = StackRun(stack, deployer, self._host, fence, restart=restart, notes=pulled)
            return run.carry_out(self._completed, prune=prune)

    def remove(self, stack: str) -> StackReport:
        """Take every service out that the stack ever had, in reverse order. What they share stays.

        Raises:
            ConfigurationError: It was never deployed. Else as `deploy`.
        """
        record = self.record(stack)
        if not record.services:
            raise ConfigurationError(f"stack {stack} was never deployed, so there is nothing to remove")
        with self._lease(stack) as (deployer, fence):
            return StackRun(Stack(stack, ()), deployer, None, fence).carry_out(lambda empty: empty, prune=True)

    def rollback(self, stack: str) -> StackReport:
        """Let every service serve what it served before the stack's last deployment, the last one first.

        Services that are new since then are removed. Once more, it leads forward again.

        Raises:
            ConfigurationError: The stack was never deployed, or nothing served before, or somebody else has just
                deployed it. Else as `deploy`.
        """
        record = self.record(stack)
        wanted = record.origins if record.unsettled else record.before
        if not any(wanted.values()):
            when = "its last deployment" if record.deployments else "now, as it was never deployed"
            raise ConfigurationError(f"nothing of stack {stack} served before {when}")
        for name, origin in wanted.items():  # whatever can be refused is, before anything is touched
            if origin:
                self._deployer.plan(*deployed_by(self._deployer, name, origin))
        with self._lease(stack) as (deployer, fence):
            if self.record(stack) != record:
                raise ConfigurationError(f"stack {stack} was deployed by somebody else meanwhile: look, then try again")
            return StackRun(Stack(stack, ()), deployer, None, fence).go_back(wanted)

    def half_done(self, stack: str) -> StackDeployment | None:
        """Return the last deployment of a stack if it was left half done and nobody carries it out now.

        Raises:
            JournalError: The journal can't be read.
            AdapterError: Nobody can say who deploys it.
        """
        record = self.record(stack)
        held = record.unsettled and self._deployer._around.lease.holder(record_name(stack)) is not None
        return record.deployments[-1] if record.unsettled and not held else None

    def record(self, stack: str) -> StackRecord:
        """Return what the journal knows of a stack; without services if it was never deployed.

        Raises:
            JournalError: The journal can't be read.
        """
        return read_record(self._deployer._around.journal.read(record_name(stack)))

    def _check(self, stack: Stack, *, adopt: bool) -> None:
        if not isinstance(stack, Stack):
            raise ConfigurationError(f"stack {stack!r}: use a zdd.Stack, for example of zdd.compose.read_stack")
        if self._host is not None:
            self._host.check(stack, adopt=adopt)
        elif stack.objects:
            first = stack.objects[0]
            raise ConfigurationError(
                f"stack {stack.name} needs {first.kind} {first.name}, and nobody is there to make it: "
                "give StackDeployer a host, such as SwarmStacks()"
            )
        elif any(one.pull is Pull.EVERYWHERE for one in stack.services):
            raise ConfigurationError(
                f"every node is to pull the images of stack {stack.name}, and nobody is there to see to it: "
                "give StackDeployer a host, such as SwarmStacks()"
            )

    def _pull(self, changing: Iterable[StackService]) -> list[str]:
        """Let every node have what it may have to run, where the stack says so."""
        wanted = [one for one in changing if one.pull is Pull.EVERYWHERE]
        return list(self._host.pull(wanted)) if self._host is not None and wanted else []

    def _completed(self, stack: Stack) -> Stack:
        workloads = self._host.complete(stack) if self._host is not None else {}
        services = (
            evolve(one, release=evolve(one.release, workload=workloads.get(one.service.name, one.release.workload)))
            for one in stack.services
        )
        return evolve(stack, services=tuple(services))

    @contextmanager
    def _lease(self, stack: str) -> Iterator[tuple[Deployer, Fence]]:
        around, name = self._deployer._around, record_name(stack)
        fence = around.lease.acquire(name, self._deployer._actor, around.lease_s)
        try:
            yield self._deployer._under(BothLeases(around.lease, name, fence, around.lease_s)), fence
        finally:
            self._deployer._operations.let_go(name, fence)
