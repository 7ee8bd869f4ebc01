"""Lives of a service, drawn from seeds and played in virtual time, with everything that can go wrong in them."""

from zdd.simulation.invariants import Invariant, Violation
from zdd.simulation.run import Result, simulate
from zdd.simulation.scenario import Scenario, StrategyKind, draw
from zdd.simulation.trouble import FaultClass, Trouble

__all__ = ["FaultClass", "Invariant", "Result", "Scenario", "StrategyKind", "Trouble", "Violation", "draw", "simulate"]
