"""A strategy of your own, in one file. ``python examples/custom_strategy.py`` shows its plan and rehearses it."""

from __future__ import annotations

from attrs import field, frozen

from zdd import Deployer, Release, RollingUpdate, Service, Situation, Stage
from zdd.adapters.memory import Behaviour, HealthyGate, MemoryWorld
from zdd.model.gate import Gate, gate_tuple


@frozen
class PilotFirst:
    """One instance of the new revision serves for a while and is judged; then comes a rolling update.

    Attributes:
        hold_s: Seconds that the pilot serves.
        gates: What must pass meanwhile.
        rest: How the others are replaced.
    """

    hold_s: float = 60.0
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    rest: RollingUpdate = field(factory=RollingUpdate)

    def __str__(self) -> str:
        return f"PilotFirst(hold_s={self.hold_s:g})"

    def surge(self, situation: Situation) -> int:
        """Return that of the rolling update, and the pilot."""
        return self.rest.surge(situation) + 1

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return: the pilot; the rolling update from there."""
        if not situation.outdated() or situation.current():  # a first deployment, or one that is gone on with
            return self.rest.stages(situation)
        [name] = situation.fresh_names(1)
        pilot = Stage(
            "one pilot",
            (situation.serve(name, 1),),
            gates=self.gates,
            hold_s=self.hold_s,
            deadline_s=situation.deadline_s + self.hold_s,
        )
        return (pilot, *self.rest.stages(situation.after((pilot,))))


def main() -> None:
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    service = Service("shop", replicas=4, cells=4)
    deployer.deploy(service, Release("1.0", Behaviour()))
    strategy = PilotFirst(gates=[HealthyGate(world)])
    print(deployer.plan(service, Release("2.0", Behaviour()), strategy))
    print()
    print(deployer.deploy(service, Release("2.0", Behaviour()), strategy))


if __name__ == "__main__":
    main()
